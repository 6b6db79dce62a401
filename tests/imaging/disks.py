"""Disks of the tests' own, as a machine has them: loop devices with partitions and file systems. They need root."""

import ctypes
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1 << 20
FILE_SYSTEMS = (
    *(("ext4", 512), ("xfs", 4096), ("btrfs", 512), ("ntfs", 4096)),
    *(
        pytest.param(*each, marks=pytest.mark.long)
        for each in (("ext4", 4096), ("xfs", 512), ("btrfs", 4096), ("ntfs", 512))
    ),
)
"""Each with the size of its disk's sectors."""
MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
    "ntfs": ("mkfs.ntfs", "-q", "-Q", "-F"),
    "swap": ("mkswap",),
}
CHECK = {
    "ext4": ("e2fsck", "-f", "-n"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--check-data-csum"),
    "ntfs": ("ntfsfix", "--no-action"),
}


def run(*words: str, given: str = "") -> str:
    """Raises ``CalledProcessError``."""
    ran = subprocess.run(words, input=given, capture_output=True, text=True)
    if ran.returncode:
        raise AssertionError(f"{' '.join(words)}: {ran.stdout}{ran.stderr}")
    return ran.stdout


@contextmanager
def loop(file: Path, *, sector: int = 512, read_only: bool = False) -> Iterator[str]:
    """The device of this file. Skips the test where nobody may make one."""
    options = ("--sector-size", str(sector), *(("--read-only",) if read_only else ()))
    made = subprocess.run(("losetup", "--find", "--show", *options, str(file)), capture_output=True, text=True)
    if made.returncode:
        pytest.skip("a loop device needs root")
    device = made.stdout.strip()
    try:
        yield device
    finally:
        run("losetup", "--detach", device)


def blank(file: Path, size: int, filled: bytes = b"") -> Path:
    """A disk of so many bytes that holds what somebody before has written: this, again and again."""
    file.touch()
    os.truncate(file, size)
    if filled:
        with file.open("r+b") as held:
            for at in range(0, size, MIB):
                held.seek(at)
                held.write((filled * MIB)[: min(MIB, size - at)])
    return file


def partitioned(device: str, label: str, *sizes: str) -> None:
    """Partitions of these sizes, as ``sfdisk`` has them."""
    run("sfdisk", "--quiet", "--wipe", "always", device, given=f"label: {label}\n" + "".join(f",{s}\n" for s in sizes))


@contextmanager
def partition(device: str, number: int) -> Iterator[str]:
    """The device of a partition: a kernel may know no partitions."""
    table = json.loads(run("sfdisk", "--json", device))["partitiontable"]
    part, sector = table["partitions"][number - 1], table["sectorsize"]
    place = ("--offset", str(part["start"] * sector), "--sizelimit", str(part["size"] * sector))
    made = run("losetup", "--find", "--show", "--sector-size", str(sector), *place, device).strip()
    try:
        yield made
    finally:
        run("losetup", "--detach", made)


@contextmanager
def mounts_of_our_own() -> Iterator[None]:
    """What is mounted meanwhile nobody else sees. Else whoever begins a mount namespace at that moment, as each machine
    of a lab does, keeps our file systems mounted after we have unmounted them. Nothing happens without root."""
    libc, new = ctypes.CDLL(None, use_errno=True), 0x20000  # CLONE_NEWNS
    here = Path.cwd()
    with Path("/proc/thread-self/ns/mnt").open("rb") as before:
        if libc.unshare(new):
            yield
            return
        run("mount", "--make-rprivate", "/")
        try:
            yield
        finally:
            assert libc.setns(before.fileno(), new) == 0, os.strerror(ctypes.get_errno())
            os.chdir(here)  # setns(2) leads to the root


@contextmanager
def mounted(device: str, holds: str, folder: Path) -> Iterator[Path]:
    """Where the file system is to be seen."""
    folder.mkdir(exist_ok=True)
    words = ("ntfs-3g",) if holds == "ntfs" else ("mount", "-t", holds)
    run(*words, device, str(folder))
    try:
        yield folder
    finally:
        run("umount", str(folder))


def fill(folder: Path, files: int = 60) -> None:
    """Files of all sizes, and holes where some were deleted."""
    for number in range(files):
        size = 100 if number % 3 else number * 17_000
        (folder / f"file-{number}").write_bytes(os.urandom(size))
        os.sync()
    for number in range(0, files, 4):
        (folder / f"file-{number}").unlink()


def manifest(folder: Path) -> dict[str, str]:
    """All files with their hashes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check(device: str, holds: str) -> None:
    """Its own tool finds nothing wrong."""
    run(*CHECK[holds], device)
