"""A streamOptimized VMDK, read as it comes: its content is hashed, and not kept.

Grains come in the order of the disk, each compressed and after its sector's number; what lies between them, tables and
a footer, is not needed (VMware's "Virtual Disk Format 5.0"). What is sent is a claim: nothing is taken into memory that
is larger than a grain.
"""

import hashlib
import io
import struct
import zlib
from dataclasses import dataclass

from vclab.library.content import CHUNK, Told, nobody
from vclab.library.formats import LARGEST
from vclab.model.errors import StepFailed
from vclab.model.revisions import Content

SECTOR = 512
ROUNDED = 1 << 20
"""Fewer bytes than these a storage may have added to a disk."""
_HEADER = struct.Struct("<4s2I4QI3QB4sH")
_MARKER = struct.Struct("<Q2I")
_AT = 12
"""Bytes of a marker before a grain."""
_DEFLATE, _END = 1, 0
_LARGEST_GRAIN = 16 << 20
_ZEROS = bytes(CHUNK)
_AT_BYTE = struct.Struct("<2Q")


@dataclass(frozen=True)
class Sketch:
    """A hash of what is not zeros, each piece after its place. Two disks of one size with one sketch have the same
    bytes; it takes as long as the disk holds, and not as long as it is."""

    sha256: str
    size: int


def read(stream: io.BufferedReader, size: int = 0, told: Told = nobody) -> Content:
    """What the disk holds. ``size``: the bytes that it should have, if they are known: one that a storage has rounded
    up is taken as that long. Raises ``StepFailed`` when it can't be read, and what ``stream`` and ``told`` raise."""
    return _through(stream, size, told).content()


def read_sketched(stream: io.BufferedReader, size: int = 0, told: Told = nobody) -> tuple[Content, Sketch]:
    """As ``read``, and the sketch of it."""
    disk = _through(stream, size, told)
    return disk.content(), disk.sketch()


def sketch(stream: io.BufferedReader, told: Told = nobody) -> Sketch:
    """Only that. Raises as ``read``."""
    return _through(stream, 0, told, whole=False).sketch()


def _through(stream: io.BufferedReader, size: int, told: Told, whole: bool = True) -> "_Disk":
    capacity, grain, before = _header(_exactly(stream, SECTOR))
    disk = _Disk(size if size and 0 <= capacity - size < ROUNDED else capacity, told, whole)
    _skip(stream, before - SECTOR)
    while sector := stream.read(SECTOR):
        number, length, kind = _MARKER.unpack_from(sector.ljust(SECTOR, b"\0"))
        if length:
            if number * SECTOR >= capacity:
                raise StepFailed("it is no VMDK that can be read: a piece lies behind the disk's end")
            disk.add(number * SECTOR, _grain(stream, sector, length, grain))
        elif kind == _END:
            break
        else:
            _skip(stream, number * SECTOR)
    disk.end()
    return disk


class _Disk:
    """The disk so far. Not as a ``whole``: only its sketch is made."""

    def __init__(self, size: int, told: Told, whole: bool) -> None:
        self._size, self._told, self._whole = size, told, whole
        self._digest, self._sketch, self._at = hashlib.sha256(), hashlib.sha256(), 0

    def add(self, offset: int, held: bytes) -> None:
        """What it holds there; zeros before it."""
        if offset < self._at:
            raise StepFailed("it is no VMDK that can be read as it comes: its pieces are not in the disk's order")
        self._zeros_until(min(offset, self._size))
        held = held[: self._size - self._at]
        if held.count(0) != len(held):
            self._sketch.update(_AT_BYTE.pack(offset, len(held)) + held)
        if self._whole:
            self._digest.update(held)
        self._at += len(held)
        self._told(self._at, self._size)

    def end(self) -> None:
        """The rest is zeros."""
        self._zeros_until(self._size)

    def content(self) -> Content:
        """All of it."""
        return Content(self._digest.hexdigest(), self._size)

    def sketch(self) -> Sketch:
        """What is not zeros."""
        return Sketch(self._sketch.hexdigest(), self._size)

    def _zeros_until(self, offset: int) -> None:
        if not self._whole:
            self._at = max(self._at, offset)
        while self._at < offset:
            length = min(CHUNK, offset - self._at)
            self._digest.update(memoryview(_ZEROS)[:length])
            self._at += length
            self._told(self._at, self._size)


def _header(sector: bytes) -> tuple[int, int, int]:
    """Bytes of the disk, of a grain, and of what precedes the first one."""
    magic, _, _, capacity, grain, _, _, _, _, _, before, _, _, packed = _HEADER.unpack_from(sector)
    sizes = capacity * SECTOR, grain * SECTOR, before * SECTOR
    if magic != b"KDMV" or packed != _DEFLATE:
        raise StepFailed("it is no VMDK as a stream")
    if not 0 < sizes[0] <= LARGEST or not 0 < sizes[1] <= _LARGEST_GRAIN or sizes[2] < SECTOR:
        raise StepFailed(f"it is no VMDK that can be read: it says that its disk has {sizes[0]} bytes")
    return sizes


def _grain(stream: io.BufferedReader, sector: bytes, length: int, grain: int) -> bytes:
    if length > 2 * grain:
        raise StepFailed("it is no VMDK that can be read: a piece is too long")
    rest = max(0, -(-(_AT + length) // SECTOR) - 1) * SECTOR
    packed = (sector + _exactly(stream, rest))[_AT : _AT + length]
    unpacker = zlib.decompressobj()
    try:
        held = unpacker.decompress(packed, grain + 1)
    except zlib.error as error:
        raise StepFailed(f"it is no VMDK that can be read: {error}") from None
    if len(held) > grain or not unpacker.eof:
        raise StepFailed("it is no VMDK that can be read: a piece is not as long as it should be")
    return held


def _exactly(stream: io.BufferedReader, size: int) -> bytes:
    if len(held := stream.read(size)) < size:
        raise StepFailed("it is no VMDK that can be read: it is cut off")
    return held


def _skip(stream: io.BufferedReader, size: int) -> None:
    while size > 0:
        size -= len(_exactly(stream, min(CHUNK, size)))
