"""A block map: which bytes of a raw disk must come to another disk, with a hash of each chunk of them.

It lies beside a repository's copy as ``SHA256.map.gz``, named by the content that it describes, and holds no more than
that content and the file systems say. Content is never changed, so a map is made once. A disk is cut in chunks, a chunk
in pieces, and each piece is one of three:

    data    it must be written: its bytes count in the chunk's hash
    zero    it must read as zeros
    free    no file system needs it (vclab/library/allocation.py)

As JSON: ``[count, data, zero, sha256]`` for as many chunks in a row; ``data`` and ``zero`` are masks of the chunk's
pieces in hexadecimal, the first piece the lowest bit; the hash is that of the data pieces, one after the other.
"""

import errno
import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vclab.library import allocation
from vclab.library.allocation import Allocation, Use
from vclab.library.content import CHUNK, PIECE, Told, nobody
from vclab.library.formats import LARGEST
from vclab.library.free_space.window import Range
from vclab.library.partitions import MOST
from vclab.model.revisions import Content

VERSION = 1
LONGEST = 256 << 20
"""Bytes of a map as JSON: enough for a disk with 9 TiB of data."""
PIECES = CHUNK // PIECE
SECTORS = (0, 512, 4096)
_ALL = (1 << PIECES) - 1
_HASH = re.compile(r"[0-9a-f]{64}")
_MASK = re.compile(r"[0-9a-f]{1,16}")
_ZEROS = bytes(PIECE)


class BadMap(Exception):
    """It is no block map, or contradicts itself. Its text says why."""


@dataclass(frozen=True)
class Run:
    """So many equal chunks in a row; one only where there is data."""

    count: int
    data: int  #: mask of pieces
    zero: int  #: mask of pieces
    sha256: str = ""  #: of the data; empty: there is none


@dataclass(frozen=True)
class BlockMap:
    """The map of one content. ``sector``: bytes, by which its partition table counts; 0: not known."""

    sha256: str
    size: int
    sector: int
    partitions: tuple[Use, ...]
    runs: tuple[Run, ...]

    @property
    def content(self) -> Content:
        """What it describes."""
        return Content(self.sha256, self.size)

    @property
    def chunks(self) -> int:
        """How many."""
        return -(-self.size // CHUNK)

    @property
    def travels(self) -> int:
        """Bytes of data."""
        return sum(sum(end - begin for begin, end in extents) for extents in map(self.extents, self.with_data()))

    def with_data(self) -> Iterator[tuple[int, Run]]:
        """The chunks that hold data, with their numbers."""
        number = 0
        for run in self.runs:
            if run.data:
                yield number, run
            number += run.count

    def extents(self, chunk: tuple[int, Run]) -> list[Range]:
        """Where on the disk a chunk's data is, in bytes."""
        number, run = chunk
        return [
            (number * CHUNK + first * PIECE, min(number * CHUNK + last * PIECE, self.size))
            for first, last in ranges(run.data)
        ]

    def json(self) -> bytes:
        """For the node, and for the file beside the copy."""
        runs = [[run.count, f"{run.data:x}", f"{run.zero:x}", run.sha256] for run in self.runs]
        said = {
            "version": VERSION,
            "sha256": self.sha256,
            "size": self.size,
            "sector": self.sector,
            "chunk": CHUNK,
            "piece": PIECE,
            "partitions": [asdict(use) for use in self.partitions],
            "runs": runs,
        }
        return json.dumps(said, separators=(",", ":")).encode()

    def packed(self) -> bytes:
        """The file beside the copy."""
        return gzip.compress(self.json(), compresslevel=6, mtime=0)


def file_name(sha256: str) -> str:
    """Of the map beside a copy with this content."""
    return f"{sha256}.map.gz"


def ranges(mask: int) -> Iterator[Range]:
    """The bits that are set, as [from, to)."""
    at = 0
    while mask:
        zeros = (mask & -mask).bit_length() - 1
        mask >>= zeros
        ones = (~mask & (mask + 1)).bit_length() - 1
        yield at + zeros, at + zeros + ones
        at, mask = at + zeros + ones, mask >> ones


# --- making one -----------------------------------------------------------------------------------------------------


def make(raw: Path, told: Told = nobody) -> BlockMap:
    """Read a raw disk, from the disk and not from memory. Raises ``OSError``, and as ``allocation.find``."""
    known, size = allocation.find(raw), raw.stat().st_size
    needed, whole, runs = Needed(known, size), hashlib.sha256(), list[Run]()
    with raw.open("rb", buffering=0) as file, ThreadPoolExecutor(1) as beside:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for at, held, length in _read(file.fileno(), size):
            hashed = beside.submit(whole.update, memoryview(held)[:length])
            _append(runs, run_of(held, length, needed.mask(at)))
            hashed.result()
            told(at + length, size)
    return BlockMap(whole.hexdigest(), size, known.sector, known.partitions, tuple(runs))


def _read(file: int, size: int) -> Iterator[tuple[int, bytearray, int]]:
    """Each chunk: its offset, a buffer, and how much of it. Holes are not read. Raises ``OSError``."""
    buffer, empty, data = bytearray(CHUNK), bytearray(CHUNK), 0
    for at in range(0, size, CHUNK):
        length = min(CHUNK, size - at)
        if data < at + length:
            data = _next_data(file, max(at, data), size)
        if data >= at + length:
            yield at, empty, length
            continue
        done = 0
        while done < length:
            got = os.preadv(file, [memoryview(buffer)[done:length]], at + done)
            if not got:
                raise OSError(errno.EIO, "the file became shorter while it was read")
            done += got
        yield at, buffer, length


def _next_data(file: int, at: int, size: int) -> int:
    try:
        return os.lseek(file, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:  # that says: nothing but a hole follows
            raise
        return size


def run_of(held: bytearray | memoryview, length: int, needed: int) -> Run:
    """A chunk as a run of one: its bytes, how many, and the mask of pieces that are needed."""
    view = memoryview(held)
    data = zero = 0
    for piece in range(-(-length // PIECE)):
        if needed >> piece & 1:
            begin, end = piece * PIECE, min((piece + 1) * PIECE, length)
            if view[begin:end].tobytes() == _ZEROS[: end - begin]:  # views are compared byte by byte
                zero |= 1 << piece
            else:
                data |= 1 << piece
    digest = hashlib.sha256()
    for first, last in ranges(data):
        digest.update(view[first * PIECE : min(last * PIECE, length)])
    return Run(1, data, zero, digest.hexdigest() if data else "")


def _append(runs: list[Run], run: Run) -> None:
    if runs and not run.data and (runs[-1].data, runs[-1].zero) == (0, run.zero):
        run = Run(runs.pop().count + 1, 0, run.zero)
    runs.append(run)


class Needed:
    """The pieces of each chunk that are not free as a whole. Asked for one chunk after the other."""

    def __init__(self, known: Allocation, size: int) -> None:
        self._free, self._at, self._size = known.free, 0, size

    def mask(self, begin: int) -> int:
        """Of the chunk that begins at this byte."""
        end, mask = min(begin + CHUNK, self._size), _ALL >> PIECES - -(-min(CHUNK, self._size - begin) // PIECE)
        while self._at < len(self._free) and self._free[self._at][1] <= begin:
            self._at += 1
        at = self._at
        while at < len(self._free) and self._free[at][0] < end:
            first = -(-(max(self._free[at][0], begin) - begin) // PIECE)
            last = (min(self._free[at][1], end) - begin) // PIECE if self._free[at][1] < end else PIECES
            if first < last:
                mask &= ~(((1 << last - first) - 1) << first)
            at += 1
        return mask


# --- reading one ----------------------------------------------------------------------------------------------------


def unpacked(held: bytes) -> BlockMap:
    """The map in a file beside a copy. Raises ``BadMap``."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        said = unpacker.decompress(held, LONGEST + 1)
    except zlib.error as error:
        raise BadMap(f"it can't be unpacked: {error}") from None
    if len(said) > LONGEST or not unpacker.eof:
        raise BadMap("it is too long, or cut off")
    return parsed(said)


def parsed(held: bytes) -> BlockMap:
    """Raises ``BadMap``."""
    try:
        said = json.loads(held)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or [said.get(key) for key in ("version", "chunk", "piece")] != [
        VERSION,
        CHUNK,
        PIECE,
    ]:
        raise BadMap("it is no map, or that of another version")
    try:
        sha256, size, sector = said["sha256"], said["size"], said["sector"]
        if not _is_hash(sha256) or not _is_number(size, LARGEST) or sector not in SECTORS:
            raise BadMap("its content is not as it should be")
        return BlockMap(sha256, size, sector, _uses(said["partitions"], size), _runs(said["runs"], size))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise BadMap("a part of it is missing or of the wrong kind") from None


def _uses(said: list[dict[str, Any]], size: int) -> tuple[Use, ...]:
    if len(said) > MOST:
        raise BadMap("it has too many partitions")
    found = tuple(Use(**one) for one in said)
    for use in found:
        numbers = _is_number(use.number, 9999) and _is_number(use.begin, size) and _is_number(use.end, size)
        if not numbers or not isinstance(use.holds, str) or not isinstance(use.whole, str):
            raise BadMap("a partition is not as it should be")
    return found


def _runs(said: list[Any], size: int) -> tuple[Run, ...]:
    left, found = -(-size // CHUNK), list[Run]()
    for one in said:
        count, data, zero, sha256 = one
        if not _is_number(count, left) or not count or not _is_mask(data) or not _is_mask(zero):
            raise BadMap("its chunks are not as they should be")
        run, left = Run(count, int(data, 16), int(zero, 16), sha256), left - count
        possible = _ALL if left else _ALL >> PIECES - -(-(size % CHUNK or CHUNK) // PIECE)
        if run.data & run.zero or (run.data | run.zero) & ~possible:
            raise BadMap("its pieces are not as they should be")
        if (run.data and (count > 1 or not _is_hash(sha256))) or (not run.data and sha256 != ""):
            raise BadMap("its hashes are not as they should be")
        found.append(run)
    if left:
        raise BadMap("it does not describe the whole disk")
    return tuple(found)


def _is_hash(said: object) -> bool:
    return isinstance(said, str) and bool(_HASH.fullmatch(said))


def _is_mask(said: object) -> bool:
    return isinstance(said, str) and bool(_MASK.fullmatch(said))


def _is_number(said: object, most: int) -> bool:
    return isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= most
