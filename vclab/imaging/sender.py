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
import json
import os
import select
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO, Any

from vclab.imaging.receiver import FRAME, PACKET, PIPE
from vclab.library.block_map import BlockMap, Run
from vclab.library.content import Told, nobody
from vclab.model.errors import CopyLost, Refused, StepFailed, Unreachable, VclabError

TICK = 0.5
"""Seconds: whoever is told, and may end the work, is told that often."""
SILENT = 60.0
"""Seconds without progress, which a node tells every second, after which an attempt is given up."""
STOPPED_WITHIN = 2.0
_LONGEST_LINE = 64 << 10
_SAID = 300
_PATIENCE = 60.0
_BEFORE_WRITING = {
    "too-small": "give the node a larger disk, or choose an image with a smaller one",
    "sectors": "an image boots only from a disk with sectors as large as those of the disk that it was made on",
    "read-only": "switch off its write protection",
    "absent": "is it connected, and is this its name?",
    "busy": "the imaging environment must not use it",
}


@dataclass(frozen=True)
class Node:
    """A node in the imaging environment.

    ``words``: of a program that runs a command line there, such as ``ssh`` with its options; none: it is this machine.
    """

    disk: str
    words: tuple[str, ...] = ()
    folder: str = "/run/vclab-imaging"
    blank: bool = False  #: what no file system needs becomes zeros too

    def command(self, *words: str) -> list[str]:
        """The words that run these there."""
        return [*self.words, shlex.join(words)] if self.words else list(words)

    def receiver(self, what: str, *words: str) -> list[str]:
        """The words that run the receiver there."""
        blank = ("--blank",) if self.blank else ()
        program = ("python3", f"{self.folder}/receiver.py", what, "--map", f"{self.folder}/map.json")
        return self.command(*program, *blank, *words, self.disk)


@dataclass(frozen=True)
class Finished:
    """How what was written fits its disk: whether GPT's copy was moved, which partition was grown (0: none), and that
    in words, with why it was not."""

    moved: bool
    grown: int
    text: str


def place(node: Node, block_map: BlockMap) -> None:
    """Copy the programs and the map to the node. Raises ``Unreachable``."""
    programs = resources.files("vclab.imaging")
    for name in ("receiver.py", "finish.py"):
        _copy(node, name, (programs / name).read_bytes())
    _copy(node, "map.json", block_map.json())


def check(node: Node) -> None:
    """Raises ``Refused`` when the disk is too small, has other sectors, is not there, read-only, or in use;
    ``Unreachable``."""
    _followed(node.receiver("check"), nobody)


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

        def heard(said: dict[str, Any]) -> None:
            if said["event"] == "ready" and not ready.is_set():
                ready.set()
                feeder.start(_number(said, "chunk"))
            elif said["event"] == "at":
                written(_number(said, "chunk"))

        try:
            _followed(node.receiver("write", "--from", str(begin)), told, heard, feeder)
        except _Damaged as damaged:
            feeder.must_have(damaged.chunk)
            raise


def verify(node: Node, told: Told = nobody) -> None:
    """Read the disk back: all that the map has, zeros too. Raises ``StepFailed`` when it holds anything else or fails,
    and ``Unreachable``."""
    _followed(node.receiver("verify"), told)


def finish(node: Node, told: Told = nobody) -> Finished:
    """Fit it to the disk. Raises ``StepFailed`` and ``Unreachable``. What it has begun on the node, it ends there also
    when ``told`` raises."""
    words = node.command("python3", f"{node.folder}/finish.py", node.disk)
    said = _followed(words, told, patience=float("inf"))
    return Finished(said.get("moved") is True, _number(said, "grown"), _text(said))


# --- what runs on the node ------------------------------------------------------------------------------------------


def _copy(node: Node, name: str, held: bytes) -> None:
    path = f"{node.folder}/{name}"
    script = f"mkdir -p {shlex.quote(node.folder)} && cat > {shlex.quote(path)}"
    try:
        ran = subprocess.run(node.command("sh", "-c", script), input=held, capture_output=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{path} could not be copied to the node within {_PATIENCE:.0f} s") from None
    if ran.returncode:
        raise Unreachable(f"{path} could not be copied to the node: {_shown(ran.stderr)}")


def _followed(
    words: Sequence[str],
    told: Told,
    heard: Callable[[dict[str, Any]], None] = lambda said: None,
    feeder: "_Feeder | None" = None,
    patience: float | None = None,
) -> dict[str, Any]:
    """Run a program on the node until it is done: what it says then. Its standard input is a pipe, whose end we hold:
    it stops when that is closed, also by our death."""
    given, leash = os.pipe()
    with tempfile.TemporaryFile() as errors, contextlib.ExitStack() as stack:
        running = subprocess.Popen(words, stdin=given, stdout=subprocess.PIPE, stderr=errors)
        os.close(given)
        stack.callback(_stop, running, leash, feeder)
        if feeder:
            feeder.output = leash
        for said in _lines(running, told, SILENT if patience is None else patience):
            if said["event"] == "done":
                return said
            if said["event"] == "error":
                raise _trouble(said)
            heard(said)
            if feeder and feeder.failure:
                raise feeder.failure
        errors.seek(0)
        raise Unreachable(f"the program on the node ended: {_shown(errors.read(4096))}")


def _lines(running: "subprocess.Popen[bytes]", told: Told, patience: float) -> Iterator[dict[str, Any]]:
    """What it says, until it closes its output. ``told`` is told at each tick. Raises ``Unreachable``."""
    assert running.stdout is not None
    left, output, heard, done, of = b"", select.poll(), time.monotonic(), 0, 0
    output.register(running.stdout)
    while True:
        told(done, of)
        if time.monotonic() - heard > patience:
            raise Unreachable(f"there was no progress for {patience:.0f} s: the node or the repository is stuck")
        if not output.poll(TICK * 1000):
            yield {"event": "tick"}
            continue
        if not (said := os.read(running.stdout.fileno(), _LONGEST_LINE)):
            return
        *whole, left = (left + said).split(b"\n")
        if len(left) > _LONGEST_LINE:
            raise Unreachable("the node says what is not understood")
        for line in map(_parsed, whole):
            if line["event"] != "at" or _number(line, "done") > done:
                heard = time.monotonic()
            if line["event"] == "at":
                done, of = _number(line, "done"), _number(line, "of")
                told(done, of)
            yield line


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("event"), str):
        raise Unreachable(f"the node says what is not understood: {_shown(line)}")
    return said


def _stop(running: "subprocess.Popen[bytes]", leash: int, feeder: "_Feeder | None") -> None:
    """Nothing more is written after that. The program ends when its input is closed; then whoever runs it there."""
    if feeder:
        feeder.stop()
    os.close(leash)
    try:
        running.wait(STOPPED_WITHIN - TICK)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
    assert running.stdout is not None
    running.stdout.close()


class _Damaged(Unreachable):
    """A chunk did not come as the map has it."""

    def __init__(self, text: str, chunk: int) -> None:
        super().__init__(text)
        self.chunk = chunk


def _trouble(said: dict[str, Any]) -> VclabError:
    code, text = said.get("code"), _text(said)
    if code in _BEFORE_WRITING:
        return Refused(text, _BEFORE_WRITING[code])
    if code == "wire":
        return _Damaged(text, _number(said, "chunk"))
    if code == "stopped":
        return Unreachable(text)
    return StepFailed(text)


def _text(said: dict[str, Any]) -> str:
    return _shown(str(said.get("text", "")).encode())


def _shown(said: bytes) -> str:
    """Its last line, as people may be shown it."""
    lines = said.decode("utf-8", "replace").strip().splitlines() or ["it gives no reason"]
    return "".join(c if c.isprintable() else "?" for c in lines[-1])[:_SAID]


def _number(said: dict[str, Any], key: str) -> int:
    number = said.get(key)
    if not isinstance(number, int) or not 0 <= number < 1 << 63:
        raise Unreachable(f"the node says what is not understood: {key} is {_shown(str(number).encode())}")
    return number


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
