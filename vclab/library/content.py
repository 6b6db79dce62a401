"""The content of a disk: its bytes as a machine sees them. What a file does not hold (a hole) is zeros."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from vclab.model.revisions import Content

CHUNK = 4 << 20
PIECE = 64 << 10
"""A piece that is all zeros is not written: it stays a hole."""
_ZEROS = bytes(CHUNK)

Told = Callable[[int, int], None]
"""Is told the bytes done, and of how many. Whatever it raises ends the work."""


def nobody(done: int, size: int) -> None:
    """Is told, and does nothing."""


def copy(source: Path, target: Path, told: Told = nobody) -> Content:
    """Copy a raw disk to a new file, with holes where there is nothing but zeros. It is on the disk when this returns.

    Raises ``OSError``. A target that was begun stays: whoever gave its name removes it.
    """
    digest, size = hashlib.sha256(), source.stat().st_size
    with source.open("rb", buffering=0) as old, target.open("xb", buffering=0) as new:
        os.ftruncate(new.fileno(), size)
        for at, chunk in _chunks(old.fileno(), size):
            digest.update(chunk)
            write(new.fileno(), at, chunk)
            told(at + len(chunk), size)
        os.fsync(new.fileno())
    return Content(digest.hexdigest(), size)


def read(path: Path, told: Told = nobody) -> Content:
    """Read a raw disk, from the disk and not from memory. Raises ``OSError``."""
    digest, size = hashlib.sha256(), path.stat().st_size
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for at, chunk in _chunks(file.fileno(), size):
            digest.update(chunk)
            told(at + len(chunk), size)
    return Content(digest.hexdigest(), size)


def allocated(path: Path) -> int:
    """The bytes that a file takes on its disk; 0 when it is not there."""
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


def _chunks(file: int, size: int) -> Iterator[tuple[int, memoryview]]:
    """All bytes in order, each chunk with its offset; those of holes are not read. Raises ``OSError``."""
    buffer, at = bytearray(CHUNK), 0
    for begin, end in _extents(file, size):
        while at < begin:
            length = min(CHUNK, begin - at)
            yield at, memoryview(_ZEROS)[:length]
            at += length
        while at < end:
            length = os.preadv(file, [memoryview(buffer)[: min(CHUNK, end - at)]], at)
            if not length:
                raise OSError(errno.EIO, "the file became shorter while it was read")
            yield at, memoryview(buffer)[:length]
            at += length


def _extents(file: int, size: int) -> Iterator[tuple[int, int]]:
    """Where the file holds data, as [from, to); at last an empty one at its end."""
    at = 0
    while at < size:
        try:
            begin = os.lseek(file, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # that says: nothing but a hole follows
                raise
            break
        at = min(os.lseek(file, begin, os.SEEK_HOLE), size)
        yield min(begin, size), at
    yield size, size


def write(file: int, at: int, chunk: memoryview) -> None:
    """Write what is not zeros. Raises ``OSError``."""
    for offset in range(0, len(chunk), PIECE):
        piece = chunk[offset : offset + PIECE]
        if piece != _ZEROS[: len(piece)]:
            _write_all(file, piece, at + offset)


def _write_all(file: int, piece: memoryview, at: int) -> None:
    while piece:
        written = os.pwrite(file, piece, at)
        piece, at = piece[written:], at + written
