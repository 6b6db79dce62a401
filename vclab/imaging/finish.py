"""Fits what was written to its disk: GPT's second copy at the disk's end, the last partition and its file system grown.

    finish DISK

It runs on the node that was imaged (``on_node.py``), after its disk was read back: it changes what the block map
describes. It needs util-linux, mount, fdisk, e2fsprogs, xfsprogs, btrfs-progs and a kernel with loop devices. It has no
leash: what it has begun it ends. Each act is harmless when it is repeated. It says one line:

    {"event": "done", "moved": true, "grown": 2, "text": "..."}
    {"event": "error", "code": "failing", "text": "..."}

``moved``: GPT's copy was; ``grown``: the number of the partition that has all room now, 0: none.
"""

import contextlib
import json
import struct
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vclab.imaging.on_node import Trouble, attempt, carry_out, last_line, run

WORTH_IT = 1 << 20
"""Fewer free bytes behind a partition are left."""
_EXTENDED = {"5", "f", "85"}
_WHY_NOT = {
    "swap": "it is swap, so what lies before it can't grow",
    "LVM2_member": "it belongs to LVM: grow it with pvresize and lvextend in the system",
    "crypto_LUKS": "it is encrypted by LUKS: only the system can grow it",
    "linux_raid_member": "it belongs to an array: grow it with mdadm in the system",
    "ntfs": "it is NTFS: Windows can extend it",
    "": "what it holds is not known",
}


def finish(disk: str) -> dict[str, Any]:
    """What was done. Raises ``Trouble``."""
    table = _table(disk)
    if table is None:
        return _done(False, 0, "the disk has no partition table, so nothing was grown")
    moved = table["label"] == "gpt" and _move_copy(disk, int(table["sectorsize"]))
    table = _table(disk) or table
    parts = sorted(table.get("partitions", []), key=lambda part: int(part["start"]))
    if not parts:
        return _done(moved, 0, "the disk has no partition")
    last, number = parts[-1], _number(parts[-1]["node"])
    holds = _holds(disk, *_place(last, int(table["sectorsize"])))
    grow = _GROW.get(holds)
    if grow is None:
        why = _WHY_NOT.get(holds, f"it holds {holds}")
        return _done(moved, 0, f"partition {number}, the last one, was not grown: {why}")
    if any(part.get("type", "").lower() in _EXTENDED for part in parts[:-1]) and number > 4:
        return _done(moved, 0, f"partition {number}, the last one, was not grown: it lies in an extended one")
    if _room(disk, table, last) >= WORTH_IT:
        run(
            ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--wipe", "never", "-N", str(number), disk], ",+\n"
        )
        table = _table(disk) or table
        last = next(part for part in table["partitions"] if _number(part["node"]) == number)
    with _device(disk, last, int(table["sectorsize"])) as device:
        grow(device)
    return _done(moved, number, f"partition {number} and its {holds} have all room of the disk")


def _done(moved: bool, grown: int, text: str) -> dict[str, Any]:
    return {"moved": moved, "grown": grown, "text": text}


# --- the table ------------------------------------------------------------------------------------------------------


def _table(disk: str) -> dict[str, Any] | None:
    ran = attempt(["sfdisk", "--json", disk])
    if ran.returncode:
        return None
    table: dict[str, Any] = json.loads(ran.stdout)["partitiontable"]
    return table


def _move_copy(disk: str, sector: int) -> bool:
    """Whether it had to be moved to the end."""
    size = _size(disk)
    with Path(disk).open("rb") as held:
        held.seek(sector)
        (at,) = struct.unpack_from("<Q", held.read(sector), 32)
    if at == size // sector - 1:
        return False
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "--relocate", "gpt-bak-std", disk])
    return True


def _room(disk: str, table: dict[str, Any], last: dict[str, Any]) -> int:
    """Bytes behind the last partition."""
    sector = int(table["sectorsize"])
    end = (int(table["lastlba"]) + 1) * sector if table.get("label") == "gpt" else _size(disk)
    return end - (int(last["start"]) + int(last["size"])) * sector


def _size(disk: str) -> int:
    with Path(disk).open("rb") as held:
        return held.seek(0, 2)


def _number(node: str) -> int:
    return int(node[len(node.rstrip("0123456789")) :])


def _place(part: dict[str, Any], sector: int) -> tuple[int, int]:
    """First byte, and number of bytes."""
    return int(part["start"]) * sector, int(part["size"]) * sector


def _holds(disk: str, at: int, size: int) -> str:
    place = ["--offset", str(at), "--size", str(size)]
    ran = attempt(["blkid", "--probe", "--output", "value", "--match-tag", "TYPE", *place, disk])
    return ran.stdout.strip() if ran.returncode == 0 else ""


@contextlib.contextmanager
def _device(disk: str, part: dict[str, Any], sector: int) -> Iterator[str]:
    """A device of the partition, whatever partitions the kernel still believes in."""
    at, size = _place(part, sector)
    place = ["--offset", str(at), "--sizelimit", str(size), "--sector-size", str(sector)]
    device = run(["losetup", "--find", "--show", *place, disk]).strip()
    try:
        yield device
    finally:
        run(["losetup", "--detach", device])


# --- file systems ---------------------------------------------------------------------------------------------------


def _grow_ext(device: str) -> None:
    checked = attempt(["e2fsck", "-f", "-p", device])
    if checked.returncode > 1:  # 1: it has put something right
        raise Trouble("failing", f"e2fsck refuses {device}: {last_line(checked.stdout)}")
    run(["resize2fs", device])


def _grow_xfs(device: str) -> None:
    _mounted(device, ["-t", "xfs", "-o", "nouuid"], ["xfs_growfs"])


def _grow_btrfs(device: str) -> None:
    _mounted(device, ["-t", "btrfs"], ["btrfs", "filesystem", "resize", "max"])


def _mounted(device: str, options: Sequence[str], words: Sequence[str]) -> None:
    """A program that takes the folder where a file system is mounted."""
    with tempfile.TemporaryDirectory() as folder:
        run(["mount", *options, device, folder])
        try:
            run([*words, folder])
        finally:
            run(["umount", folder])


_GROW = {**dict.fromkeys(("ext2", "ext3", "ext4"), _grow_ext), "xfs": _grow_xfs, "btrfs": _grow_btrfs}


def main(words: Sequence[str]) -> int:
    """As its words say."""
    return carry_out(lambda: finish(words[0]))
