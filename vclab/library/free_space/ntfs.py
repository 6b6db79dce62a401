"""Free clusters of NTFS, from its ``$Bitmap``.

By the documentation of the Linux-NTFS project and the layout that ntfs-3g uses (layout.h, logfile.h). A volume that was
not unmounted cleanly, or sleeps, is not believed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vclab.library.free_space.window import LARGEST_READ, Range, Unclear, Window

_LOG, _VOLUME, _BITMAP = 2, 3, 6
"""Records of the master file table."""
_LIST, _INFORMATION, _DATA, _END = 0x20, 0x70, 0x80, 0xFFFFFFFF
"""Attributes."""
_DIRTY = 0x0001
_CLEAN, _NO_CLIENT = 0x0002, 0xFFFF
_STRIDE = 512
"""Each so many bytes of a record end in two that are checked and put right."""


@dataclass(frozen=True)
class _Volume:
    cluster: int
    clusters: int
    record: int
    table: int  #: byte


def free(window: Window) -> list[Range]:
    """Raises ``Unclear``."""
    volume = _volume(window.read(0, _STRIDE))
    if volume.clusters * volume.cluster > window.size:
        raise Unclear("it is larger than its partition")
    _check_clean(window, volume)
    bitmap = _content(window, volume, _BITMAP)
    if len(bitmap) * 8 < volume.clusters:
        raise Unclear("its bitmap is too short")
    found = list(_zeros(bitmap, volume.clusters))
    _check_own(window, volume, bitmap)
    return [(first * volume.cluster, last * volume.cluster) for first, last in found]


def _volume(boot: bytes) -> _Volume:
    sector, each = struct.unpack_from("<HB", boot, 11)
    sectors, table = struct.unpack_from("<2Q", boot, 40)
    (size,) = struct.unpack_from("<b", boot, 64)
    each = 1 << (256 - each) if each > 0x80 else each
    cluster = sector * each
    record = size * cluster if size > 0 else 1 << -size
    if boot[3:11] != b"NTFS    " or sector not in (512, 1024, 2048, 4096) or not each or each & (each - 1):
        raise Unclear("its boot sector is not as it should be")
    if cluster > 2 << 20 or not 1024 <= record <= 65536 or record & (record - 1) or not sectors:
        raise Unclear("it has sizes that can't be")
    return _Volume(cluster, sectors * sector // cluster, record, table * cluster)


def _check_clean(window: Window, volume: _Volume) -> None:
    """As ntfs-3g does before it mounts. Raises ``Unclear``."""
    _, information = _attribute(_record(window, volume, _VOLUME), _INFORMATION)
    if len(information) < 12 or struct.unpack_from("<H", information, 10)[0] & _DIRTY:
        raise Unclear("it was not unmounted cleanly")
    log = _content(window, volume, _LOG, 8192)
    if set(log) == {0xFF}:  # ntfs-3g and mkntfs leave it so
        return
    states = [_restart(log[at : at + 4096]) for at in (0, 4096)]
    newest = max((state for state in states if state), default=None)
    if newest is None or not newest[1]:
        raise Unclear("its log is not empty: Windows did not shut down, or sleeps (fast start-up)")


def _restart(page: bytes) -> tuple[int, bool] | None:
    """The number of a log's restart page, and whether nothing is to be done; None: it is no page."""
    if not page.startswith(b"RSTR"):
        return None
    (at,) = struct.unpack_from("<H", page, 24)
    if at + 16 > len(page):
        return None
    number, _, _, in_use, flags = struct.unpack_from("<QHHHH", page, at)
    return number, bool(flags & _CLEAN) or in_use == _NO_CLIENT


def _check_own(window: Window, volume: _Volume, bitmap: bytes) -> None:
    """The file table's own clusters are not free, or the bitmap is not what it should be."""
    for number in (0, _BITMAP):
        attribute, _ = _attribute(_record(window, volume, number), _DATA)
        for first, count in _runs(attribute):
            if any(not bitmap[n >> 3] >> (n & 7) & 1 for n in range(first, min(first + count, volume.clusters))):
                raise Unclear("its bitmap does not agree with its file table")


# --- the file table -------------------------------------------------------------------------------------------------


def _record(window: Window, volume: _Volume, number: int) -> bytes:
    """One of the first records, which lie together."""
    held = bytearray(window.read(volume.table + number * volume.record, volume.record))
    at, count = struct.unpack_from("<2H", held, 4)
    if held[:4] != b"FILE" or count != volume.record // _STRIDE + 1 or at + 2 * count > _STRIDE:
        raise Unclear("its file table is not as it should be")
    for n in range(1, count):
        end = n * _STRIDE
        if held[end - 2 : end] != held[at : at + 2]:
            raise Unclear("its file table was not written whole")
        held[end - 2 : end] = held[at + 2 * n : at + 2 * n + 2]
    return bytes(held)


def _attribute(record: bytes, wanted: int) -> tuple[bytes, bytes]:
    """The unnamed attribute of this kind, and its value, if that is in the record."""
    (at,) = struct.unpack_from("<H", record, 20)
    while at + 24 <= len(record):
        kind, length = struct.unpack_from("<2I", record, at)
        if kind == _END or length < 24 or at + length > len(record):
            break
        attribute = record[at : at + length]
        if kind == _LIST:
            raise Unclear("its system files are in many pieces")
        if kind == wanted and not attribute[9]:
            if attribute[8]:
                return attribute, b""
            size, value = struct.unpack_from("<IH", attribute, 16)
            return attribute, attribute[value : value + size]
        at += length
    raise Unclear("its file table is not as it should be")


def _content(window: Window, volume: _Volume, number: int, most: int = LARGEST_READ) -> bytes:
    """What one of the system files holds, at most so many bytes of it."""
    attribute, value = _attribute(_record(window, volume, number), _DATA)
    if not attribute[8]:
        return value[:most]
    (size,) = struct.unpack_from("<Q", attribute, 48)
    wanted, held = min(size, most), bytearray()
    for first, count in _runs(attribute):
        if len(held) >= wanted:
            break
        held += window.read(first * volume.cluster, min(count * volume.cluster, wanted - len(held)))
    if len(held) < wanted:
        raise Unclear("its file table is not as it should be")
    return bytes(held)


def _runs(attribute: bytes) -> Iterator[Range]:
    """First cluster and number of clusters. Raises ``Unclear`` for a hole, and for what can't be."""
    if not attribute[8] or len(attribute) < 64 or attribute[16:24] != bytes(8):
        raise Unclear("its file table is not as it should be")
    at, cluster = struct.unpack_from("<H", attribute, 32)[0], 0
    while at < len(attribute) and attribute[at]:
        lengths, offsets = attribute[at] & 15, attribute[at] >> 4
        middle, end = at + 1 + lengths, at + 1 + lengths + offsets
        count = int.from_bytes(attribute[at + 1 : middle], "little", signed=True)
        cluster += int.from_bytes(attribute[middle:end], "little", signed=True)
        if (
            not lengths
            or not offsets
            or lengths > 8
            or offsets > 8
            or count <= 0
            or cluster < 0
            or end > len(attribute)
        ):
            raise Unclear("its file table is not as it should be")
        yield cluster, count
        at = end


def _zeros(bitmap: bytes, count: int) -> Iterator[Range]:
    """Bits that are not set, of the first ``count``, as [from, to)."""
    at = 0
    while (begin := _next(bitmap, at, count, False)) < count:
        at = _next(bitmap, begin, count, True)
        yield begin, at


def _next(bitmap: bytes, at: int, count: int, is_set: bool) -> int:
    """The first bit from ``at`` on that is, or is not, set; ``count`` when there is none."""
    skipped = 0x00 if is_set else 0xFF
    while at < count:
        byte = bitmap[at >> 3]
        if byte == skipped and not at & 7:
            at = _skip(bitmap, at >> 3, skipped) << 3
        elif bool(byte >> (at & 7) & 1) is is_set:
            return at
        else:
            at += 1
    return count


def _skip(bitmap: bytes, at: int, skipped: int) -> int:
    """The first byte from ``at`` on that is another; 4 KiB are compared at a time."""
    page = bytes([skipped]) * 4096
    while bitmap.startswith(page, at):
        at += len(page)
    while at < len(bitmap) and bitmap[at] == skipped:
        at += 1
    return at
