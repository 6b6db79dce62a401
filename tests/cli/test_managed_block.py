"""The lines of vclab in a file that is somebody's own."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vclab.cli.managed_block import BEGIN, END, put_block, remove_block
from vclab.model.errors import Refused

LINES = 'Include "/a b/ssh_config"\n'
TEXT = st.lists(st.sampled_from([b"Host x\n", b"\n", b"  User y\r\n", b"# \xff\xfe\n", b"no end", b"\0"])).map(b"".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TEXT)
def test_what_was_there_is_there_again(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "config"
    file.write_bytes(text)
    assert put_block(file, LINES)
    held = file.read_bytes()
    assert held.startswith(BEGIN + LINES.encode() + END) and held.endswith(text)
    assert not put_block(file, LINES)
    assert put_block(file, "Include other\n")
    assert remove_block(file)
    assert file.read_bytes() == text
    assert not remove_block(file)


def test_a_file_that_is_not_there_is_made_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / ".ssh" / "config"
    assert not remove_block(file)
    assert put_block(file, LINES)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_link_stays_one_and_rights_stay(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles"
    kept.write_text("Host x\n")
    kept.chmod(0o644)
    file = tmp_path / "config"
    file.symlink_to(kept)
    assert put_block(file, LINES)
    assert file.is_symlink() and kept.read_text().endswith("\nHost x\n")
    assert kept.stat().st_mode & 0o777 == 0o644
    assert remove_block(file) and kept.read_text() == "Host x\n"


def test_lines_that_were_moved_are_found_and_move_back(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_bytes(b"Host x\n" + BEGIN + LINES.encode() + END + b"Host y\n")
    assert put_block(file, LINES)
    assert file.read_bytes() == BEGIN + LINES.encode() + END + b"\nHost x\nHost y\n"


@pytest.mark.parametrize(
    "text", [BEGIN, END, END + BEGIN, BEGIN + BEGIN + END, BEGIN + END + BEGIN + END, b"Host x" + BEGIN + END]
)
def test_lines_that_are_not_whole_are_left_to_their_owner(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "config"
    file.write_bytes(text)
    with pytest.raises(Refused, match="by hand"):
        put_block(file, LINES)
    with pytest.raises(Refused, match="by hand"):
        remove_block(file)
    assert file.read_bytes() == text


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (tmp_path, pipe):
        with pytest.raises(Refused):
            put_block(place, LINES)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe"]
