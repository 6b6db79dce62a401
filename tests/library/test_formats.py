"""Disk images that people bring: what is taken, what is refused, and that the bytes stay the same."""

import os
import struct
import subprocess
from pathlib import Path

import pytest

from vclab.library import content, formats
from vclab.library.formats import Format, Found, inspect
from vclab.model.errors import Refused

MIB = 1 << 20


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A disk of 8 MiB with a partition table, some bytes, and holes."""
    disk = tmp_path / "disk.raw"
    with disk.open("wb") as file:
        file.seek(510)
        file.write(b"\x55\xaa")
        file.seek(3 * MIB)
        file.write(os.urandom(300_000))
        file.truncate(8 * MIB)
    return disk


def made(source: Path, wanted: str, *options: str) -> Path:
    """The disk in another format, made by others."""
    target = source.with_name(f"given.{wanted}")
    subprocess.run(["qemu-img", "convert", "-O", wanted, *options, str(source), str(target)], check=True)
    return target


@pytest.mark.parametrize(
    ("wanted", "options"),
    [("qcow2", ()), ("qcow2", ("-c",)), ("vmdk", ()), ("vmdk", ("-o", "subformat=streamOptimized"))],
)
def test_what_is_brought_in_and_given_out_again_is_the_same(
    raw: Path, tmp_path: Path, wanted: str, options: tuple[str, ...]
) -> None:
    found = inspect(made(raw, wanted, *options))
    assert found == Found(Format(wanted), 8 * MIB)
    told: list[tuple[int, int]] = []
    formats.to_raw(tmp_path / f"given.{wanted}", found, tmp_path / "in.raw", lambda *said: told.append(said))
    assert content.read(tmp_path / "in.raw") == content.read(raw)
    assert told[-1] == (8 * MIB, 8 * MIB)
    formats.from_raw(tmp_path / "in.raw", tmp_path / "out", Format(wanted), lambda *_: None)
    back = inspect(tmp_path / "out")
    formats.to_raw(tmp_path / "out", back, tmp_path / "back.raw", lambda *_: None)
    assert content.read(tmp_path / "back.raw") == content.read(raw)


def test_a_raw_disk_is_known_by_its_partition_table(raw: Path) -> None:
    assert inspect(raw) == Found(Format.RAW, 8 * MIB)


def test_two_tebibytes_of_nothing_are_a_disk(tmp_path: Path) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(tmp_path / "large"), "2T"], check=True)
    assert inspect(tmp_path / "large") == Found(Format.QCOW2, 2 << 40)


def test_what_is_no_disk_is_refused(tmp_path: Path) -> None:
    for name, held in (("text", b"hello\n"), ("empty", b""), ("zip", b"PK\x03\x04" + bytes(2000))):
        (tmp_path / name).write_bytes(held)
        with pytest.raises(Refused, match=f"^{name} is not a disk image"):
            inspect(tmp_path / name)
    with pytest.raises(Refused, match="there is no file"):
        inspect(tmp_path / "nothing")
    with pytest.raises(Refused, match="is not a file"):
        inspect(tmp_path)


def test_a_backing_file_is_refused_before_anything_opens_it(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may name any file of this machine."""
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(raw), "-F", "raw", str(tmp_path / "child.qcow2")],
        check=True,
    )
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Refused, match=r"^child\.qcow2 has a backing file"):
        inspect(tmp_path / "child.qcow2")


def test_data_in_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = f"data_file={tmp_path}/data"
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, str(tmp_path / "split.qcow2"), "1M"]
    subprocess.run(words, check=True)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Refused, match=r"^split\.qcow2 keeps its data in another file"):
        inspect(tmp_path / "split.qcow2")


def test_a_vmdk_that_only_names_other_files_is_refused(raw: Path) -> None:
    with pytest.raises(Refused, match="only names the files"):
        inspect(made(raw, "vmdk", "-o", "subformat=monolithicFlat"))


def test_a_descriptor_inside_a_vmdk_that_names_another_file_is_refused(raw: Path) -> None:
    """A sparse VMDK has its descriptor inside. It counts only where the header has no size; it may name any file."""
    vmdk = made(raw, "vmdk")
    held = bytearray(vmdk.read_bytes())
    held[12:20] = bytes(8)
    vmdk.write_bytes(held)
    with pytest.raises(Refused, match="only names the files"):
        inspect(vmdk)


def test_a_truncated_or_broken_header_is_refused(raw: Path, tmp_path: Path) -> None:
    vmdk = made(raw, "vmdk").read_bytes()
    (tmp_path / "short.vmdk").write_bytes(vmdk[:300])
    with pytest.raises(Refused, match=r"^short\.vmdk"):
        inspect(tmp_path / "short.vmdk")
    qcow = bytearray(made(raw, "qcow2").read_bytes())
    qcow[24:32] = struct.pack(">Q", 1 << 62)  # it says it has 4 EiB
    (tmp_path / "huge.qcow2").write_bytes(qcow)
    with pytest.raises(Refused, match=r"^huge\.qcow2"):
        inspect(tmp_path / "huge.qcow2")
    (tmp_path / "cut.qcow2").write_bytes(qcow[:50])
    with pytest.raises(Refused, match=r"^cut\.qcow2"):
        inspect(tmp_path / "cut.qcow2")


def test_a_name_that_looks_like_an_option_or_a_protocol_is_a_file(raw: Path, tmp_path: Path) -> None:
    for name in ("-f", "nbd:unix:x", "json:{}", "mit Leerzeichen ü.qcow2"):
        made(raw, "qcow2").rename(tmp_path / name)
        assert inspect(tmp_path / name).size == 8 * MIB


def test_whoever_is_told_may_end_it(raw: Path, tmp_path: Path) -> None:
    def told(done: int, size: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        formats.to_raw(raw, inspect(raw), tmp_path / "in.raw", told)
