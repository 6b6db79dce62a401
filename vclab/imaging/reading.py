"""Reads the disk of a node into a raw file, for a capture (vclab/imaging/reader.py).

Only what the file systems need travels; all else is zeros in the file, and a hole. Each chunk's hash is checked before
it is written. The steps: ``look``, then ``read`` in the write function of ``Repository.keep``, as ``capture`` does it.
"""

import hashlib
import io
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from vclab.imaging.node import TICK, Damaged, Node, followed, number, place_programs
from vclab.imaging.on_node import EVENT, FRAME, PACKET, PIPE, READ
from vclab.library.block_map import PIECES, ranges
from vclab.library.content import CHUNK, PIECE, Told, nobody
from vclab.library.formats import LARGEST
from vclab.library.repository import OtherBytes, Repository
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.revisions import Content, RevisionRecord

LONGEST_EVENT = 4096
"""Bytes of an event among packets."""
_ZEROS = memoryview(bytes(CHUNK))


@dataclass(frozen=True)
class Source:
    """A node's disk, in bytes. ``sector``: by which its partition table counts; 0: not known. ``needed``: no more than
    that is read."""

    size: int
    sector: int
    needed: int


def look(node: Node, told: Told = nobody, size: int = 0) -> Source:
    """Look how much of ``node.disk``, or of its first ``size`` bytes, must be read. Raises ``Refused`` when it is in
    use or not there, ``StepFailed``, ``Unreachable``."""
    place_programs(node)
    said = followed(node.program("reader", "look", "--size", str(size), node.disk), told)
    found = Source(*(number(said, key) for key in ("size", "sector", "needed")))
    if not 0 < found.size <= LARGEST or found.needed > found.size or found.sector not in (0, 512, 4096):
        raise Unreachable("the node says what is not understood: the size of its disk")
    return found


def read(node: Node, source: Source, into: Path, told: Told = nobody) -> Content:
    """Read ``node.disk`` into a new file: its content. ``told`` is told the bytes that were read; what it raises ends
    the work within ``STOPPED_WITHIN`` seconds.

    Raises as ``look``; ``Unreachable`` when the wire changed something, ``StepFailed`` when the disk is not as it was
    looked at, and ``OSError`` when the file can't be written. A file that was begun stays.
    """
    place_programs(node)
    with into.open("xb", buffering=0) as file:
        os.ftruncate(file.fileno(), source.size)
        taker = _Taker(file.fileno(), source)
        said = followed(node.program("reader", "read", "--size", str(source.size), node.disk), told, taker=taker)
        taker.finish(number(said, "chunks"), told)
        os.fsync(file.fileno())
    return Content(taker.digest.hexdigest(), source.size)


def capture(node: Node, source: Source, repository: Repository, record: RevisionRecord, told: Told) -> RevisionRecord:
    """Keep ``node.disk`` as a new revision: what was received is what the repository reads back. Raises as ``read``
    and ``Repository.keep``."""
    received = list[Content]()

    def must_be_received(kept: RevisionRecord, disk: Path) -> RevisionRecord:
        if Content(kept.sha256, kept.size) != received[0]:
            raise OtherBytes(f"the repository {repository.folder} reads back other bytes than the node has sent")
        return kept

    def write(disk: Path, told: Told) -> None:
        received.append(read(node, source, disk, told))

    return repository.keep(record, source.needed, write, told, must_be_received)


class _Taker:
    """Takes packets apart: events become lines, the rest is unpacked by ``zstd`` and written, in threads."""

    def __init__(self, file: int, source: Source) -> None:
        self.failure: Exception | None = None
        self.digest = hashlib.sha256()
        self._file, self._source = os.dup(file), source  # a thread that hangs may outlive the caller's
        self._chunks, self._left, self._hashed = 0, source.needed, 0
        self._is_whole = False

    def events(self, output: IO[bytes]) -> IO[bytes]:
        """Of the program's output only the lines."""
        try:
            words, pipe = ("zstd", "-dcq"), subprocess.PIPE
            self._zstd = subprocess.Popen(words, bufsize=0, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            raise Unreachable("zstd is missing", "install it: apt-get install zstd") from None
        self._packed = cast(IO[bytes], self._zstd.stdin)
        self._held = io.BufferedReader(cast(io.RawIOBase, self._zstd.stdout), PIPE)
        lines, into = os.pipe()
        self._lines = os.fdopen(lines, "rb", 0)
        self._writing = threading.Thread(target=self._run, args=(self._write,), daemon=True)
        self._writing.start()
        parting = (self._part, os.dup(output.fileno()), into)
        threading.Thread(target=self._run, args=parting, daemon=True).start()
        return self._lines

    def finish(self, chunks: int, told: Told) -> None:
        """Wait until all is written that has come. Raises what has gone wrong."""
        try:
            while self._writing.is_alive():
                told(self._source.needed, self._source.needed)
                self._writing.join(TICK)
        finally:
            self._zstd.kill()
            self._zstd.wait()
        if self.failure:
            raise self.failure
        if chunks != self._chunks:
            raise Unreachable(f"of the {chunks} chunks that the node has sent {self._chunks} came")

    def stop(self) -> None:
        """Unless it was all: nothing more is written."""
        self._lines.close()
        if not self._is_whole:
            self._zstd.kill()
            self._zstd.wait()
            self._writing.join(TICK)

    def _run(self, work: Callable[..., None], *given: int) -> None:
        try:
            work(*given)
        except Exception as error:  # it is raised by whoever waits
            self.failure = self.failure or error

    def _part(self, output: int, into: int) -> None:
        """Pass on lines and packed bytes."""
        with os.fdopen(output, "rb", PIPE) as packets, os.fdopen(into, "wb", 0) as lines:
            try:
                while head := packets.read(PACKET.size):
                    self._take(PACKET.unpack(head.ljust(PACKET.size, b"\xff"))[0], packets, lines)
            except BrokenPipeError:  # zstd has ended, which the writing tells; or nobody listens any more
                self._writing.join()
            except Unreachable as error:  # before the lines end
                self.failure = self.failure or error

    def _take(self, length: int, packets: IO[bytes], lines: IO[bytes]) -> None:
        if length & EVENT:
            lines.write(_exactly(packets, length & ~EVENT, LONGEST_EVENT) + b"\n")
        elif length:
            held = memoryview(_exactly(packets, length, PIPE))
            while held:
                held = held[self._packed.write(held) :]
        else:
            self._packed.close()
            self._is_whole = True

    def _write(self) -> None:
        """Each chunk, checked, to its place."""
        with os.fdopen(self._file, "wb", 0):
            self._write_chunks()

    def _write_chunks(self) -> None:
        before, buffer = -1, bytearray(CHUNK)
        for chunk, length, mask, sha in self._frames():
            extents = self._extents(chunk, mask)
            self._left -= length
            if chunk <= before or not mask or length != sum(end - at for at, end in extents) or self._left < 0:
                raise StepFailed("the node sends something else than it has found on its disk before")
            view = memoryview(buffer)[:length]
            if self._held.readinto(view) != length or hashlib.sha256(view).digest() != sha:
                raise Damaged(f"chunk {chunk} came with other bytes than the node's disk has", chunk)
            for at, end in extents:
                self._zeros_until(at)
                _write_all(self._file, view[: end - at], at)
                self.digest.update(view[: end - at])
                self._hashed, view = end, view[end - at :]
            before, self._chunks = chunk, self._chunks + 1
        self._zeros_until(self._source.size)

    def _frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        size = FRAME.size + READ.size
        while head := self._held.read(size):
            if len(head) < size:
                raise Unreachable("what the node sends broke off")
            yield *FRAME.unpack_from(head), *READ.unpack_from(head, FRAME.size)

    def _extents(self, chunk: int, mask: int) -> list[tuple[int, int]]:
        """Where its pieces are, in bytes. Raises ``StepFailed`` for what is not on the disk."""
        at, size = chunk * CHUNK, self._source.size
        possible = (1 << min(PIECES, max(0, -(-(size - at) // PIECE)))) - 1
        if mask & ~possible:
            raise StepFailed("the node sends what is not on its disk")
        return [(at + first * PIECE, min(at + last * PIECE, size)) for first, last in ranges(mask)]

    def _zeros_until(self, at: int) -> None:
        while self._hashed < at:
            length = min(CHUNK, at - self._hashed)
            self.digest.update(_ZEROS[:length])
            self._hashed += length


def _exactly(packets: IO[bytes], length: int, most: int) -> bytes:
    if length > most or len(held := packets.read(length)) < length:
        raise Unreachable("what the node sends is not understood, or broke off")
    return held


def _write_all(file: int, held: memoryview, at: int) -> None:
    while held:
        written = os.pwrite(file, held, at)
        held, at = held[written:], at + written
