"""Free blocks of XFS, from the B+trees of free space by block, one in each allocation group.

By "XFS Algorithms & Data Structures" (kernel.org), chapters on allocation groups and the log. What is in the log and
not yet in the trees would be missed, so it must end with a record of unmounting.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vclab.library.free_space.window import Range, Unclear, Window

_HEADER = 512
_NONE = 0xFFFFFFFF
_SPACE = struct.Struct(">2I")
_SECTOR = 512
_RECORD = 0xFEEDBABE
"""Begins a record of the log."""
_UNMOUNTED = 0x20
"""Flag of an operation in it."""
_KNOWN = 0x1 | 0x2 | 0x4 | 0x8 | 0x20 | 0x40 | 0x80
"""Incompatible features that change nothing here: ftype, sparse inodes, metadata UUID, big time, large counts of
extents, exchange of ranges, parent pointers. Not among them: that it needs a repair."""
_SMALLEST_GROUP = 16 << 20
_LONGEST_LOG = 4 << 30
_HEAD_DESCRIBES, _LARGEST_RECORD = 32 << 10, 256 << 10
"""Bytes that one block of a record's head describes; a larger record has more of them."""
_AT_ONCE = 4 << 20


@dataclass(frozen=True)
class _Super:
    block: int
    blocks: int
    group: int
    groups: int
    sector: int
    log: int  #: byte
    log_size: int
    version: int


def free(window: Window) -> list[Range]:
    """Raises ``Unclear``."""
    found = _super(window.read(0, _HEADER))
    if found.blocks * found.block > window.size:
        raise Unclear("it is larger than its partition")
    _check_log(window, found)
    return [extent for group in range(found.groups) for extent in _group(window, found, group)]


def _super(held: bytes) -> _Super:
    block, blocks, realtime = struct.unpack_from(">IQQ", held, 4)
    (log_block,) = struct.unpack_from(">Q", held, 48)
    group, groups, _, log_blocks, version, sector = struct.unpack_from(">4I2H", held, 84)
    group_bits, in_progress = held[124], held[126]
    (incompatible,) = struct.unpack_from(">I", held, 216)
    version &= 15
    if not held.startswith(b"XFSB") or version not in (4, 5) or in_progress:
        raise Unclear("it is of a version that is not known")
    if version == 5 and incompatible & ~_KNOWN:
        raise Unclear("it has features that are not known, or needs a repair")
    if realtime or not log_block:
        raise Unclear("a part of it is on another device")
    if block not in (1 << n for n in range(9, 17)) or sector not in (1 << n for n in range(9, 16)) or group_bits > 31:
        raise Unclear("it has sizes that can't be")
    if not _SMALLEST_GROUP // block <= group <= 1 << group_bits or groups != -(-blocks // group):
        raise Unclear("it has sizes that can't be")
    at = (log_block >> group_bits) * group + (log_block & ((1 << group_bits) - 1))
    return _Super(block, blocks, group, groups, sector, at * block, log_blocks * block, version)


# --- free space -----------------------------------------------------------------------------------------------------


def _group(window: Window, whole: _Super, number: int) -> Iterator[Range]:
    begin = number * whole.group * whole.block
    held = window.read(begin + whole.sector, _HEADER)
    _, sequence, length, root = struct.unpack_from(">4I", held, 4)
    (levels,) = struct.unpack_from(">I", held, 28)
    (total,) = struct.unpack_from(">I", held, 52)
    expected = min(whole.group, whole.blocks - number * whole.group)
    if not held.startswith(b"XAGF") or (sequence, length) != (number, expected) or not 0 < levels <= 9:
        raise Unclear(f"the header of its group {number} is not as it should be")
    counted, before = 0, 0
    for first, count in _spaces(window, whole, begin, root, levels):
        if first < before or not count or first + count > length:
            raise Unclear(f"the free space of its group {number} is not as it should be")
        counted, before = counted + count, first + count
        yield begin + first * whole.block, begin + (first + count) * whole.block
    if counted != total:
        raise Unclear(f"the free blocks of its group {number} are not as many as it says")


def _spaces(window: Window, whole: _Super, begin: int, block: int, levels: int) -> Iterator[tuple[int, int]]:
    """First block and number of blocks, in order: the leaves from left to right."""
    head = 56 if whole.version == 5 else 16
    for level in range(levels - 1, 0, -1):
        held, _ = _node(window, whole, begin, block, level)
        (block,) = struct.unpack_from(">I", held, head + (whole.block - head) // 12 * 8)
    is_first = True
    while block != _NONE:
        held, count = _node(window, whole, begin, block, 0)
        if count > (whole.block - head) // 8 or not (count or is_first):  # so a ring of leaves is not endless
            raise Unclear("its free space is not as it should be")
        yield from (_SPACE.unpack_from(held, head + 8 * n) for n in range(count))
        (block,) = struct.unpack_from(">I", held, 12)
        is_first = False


def _node(window: Window, whole: _Super, begin: int, block: int, level: int) -> tuple[bytes, int]:
    """A block of a tree, and how many records it has."""
    if block >= whole.group:
        raise Unclear("its free space is not as it should be")
    held = window.read(begin + block * whole.block, whole.block)
    magic, found, count = struct.unpack_from(">4s2H", held)
    if magic != (b"AB3B" if whole.version == 5 else b"ABTB") or found != level:
        raise Unclear("its free space is not as it should be")
    return held, count


# --- the log --------------------------------------------------------------------------------------------------------


def _check_log(window: Window, whole: _Super) -> None:
    """Its newest record says that it was unmounted, and nothing follows. Raises ``Unclear`` when not."""
    if not 0 < whole.log_size <= _LONGEST_LOG or whole.log_size % _SECTOR:
        raise Unclear("its log has a size that can't be")
    newest, cycle, latest = -1, 0, 0
    for number, found, is_record in _log_blocks(window, whole):
        latest = max(latest, found)
        if is_record and found >= cycle:
            newest, cycle = number, found
    if newest < 0 or latest != cycle:
        raise Unclear("its log does not end as it should")
    header = _log_block(window, whole, newest)
    (version, length), (operations,) = _SPACE.unpack_from(header, 8), struct.unpack_from(">I", header, 40)
    (size,) = struct.unpack_from(">I", header, 320)
    heads = -(-size // _HEAD_DESCRIBES) if version & 2 and _HEAD_DESCRIBES < size <= _LARGEST_RECORD else 1
    if operations != 1 or not _log_block(window, whole, newest + heads)[9] & _UNMOUNTED:
        raise Unclear("it was not unmounted cleanly")
    behind = newest + heads + -(-length // _SECTOR)
    if behind * _SECTOR < whole.log_size and _cycle(_log_block(window, whole, behind))[0] == cycle:
        raise Unclear("it was not unmounted cleanly")


def _log_block(window: Window, whole: _Super, number: int) -> bytes:
    """The log is a ring."""
    return window.read(whole.log + number * _SECTOR % whole.log_size, _SECTOR)


def _cycle(held: bytes, offset: int = 0) -> tuple[int, bool]:
    """The cycle in which a block was written, and whether a record begins there."""
    first, second = _SPACE.unpack_from(held, offset)
    return (second, True) if first == _RECORD else (first, False)


def _log_blocks(window: Window, whole: _Super) -> Iterator[tuple[int, int, bool]]:
    """Number and cycle of each block, and whether a record begins there."""
    for at in range(0, whole.log_size, _AT_ONCE):
        held = window.read(whole.log + at, min(_AT_ONCE, whole.log_size - at))
        for offset in range(0, len(held), _SECTOR):
            yield (at + offset) // _SECTOR, *_cycle(held, offset)
