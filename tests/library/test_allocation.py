"""What is free on a disk, by what its file systems say; and what is never taken for free. Without root: file systems
that can be made in a file. With root: tests/imaging/test_disks.py."""

import os
import random
import shutil
import struct
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.imaging.disks import MIB, blank, manifest, run
from vclab.library import allocation, block_map
from vclab.library.allocation import Allocation
from vclab.library.block_map import BlockMap
from vclab.library.content import CHUNK, PIECE

BEGIN, SIZE = 8 * MIB, 320 * MIB
"""Of the first partition."""


def disk_with(folder: Path, file_system: Path | None, *, size: int = SIZE, label: str = "gpt") -> Path:
    """A disk whose first partition holds these bytes; a small one, of nothing, follows."""
    disk = blank(folder / "disk.raw", BEGIN + size + 16 * MIB)
    parts = f"start={BEGIN // 512}, size={size // 512}\nstart={(BEGIN + size) // 512}, size=4M\n"
    run("sfdisk", "--quiet", str(disk), given=f"label: {label}\n{parts}")
    if file_system:
        words = ("dd", f"if={file_system}", f"of={disk}", "bs=1M", "conv=notrunc,sparse", f"seek={BEGIN // MIB}")
        run(*words, "status=none")
    return disk


def made(folder: Path, holds: str) -> Path:
    """A file system with some files, in a file."""
    files = folder / "files"
    files.mkdir()
    for number in range(40):
        (files / f"file-{number}").write_bytes(os.urandom(number * 9000))
    target = blank(folder / holds, SIZE)
    words = {
        "ext4": ("mkfs.ext4", "-q", "-F", "-d", str(files), str(target)),
        "btrfs": ("mkfs.btrfs", "-q", "--rootdir", str(files), str(target)),
        "xfs": ("mkfs.xfs", "-q", "-f", str(target)),
        "ntfs": ("mkfs.ntfs", "-q", "-Q", "-F", str(target)),
        "swap": ("mkswap", str(target)),
    }
    run(*words[holds])
    return target


CHECKS = {
    "ext4": ("e2fsck", "-f", "-n"),
    "btrfs": ("btrfs", "check", "--check-data-csum"),
    "xfs": ("xfs_repair", "-n", "-f"),
    "ntfs": ("ntfsfix", "--no-action"),
}


@pytest.mark.parametrize(("holds", "label"), [("ext4", "dos"), ("xfs", "gpt"), ("btrfs", "gpt"), ("ntfs", "gpt")])
def test_what_is_free_can_hold_anything(tmp_path: Path, holds: str, label: str) -> None:
    disk = disk_with(tmp_path, made(tmp_path, holds), label=label)
    found = allocation.find(disk)
    assert [(use.holds, use.whole) for use in found.partitions] == [(holds, ""), ("", "its free space can't be told")]
    free = sum(end - begin for begin, end in found.free)
    assert 0.6 * SIZE < free < SIZE and found.sector == 512
    assert all(BEGIN <= begin < end <= BEGIN + SIZE for begin, end in found.free)
    with disk.open("r+b") as file:
        for begin, end in found.free:
            file.seek(begin)
            file.write(b"\xa5" * (end - begin))
    part = tmp_path / "part"
    run("dd", f"if={disk}", f"of={part}", "bs=1M", f"skip={BEGIN // MIB}", f"count={SIZE // MIB}", "status=none")
    run(*CHECKS[holds], str(part))


@settings(deadline=None, max_examples=6)
@given(
    kept=some.lists(some.integers(0, 3 * MIB), max_size=8),
    removed=some.lists(some.integers(0, 3 * MIB), max_size=4),
    block=some.sampled_from([1024, 4096]),
    seed=some.integers(0, 2**32),
)
def test_files_are_the_same_after_only_what_the_map_has_was_written(
    tmp_path_factory: pytest.TempPathFactory, kept: list[int], removed: list[int], block: int, seed: int
) -> None:
    folder, bits = tmp_path_factory.mktemp("files"), random.Random(seed)
    (folder / "files").mkdir()
    for number, length in enumerate(kept + removed):
        (folder / "files" / str(number)).write_bytes(bits.randbytes(length))
    size = 64 * MIB
    file_system = blank(folder / "ext4", size)
    run("mkfs.ext4", "-q", "-F", "-b", str(block), "-d", str(folder / "files"), str(file_system))
    for number in range(len(kept), len(kept) + len(removed)):
        run("debugfs", "-w", "-R", f"rm {number}", str(file_system))
        (folder / "files" / str(number)).unlink()
    disk = disk_with(folder, file_system, size=size)
    made_of_it = block_map.make(disk)
    assert made_of_it.travels <= sum(kept) + 8 * MIB
    written = _written(disk, made_of_it)[BEGIN : BEGIN + size]
    (folder / "written").write_bytes(written)
    run("e2fsck", "-f", "-n", str(folder / "written"))
    (folder / "found").mkdir()
    run("debugfs", "-R", f"rdump / {folder}/found", str(folder / "written"))
    shutil.rmtree(folder / "found" / "lost+found")
    assert manifest(folder / "found") == manifest(folder / "files")


def _written(disk: Path, a_map: BlockMap) -> bytearray:
    """A disk that held something else, after what the map has was written to it."""
    held, number, whole = bytearray(b"\xa5") * a_map.size, 0, disk.read_bytes()
    for run_ in a_map.runs:
        for one in range(number, number + run_.count):
            for mask, source in ((run_.data, whole), (run_.zero, bytes(a_map.size))):
                for first, last in block_map.ranges(mask):
                    at, to = one * CHUNK + first * PIECE, min(one * CHUNK + last * PIECE, a_map.size)
                    held[at:to] = source[at:to]
        number += run_.count
    return held


@pytest.mark.parametrize("holds", list(CHECKS))
def test_a_file_system_that_was_not_unmounted_travels_whole(tmp_path: Path, holds: str) -> None:
    file_system = made(tmp_path, holds)
    {"ext4": _break_ext4, "xfs": _break_xfs, "btrfs": _break_btrfs, "ntfs": _break_ntfs}[holds](file_system)
    _is_whole(disk_with(tmp_path, file_system), holds, "it was not unmounted cleanly")


def _break_ext4(file_system: Path) -> None:
    run("debugfs", "-w", "-R", "feature needs_recovery", str(file_system))


def _break_xfs(file_system: Path) -> None:
    """The newest record of its log is another than that of unmounting."""
    said = run("xfs_db", "-f", "-r", "-c", "sb 0", "-c", "p logstart", str(file_system))
    block = int(said.split(" = ")[1])
    sector = run("xfs_db", "-f", "-r", "-c", f"convert fsb {block} daddr", str(file_system)).split()[1].strip("()")
    _change(file_system, (int(sector) + 1) * 512 + 9, b"\x20", b"\x00")


def _break_btrfs(file_system: Path) -> None:
    """Its superblock names a log."""
    _change(file_system, (64 << 10) + 96, bytes(8), (30 * MIB).to_bytes(8, "little"))


def _break_ntfs(file_system: Path) -> None:
    """Its volume is marked as dirty, in the fourth record of its file table."""
    with file_system.open("rb") as file:
        boot = file.read(512)
        cluster = int.from_bytes(boot[11:13], "little") * boot[13]
        table = int.from_bytes(boot[48:56], "little") * cluster
        file.seek(table + 3 * 1024)
        record = file.read(1024)
    at = int.from_bytes(record[20:22], "little")
    while record[at] != 0x70:
        at += int.from_bytes(record[at + 4 : at + 8], "little")
    flags = at + int.from_bytes(record[at + 20 : at + 22], "little") + 10
    _change(file_system, table + 3 * 1024 + flags, b"\x00", b"\x01")


def _change(file_system: Path, at: int, before: bytes, after: bytes) -> None:
    with file_system.open("r+b") as file:
        file.seek(at)
        assert file.read(len(before)) == before
        file.seek(at)
        file.write(after)


def test_a_volume_that_windows_has_not_closed_travels_whole(tmp_path: Path) -> None:
    file_system = made(tmp_path, "ntfs")
    log = _ntfs_log(file_system)
    _change(file_system, log, b"\xff" * 4096, _restart_page(10, in_use=0, clean=False))
    _change(file_system, log + 4096, b"\xff" * 4096, _restart_page(9, in_use=0, clean=True))
    _is_whole(
        disk_with(tmp_path, file_system),
        "ntfs",
        "its log is not empty: Windows did not shut down, or sleeps (fast start-up)",
    )


def test_a_volume_that_windows_has_closed_does_not(tmp_path: Path) -> None:
    file_system = made(tmp_path, "ntfs")
    log = _ntfs_log(file_system)
    _change(file_system, log, b"\xff" * 4096, _restart_page(10, in_use=0, clean=True))
    assert allocation.find(disk_with(tmp_path, file_system)).partitions[0].whole == ""


def _ntfs_log(file_system: Path) -> int:
    """Where ``$LogFile`` begins: what ``mkfs.ntfs`` fills with 0xff."""
    held = file_system.read_bytes()
    at = held.index(b"\xff" * (1 << 20))
    assert at % 4096 == 0
    return at


def _restart_page(number: int, in_use: int, clean: bool) -> bytes:
    """As layout.h of ntfs-3g has it: the head, and the restart area at 48."""
    head = b"RSTR" + struct.pack("<HHQIIHHHH", 30, 9, 0, 4096, 4096, 48, 0, 1, 1)
    return (head.ljust(48, b"\0") + struct.pack("<QHHHH", number, 1, 0xFFFF, in_use, 2 * clean)).ljust(4096, b"\0")


@pytest.mark.parametrize("holds", ["swap", "crypto_LUKS", ""])
def test_what_is_not_known_travels_whole(tmp_path: Path, holds: str) -> None:
    if holds == "swap":
        file_system = made(tmp_path, holds)
    else:
        file_system = blank(tmp_path / "bytes", SIZE)
        file_system.write_bytes((b"LUKS\xba\xbe\x00\x01" if holds else b"what?").ljust(4096, b"\0"))
    _is_whole(disk_with(tmp_path, file_system), holds, "its free space can't be told")


def test_a_file_system_in_an_array_travels_whole(tmp_path: Path) -> None:
    """A member of a mirror whose mark is at its end looks like the file system itself at its beginning."""
    file_system = made(tmp_path, "ext4")
    with file_system.open("r+b") as file:
        file.seek(SIZE - (64 << 10))
        file.write(_array_mark())
    _is_whole(disk_with(tmp_path, file_system), "linux_raid_member", "its free space can't be told")


def _array_mark() -> bytes:
    """Of version 0.90: at the last 64 KiB."""
    words = [0xA92B4EFC, 0, 90, 0, 0, 1, 0, 1, 0, 2, 2, 0, 0, 2, 3, 4]
    return b"".join(word.to_bytes(4, "little") for word in words).ljust(4096, b"\0")


def _is_whole(disk: Path, holds: str, why: str) -> None:
    found = allocation.find(disk)
    assert (found.partitions[0].holds, found.partitions[0].whole, found.free) == (holds, why, ())


def test_partitions_that_overlap_are_not_looked_at(tmp_path: Path) -> None:
    disk = disk_with(tmp_path, made(tmp_path, "ext4"), label="dos")
    with disk.open("r+b") as file:
        file.seek(446 + 16 + 8)
        file.write((BEGIN // 512 + 2048).to_bytes(4, "little"))  # the second one begins within the first
    assert allocation.find(disk) == Allocation(512)


def test_a_disk_without_a_table_travels_whole(tmp_path: Path) -> None:
    assert allocation.find(blank(tmp_path / "disk", 8 * MIB)) == Allocation()


# What a captured disk holds was written by whoever had root on it.


@pytest.fixture(scope="module", params=list(CHECKS))
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A disk, to be damaged, and what it holds."""
    folder = tmp_path_factory.mktemp("hostile")
    return disk_with(folder, made(folder, request.param)), request.param


@settings(deadline=None, max_examples=25)
@given(seed=some.integers(0, 2**32))
def test_a_damaged_file_system_is_read_or_travels_whole(hostile: tuple[Path, str], seed: int) -> None:
    disk, holds = hostile
    chance, undo = random.Random(seed), list[tuple[int, bytes]]()
    places = {
        "ext4": [(1024, 1024), (4096, 8192)],
        "xfs": [(0, 256), (512, 64), (4096, 4096)],
        "btrfs": [(65536, 4096), (1 << 20, 8 << 20)],
        "ntfs": [(0, 128), (16384, 16384)],
    }
    with disk.open("r+b") as file:
        for _ in range(chance.randint(1, 6)):
            begin, size = chance.choice(places[holds])
            at = BEGIN + begin + chance.randrange(size)
            file.seek(at)
            undo.append((at, file.read(4)))
            file.seek(at)
            file.write(chance.choice([b"\0", b"\xff", chance.randbytes(1)]) * chance.choice([1, 2, 4]))
    try:
        found = allocation.find(disk)
        assert all(BEGIN <= begin < end <= BEGIN + SIZE for begin, end in found.free)
        assert all(first[1] < second[0] for first, second in pairwise(found.free))
    finally:
        with disk.open("r+b") as file:
            for at, held in reversed(undo):
                file.seek(at)
                file.write(held)


def test_dumpe2fs_that_fails_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = disk_with(tmp_path, made(tmp_path, "ext4"))
    real = subprocess.run

    def broken(words: tuple[str, ...], **given: object) -> object:
        ran = real(words, **given)  # type: ignore[call-overload]
        if "dumpe2fs" in words:
            ran.stdout = ran.stdout.replace(b"  Free blocks: ", b"  Free blocks: 7, ", 1)
        return ran

    monkeypatch.setattr(subprocess, "run", broken)
    _is_whole(disk, "ext4", "its free blocks are not as many as it says")
