"""Contents of disks: copied with their holes, and read back."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from vclab.library import content

MIB = 1 << 20


@settings(deadline=None, max_examples=40)
@given(
    size=some.integers(0, 9 * MIB),
    written=some.lists(some.tuples(some.integers(0, 9 * MIB), some.binary(min_size=1, max_size=200_000)), max_size=5),
)
def test_a_copy_has_the_same_bytes_and_its_hash_is_that_of_all_of_them(
    tmp_path_factory: pytest.TempPathFactory, size: int, written: list[tuple[int, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("disks")
    source, target = folder / "source", folder / "target"
    with source.open("wb") as file:
        for at, data in written:
            file.seek(at)
            file.write(data)
    os.truncate(source, max(size, source.stat().st_size))
    copied = content.copy(source, target)
    assert target.read_bytes() == source.read_bytes()
    assert copied.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert content.read(target) == copied
    assert content.allocated(target) <= content.allocated(source) + 16384


def test_zeros_that_were_written_become_holes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"boot" + bytes(20 * MIB) + b"end")
    content.copy(source, tmp_path / "target")
    assert content.allocated(tmp_path / "target") <= 3 * content.PIECE


def test_whoever_is_told_may_end_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(12 * MIB))
    seen: list[tuple[int, int]] = []

    def told(done: int, size: int) -> None:
        seen.append((done, size))
        if done >= 8 * MIB:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        content.copy(source, tmp_path / "target", told)
    assert seen == [(4 * MIB, 12 * MIB), (8 * MIB, 12 * MIB)]


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "target").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        content.copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"old"
