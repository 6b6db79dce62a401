"""Names of files in FAT file systems that other people's tools have made."""

import os
import random
import struct
from pathlib import Path

import pytest

from tests.imaging.disks import MIB, blank, run
from vclab.imaging import fat
from vclab.imaging.fat import NoFat, files

NAMES = ("EFI/debian/shimx64.efi", "EFI/debian/A rather long name, with ümlauts.cfg", "EFI/BOOT/BOOTX64.EFI", "README")


def made(folder: Path, mib: int, *options: str, begin: int = 0) -> Path:
    """A file system, and what is not of it before it."""
    disk = blank(folder / "fat", begin + mib * MIB)
    run("mkfs.fat", *options, "--offset", str(begin // 512), "--mbr=no", str(disk), str(mib * 1024))
    return disk


def mtools(disk: Path, begin: int, what: str, *words: str) -> None:
    run("env", "LC_ALL=C.UTF-8", "mtools", "-c", what, "-i", f"{disk}@@{begin}", *words)


@pytest.mark.parametrize(
    ("mib", "options"),
    [(2, ("-F", "12")), (20, ("-F", "16")), (60, ("-F", "32", "-s", "1")), (20, ("-F", "16", "-s", "8"))],
)
@pytest.mark.parametrize("begin", [0, MIB])
def test_files_that_another_tool_has_written_are_found(
    tmp_path: Path, mib: int, options: tuple[str, ...], begin: int
) -> None:
    disk = made(tmp_path, mib, *options, begin=begin)
    assert files(str(disk), begin, "EFI") == []
    for name in ("EFI", "EFI/debian", "EFI/BOOT"):
        mtools(disk, begin, "mmd", f"::/{name}")
    (tmp_path / "empty").touch()
    for name in (*NAMES, *(f"EFI/debian/one of many files {number}" for number in range(60))):
        mtools(disk, begin, "mcopy", str(tmp_path / "empty"), f"::/{name}")
    mtools(disk, begin, "mdel", "::/EFI/debian/one of many files 7")
    found = files(str(disk), begin, "efi")
    assert set(found) == {
        *(f"/{name}" for name in NAMES if name.startswith("EFI")),
        *(f"/EFI/debian/one of many files {number}" for number in range(60) if number != 7),
    }


def test_a_fat32_with_few_clusters_is_read_as_firmware_does(tmp_path: Path) -> None:
    """On a disk of 4096-byte sectors a small EFI system partition is one."""
    disk = made(tmp_path, 34, "-F", "32", "-S", "4096")
    with disk.open("r+b") as file:
        found = fat._opened(file.fileno(), 0)
        assert found.bits == 32 and found.clusters < 65525
        for cluster, name, attribute, below in (
            (2, b"EFI        ", 0x10, 3),
            (3, b"BOOT       ", 0x10, 4),
            (4, b"BOOTX64 EFI", 0x20, 5),
        ):
            entry = name + bytes([attribute]) + bytes(8) + struct.pack("<H4xHI", 0, below, 1)
            os.pwrite(file.fileno(), entry, found.data + (cluster - 2) * found.cluster)
            os.pwrite(file.fileno(), struct.pack("<I", 0x0FFFFFFF), found.table + 4 * cluster)
    assert files(str(disk), 0, "EFI") == ["/EFI/BOOT/BOOTX64.EFI"]


@pytest.mark.parametrize("held", [b"", bytes(4096), b"\xff" * 4096, bytes(510) + b"\x55\xaa", b"NTFS" * 1024])
def test_what_is_no_fat_is_told(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "disk").write_bytes(held)
    with pytest.raises(NoFat):
        files(str(tmp_path / "disk"), 0, "EFI")


def test_damage_ends_soon_whatever_it_is(tmp_path: Path) -> None:
    disk = made(tmp_path, 2, "-F", "12")
    for name in ("EFI", "EFI/debian"):
        mtools(disk, 0, "mmd", f"::/{name}")
    whole, bits = disk.read_bytes(), random.Random(7)
    used = max(at for at, byte in enumerate(whole) if byte) + 1
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(bits.randrange(1, 40)):
            damaged[bits.randrange(used)] = bits.randrange(256)
        damaged[510:512] = b"\x55\xaa"
        disk.write_bytes(damaged)
        try:
            assert len(files(str(disk), 0, "EFI")) <= fat.MOST
        except NoFat as why:
            assert str(why)
