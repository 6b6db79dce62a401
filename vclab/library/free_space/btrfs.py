"""Free space of btrfs on one device: what no extent lies on, by the extent tree and the chunks' places on the disk.

By the on-disk format in the documentation of btrfs (btrfs.readthedocs.io) and ``ctree.h``. It is never written in
place, so what the superblock names is whole also after a power cut, but for a log tree.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from vclab.library.free_space.window import Range, Unclear, Window, between

_SUPER, _SUPER_SIZE = 64 << 10, 4096
_MIRRORS = (64 << 10, 64 << 20, 256 << 30)
"""Bytes at which the superblock and its mirrors lie."""
_RESERVED = 1 << 20
"""Bytes at its beginning that it leaves to boot loaders."""
_KNOWN = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x200
"""Incompatible features that change nothing here. Not among them: several devices' profiles, another metadata UUID,
zones, a second kind of extent tree."""
_DUPLICATED, _PROFILES = 0x20, 0x7F8
_SEEDING = 1 << 32
_EXTENT_TREE = 2
_ROOT_ITEM, _EXTENT_ITEM, _METADATA_ITEM, _CHUNK_ITEM = 132, 168, 169, 228
_KEY = struct.Struct("<QBQ")
_HEAD = 101
_ITEM, _POINTER = struct.Struct("<QBQ2I"), struct.Struct("<QBQ2Q")
_CHUNK, _STRIPE = struct.Struct("<4Q3I2H"), struct.Struct("<2Q16s")
_DEEPEST = 8
_MOST_CHUNKS = 1 << 20

_Item = tuple[int, int, int, bytes]
"""Key (object, type, offset) and value."""


@dataclass(frozen=True)
class _Super:
    identity: bytes
    root: int
    chunk_root: int
    size: int
    used: int
    device: int
    node: int
    root_level: int
    chunk_level: int
    generation: int
    chunk_generation: int
    chunks: bytes


@dataclass(frozen=True)
class _Chunk:
    begin: int  #: logical byte
    size: int
    places: tuple[int, ...]  #: bytes of the device


def free(window: Window) -> list[Range]:
    """Raises ``Unclear``."""
    whole = _super(window.read(_SUPER, _SUPER_SIZE))
    if whole.size > window.size:
        raise Unclear("it is larger than its partition")
    disk = _Disk(window, whole)
    used, counted = [(at, at + _SUPER_SIZE) for at in _MIRRORS], 0
    for logical, length in disk.extents():
        counted += length
        used += disk.places(logical, length)
    if counted != whole.used:
        raise Unclear("its used bytes are not as many as it says")
    return between(used, _RESERVED, whole.size)


def _super(held: bytes) -> _Super:
    at, flags, magic, generation, root, chunk_root, log_root = struct.unpack_from("<2Q8s4Q", held, 48)
    size, used, _, devices = struct.unpack_from("<4Q", held, 112)
    _, node, _, _, length, chunk_generation = struct.unpack_from("<5IQ", held, 144)
    (incompatible,) = struct.unpack_from("<Q", held, 188)
    if magic != b"_BHRfS_M" or at != _SUPER or node not in (1 << n for n in range(12, 17)) or length > 2048:
        raise Unclear("its superblock is not as it should be")
    if devices != 1 or incompatible & ~_KNOWN or flags & _SEEDING:
        raise Unclear("it has features that are not known, or lies on several devices")
    if log_root:
        raise Unclear("it was not unmounted cleanly")
    (device,) = struct.unpack_from("<Q", held, 201)
    levels, generations = (held[198], held[199]), (generation, chunk_generation)
    chunks = held[811 : 811 + length]
    return _Super(held[32:48], root, chunk_root, size, used, device, node, *levels, *generations, chunks)


class _Disk:
    """It begins with the chunks that the superblock names, in which the tree of all chunks lies."""

    def __init__(self, window: Window, whole: _Super) -> None:
        self._window, self._whole, self._visited = window, whole, 0
        self._know(list(_first_chunks(whole)))
        found = self._items(whole.chunk_root, whole.chunk_level, whole.chunk_generation)
        chunks = [_chunk(whole, offset, value) for _, kind, offset, value in found if kind == _CHUNK_ITEM]
        if len(chunks) > _MOST_CHUNKS:
            raise Unclear("it has more chunks than can be")
        self._know(chunks)

    def extents(self) -> Iterator[tuple[int, int]]:
        """Logical byte and length of each."""
        root, level, generation = self._extent_root()
        for begin, kind, offset, _ in self._items(root, level, generation):
            if kind == _EXTENT_ITEM:
                yield begin, offset
            elif kind == _METADATA_ITEM:
                yield begin, self._whole.node

    def places(self, logical: int, length: int) -> list[Range]:
        """Where on the device these bytes are."""
        chunk = self._chunk_of(logical)
        if logical + length > chunk.begin + chunk.size:
            raise Unclear("an extent lies in two chunks")
        begins = [place + logical - chunk.begin for place in chunk.places]
        return [(begin, begin + length) for begin in begins]

    def _know(self, chunks: list[_Chunk]) -> None:
        self._chunks = sorted(chunks, key=lambda chunk: chunk.begin)
        self._begins = [chunk.begin for chunk in self._chunks]

    def _chunk_of(self, logical: int) -> _Chunk:
        at = bisect_right(self._begins, logical) - 1
        if at < 0 or logical >= self._chunks[at].begin + self._chunks[at].size:
            raise Unclear("it names bytes that no chunk holds")
        return self._chunks[at]

    def _extent_root(self) -> tuple[int, int, int]:
        whole = self._whole
        for found, kind, _, value in self._items(whole.root, whole.root_level, whole.generation):
            if found == _EXTENT_TREE and kind == _ROOT_ITEM and len(value) >= 239:
                generation, _, root = struct.unpack_from("<3Q", value, 160)
                return root, value[238], generation
        raise Unclear("it has no extent tree")

    def _items(self, logical: int, level: int, generation: int) -> Iterator[_Item]:
        """All of a tree, in order."""
        held, count = self._node(logical, level, generation)
        for n in range(count):
            if level:
                *_, child, of = _POINTER.unpack_from(held, _HEAD + n * _POINTER.size)
                yield from self._items(child, level - 1, of)
            else:
                found, kind, offset, at, size = _ITEM.unpack_from(held, _HEAD + n * _ITEM.size)
                if _HEAD + at + size > len(held):
                    raise Unclear("one of its trees is not as it should be")
                yield found, kind, offset, held[_HEAD + at : _HEAD + at + size]

    def _node(self, logical: int, level: int, generation: int) -> tuple[bytes, int]:
        self._visited += 1
        if self._visited > self._whole.size // self._whole.node:  # a hostile tree may lead back to itself
            raise Unclear("it has more nodes than can be")
        begin, _ = self.places(logical, self._whole.node)[0]
        held = self._window.read(begin, self._whole.node)
        (at,), (of, _, count) = struct.unpack_from("<Q", held, 48), struct.unpack_from("<2QI", held, 80)
        each = _POINTER.size if level else _ITEM.size
        if held[32:48] != self._whole.identity or (at, of, held[100]) != (logical, generation, level):
            raise Unclear("one of its trees is not as it should be")
        if level > _DEEPEST or count * each > len(held) - _HEAD:
            raise Unclear("one of its trees is not as it should be")
        return held, count


def _first_chunks(whole: _Super) -> Iterator[_Chunk]:
    at = 0
    while at + _KEY.size + _CHUNK.size <= len(whole.chunks):
        _, kind, offset = _KEY.unpack_from(whole.chunks, at)
        at += _KEY.size
        stripes = _CHUNK.unpack_from(whole.chunks, at)[7]
        size = _CHUNK.size + stripes * _STRIPE.size
        if kind != _CHUNK_ITEM or not stripes:
            raise Unclear("its superblock is not as it should be")
        yield _chunk(whole, offset, whole.chunks[at : at + size])
        at += size


def _chunk(whole: _Super, begin: int, value: bytes) -> _Chunk:
    if len(value) < _CHUNK.size:
        raise Unclear("a chunk is not as it should be")
    size, _, _, kind, _, _, _, count, _ = _CHUNK.unpack_from(value)
    if kind & _PROFILES not in (0, _DUPLICATED) or not size or len(value) < _CHUNK.size + count * _STRIPE.size:
        raise Unclear("it has a chunk of a profile for several devices")
    stripes = [_STRIPE.unpack_from(value, _CHUNK.size + n * _STRIPE.size) for n in range(count)]
    if count != (2 if kind & _DUPLICATED else 1) or any(
        d != whole.device or p + size > whole.size for d, p, _ in stripes
    ):
        raise Unclear("a chunk lies where it can't be")
    return _Chunk(begin, size, tuple(place for _, place, _ in stripes))
