"""Brings a repository's disk to the disk of a node, by the block map, and has it read back.

The steps of whoever images a node, in this order; each may be cut off and called again:

    place(node, block_map)          the programs and the map lie on the node
    check(node)                     the disk can take it; nothing is written
    write(node, source, …)          the chunks are on the disk; goes on at the last one that is
    verify(node)                    what is on the disk is what the map says
    finish(node)                    GPT's copy moved, the last partition grown

All block. What ``told`` raises ends the work within ``STOPPED_WITHIN`` seconds, with nothing more written: the receiver
stops when its standard input is closed (vclab/imaging/receiver.py).
"""

import contextlib
import fcntl
import hashlib
import os
import select
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vclab.imaging.node import STOPPED_WITHIN as STOPPED_WITHIN
from vclab.imaging.node import TICK, Damaged, Said, copy, followed, number, place_programs, text
from vclab.imaging.node import Node as Node
from vclab.imaging.on_node import FRAME, PACKET, PIPE
from vclab.library.block_map import BlockMap, Run
from vclab.library.content import Told, nobody
from vclab.model.errors import CopyLost, Unreachable, VclabError


@dataclass(frozen=True)
class Finished:
    """How what was written fits its disk: whether GPT's copy was moved, which partition was grown (0: none), and that
    in words, with why it was not."""

    moved: bool
    grown: int
    text: str


def place(node: Node, block_map: BlockMap) -> None:
    """Copy the programs and the map to the node. Raises ``Unreachable``."""
    place_programs(node)
    copy(node, "map.json", block_map.json())


def check(node: Node) -> None:
    """Raises ``Refused`` when the disk is too small, has other sectors, is not there, read-only, or in use;
    ``Unreachable``."""
    followed(_receiver(node, "check"))


def write(
    node: Node,
    source: Path,
    block_map: BlockMap,
    begin: int = 0,
    told: Told = nobody,
    written: Callable[[int], None] = lambda chunk: None,
) -> None:
    """Write the disk, from chunk ``begin`` on. ``told`` is told the bytes that are on the disk; ``written`` the chunk
    at which another attempt may begin.

    Raises as ``check``; ``StepFailed`` when the disk fails, ``CopyLost`` when the source is not what the map says, and
    ``Unreachable`` when the source or the node can't be reached, or the wire changed something.
    """
    ready = threading.Event()
    with _Feeder(source, block_map) as feeder:

        def heard(said: Said) -> None:
            if said["event"] == "ready" and not ready.is_set():
                ready.set()
                feeder.start(number(said, "chunk"))
            elif said["event"] == "at":
                written(number(said, "chunk"))

        try:
            followed(_receiver(node, "write", "--from", str(begin)), told, heard, feeder)
        except Damaged as damaged:
            feeder.must_have(damaged.chunk)
            raise


def verify(node: Node, told: Told = nobody) -> None:
    """Read the disk back: all that the map has, zeros too. Raises ``StepFailed`` when it holds anything else or fails,
    and ``Unreachable``."""
    followed(_receiver(node, "verify"), told)


def finish(node: Node, told: Told = nobody) -> Finished:
    """Fit it to the disk. Raises ``StepFailed`` and ``Unreachable``. What it has begun on the node, it ends there also
    when ``told`` raises."""
    said = followed(node.program("finish", node.disk), told, patience=float("inf"))
    return Finished(said.get("moved") is True, number(said, "grown"), text(said))


def _receiver(node: Node, what: str, *words: str) -> list[str]:
    """The words that run the receiver there."""
    blank = ("--blank",) if node.blank else ()
    return node.program("receiver", what, "--map", f"{node.folder}/map.json", *blank, *words, node.disk)


# --- what is sent ---------------------------------------------------------------------------------------------------


class _Feeder:
    """Reads the source in one thread, and in another sends packets of what ``zstd`` makes of it into ``output``."""

    def __init__(self, source: Path, block_map: BlockMap) -> None:
        self.output = -1
        self.failure: VclabError | None = None  #: of the source
        self._source, self._map = source, block_map
        self._zstd: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = self._is_all_read = False

    def __enter__(self) -> "_Feeder":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self, begin: int) -> None:
        """From this chunk on. Raises ``Unreachable``."""
        words = ("zstd", "-1", "-cq", "--no-check")  # the receiver checks each chunk by its SHA-256
        try:
            self._zstd = subprocess.Popen(words, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except FileNotFoundError:
            raise Unreachable("zstd is missing", "install it: apt-get install zstd") from None
        work = (self._read, begin, self._zstd.stdin), (self._pack, self._zstd.stdout, os.dup(self.output))
        for function, *given in work:
            self._threads.append(threading.Thread(target=function, args=given, daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        """Nothing more is sent. A source that hangs is left to its thread."""
        self._stopping = True
        if self._zstd:
            self._zstd.kill()
            self._zstd.wait()
        for thread in self._threads:
            thread.join(TICK)

    def must_have(self, number: int) -> None:
        """Raises ``CopyLost`` when the source itself does not have this chunk as the map has it."""
        for chunk in self._map.with_data():
            if chunk[0] == number and not self._is_good(chunk):
                raise CopyLost(
                    f"the repository's copy has other bytes in chunk {number} than it should: {self._source}"
                )

    def _is_good(self, chunk: tuple[int, Run]) -> bool:
        digest = hashlib.sha256()
        try:
            with self._source.open("rb", buffering=0) as file:
                for at, end in self._map.extents(chunk):
                    digest.update(os.pread(file.fileno(), end - at, at))
        except OSError as error:
            raise self._unread(error) from None
        return digest.hexdigest() == chunk[1].sha256

    def _unread(self, error: OSError) -> Unreachable:
        return Unreachable(f"the repository fails: {self._source}: {error.strerror or error}")

    def _read(self, begin: int, into: IO[bytes]) -> None:
        try:
            with self._source.open("rb", buffering=0) as file, into:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
                _enlarge(into.fileno())
                for chunk in self._map.with_data():
                    if chunk[0] >= begin:
                        extents = self._map.extents(chunk)
                        into.write(FRAME.pack(chunk[0], sum(end - at for at, end in extents)))
                        for at, end in extents:
                            _splice(file.fileno(), at, end, into.fileno())
                self._is_all_read = True
        except BrokenPipeError:  # whoever reads has ended, and says why
            pass
        except OSError as error:
            self.failure = self._unread(error)
        except CopyLost as lost:
            self.failure = lost

    def _pack(self, packed: IO[bytes], into: int) -> None:
        """The last packet is empty, and tells that all was sent. ``into`` is closed then."""
        with packed, open(into, "wb", buffering=0), contextlib.suppress(BrokenPipeError):
            _enlarge(packed.fileno())
            _enlarge(into)
            os.set_blocking(into, False)
            buffer = memoryview(bytearray(PACKET.size + PIPE))
            while length := os.readv(packed.fileno(), [buffer[PACKET.size :]]):
                buffer[: PACKET.size] = PACKET.pack(length)
                self._write(into, buffer[: PACKET.size + length])
            if self._is_all_read:
                self._write(into, memoryview(PACKET.pack(0)))

    def _write(self, into: int, view: memoryview) -> None:
        """All of it, unless it is to stop: a node that reads nothing holds nobody up."""
        ready = select.poll()
        ready.register(into, select.POLLOUT)
        while view and not self._stopping:
            if ready.poll(TICK * 1000 / 2):
                view = view[os.write(into, view) :]


def _enlarge(pipe: int) -> None:
    with contextlib.suppress(OSError):  # it may not be so large
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)


def _splice(file: int, at: int, end: int, into: int) -> None:
    """From the page cache into a pipe, not copied. Raises ``OSError``, and ``CopyLost`` when the file is shorter."""
    while at < end:
        sent = os.splice(file, into, end - at, offset_src=at)
        if not sent:
            raise CopyLost("the repository's copy is shorter than it should be")
        at += sent
