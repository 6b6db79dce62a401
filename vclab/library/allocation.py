"""Which bytes of a raw disk, a file or a device, are free: nothing reads them before it has written them.

Only what a known file system itself says is free counts. Everything else is needed: partition tables, what lies
between partitions, LVM, LUKS, md, swap, and each file system that is not known, was not unmounted cleanly, or
contradicts itself. But for ext4 the readers are our own: the tools of the others take no offset, and a worker may have
no loop devices. Tests let these tools check a disk whose free bytes were overwritten.
"""

import os
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vclab.library import partitions
from vclab.library.free_space import btrfs, ext, ntfs, xfs
from vclab.library.free_space.window import Range, Unclear, Window
from vclab.library.partitions import Partition
from vclab.model.errors import Unreachable

PATIENCE = 30.0
"""Seconds for a look at a partition's beginning and end."""
_READERS: dict[str, Callable[[Window], list[Range]]] = {
    **dict.fromkeys(("ext2", "ext3", "ext4"), ext.free),
    "xfs": xfs.free,
    "btrfs": btrfs.free,
    "ntfs": ntfs.free,
}


@dataclass(frozen=True)
class Use:
    """What a partition holds, as ``blkid`` calls it (empty: not known), and why all of it is needed (empty: it is
    not)."""

    number: int
    begin: int
    end: int
    holds: str
    whole: str = ""


@dataclass(frozen=True)
class Allocation:
    """``free``: in order, apart from each other. ``sector``: bytes, by which the table counts; 0: not known."""

    sector: int = 0
    partitions: tuple[Use, ...] = ()
    free: tuple[Range, ...] = ()


def find(raw: Path) -> Allocation:
    """Raises ``Unreachable`` when ``sfdisk`` or ``blkid`` (Debian: fdisk, util-linux) is not there, and ``OSError``."""
    table = partitions.read(raw)
    uses, free, at = list[Use](), list[Range](), 0
    with raw.open("rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)  # a device has none that ``stat`` tells
        for part in sorted(table.partitions, key=lambda part: part.begin):
            if not at <= part.begin < part.end <= size:  # what two partitions share may be free in one only
                return Allocation(table.sector)
            use, found = _look(Window(raw, file.fileno(), part.begin, part.end - part.begin), part)
            uses.append(use)
            free += found
            at = part.end
    return Allocation(table.sector, tuple(uses), tuple(free))


def _look(window: Window, part: Partition) -> tuple[Use, list[Range]]:
    holds = _holds(window)
    try:
        if holds not in _READERS:
            raise Unclear("its free space can't be told")
        found = _joined(_READERS[holds](window), window.size)
    except Unclear as why:
        return Use(part.number, part.begin, part.end, holds, str(why)), []
    except (struct.error, IndexError, ValueError, OverflowError):
        return Use(part.number, part.begin, part.end, holds, "it is not as it should be"), []
    free = [(window.begin + begin, window.begin + end) for begin, end in found]
    return Use(part.number, part.begin, part.end, holds), free


def _joined(found: list[Range], size: int) -> list[Range]:
    """In order. Raises ``Unclear`` when two overlap, or one is not in the partition."""
    joined = list[Range]()
    for begin, end in sorted(found):
        at = joined[-1][1] if joined else 0
        if not at <= begin < end <= size:
            raise Unclear("its free space is not as it should be")
        if joined and begin == at:
            begin, _ = joined.pop()
        joined.append((begin, end))
    return joined


def _holds(window: Window) -> str:
    """What ``blkid`` finds there; empty: nothing, or two things at once."""
    place = ("--offset", str(window.begin), "--size", str(window.size))
    words = ("blkid", "--probe", "--output", "value", "--match-tag", "TYPE", *place, str(window.path.resolve()))
    try:
        ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    except FileNotFoundError:
        raise Unreachable("blkid is missing", "install it: apt-get install util-linux") from None
    except subprocess.TimeoutExpired:
        return ""
    return ran.stdout.decode("ascii", "replace").strip()[:40] if ran.returncode == 0 else ""
