"""A node in the imaging environment, as those see it who run our programs there and follow what these say.

What a node says is a claim: lines of bounded length, each a JSON object with an event; numbers are whole and positive;
texts are shown on one line. Anything else is ``Unreachable``.
"""

import contextlib
import functools
import io
import os
import select
import shlex
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import IO, Any, Protocol

from vclab.library.content import Told, nobody
from vclab.model import reported
from vclab.model.errors import Refused, StepFailed, Unreachable, VclabError

TICK = 0.5
"""Seconds: whoever is told, and may end the work, is told that often."""
SILENT = 60.0
"""Seconds without progress, which a node tells every second, after which an attempt is given up."""
STOPPED_WITHIN = 2.0
CARRIED = (
    "vclab/__init__.py",
    "vclab/imaging/__init__.py",
    "vclab/imaging/on_node.py",
    "vclab/imaging/receiver.py",
    "vclab/imaging/finish.py",
    "vclab/imaging/efi.py",
    "vclab/imaging/fat.py",
    "vclab/imaging/inspector.py",
    "vclab/imaging/cleaner.py",
    "vclab/imaging/boot_entry.py",
    "vclab/imaging/reader.py",
    "vclab/library/__init__.py",
    "vclab/library/allocation.py",
    "vclab/library/block_map.py",
    "vclab/library/content.py",
    "vclab/library/formats.py",
    "vclab/library/partitions.py",
    *(f"vclab/library/free_space/{name}.py" for name in ("__init__", "btrfs", "ext", "ntfs", "window", "xfs")),
    "vclab/model/__init__.py",
    "vclab/model/errors.py",
    "vclab/model/revisions.py",
)
"""The programs for a node, and all that they import of vclab."""
_MAIN = "import sys\nfrom vclab.imaging.on_node import main\nmain(sys.argv[1:])\n"
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

Said = dict[str, Any]


@dataclass(frozen=True)
class Node:
    """A node in the imaging environment.

    ``words``: of a program that runs a command line there, such as ``ssh`` with its options; none: it is this machine.
    ``disk``: the one that is written or read, by its path there.
    """

    disk: str = ""
    words: tuple[str, ...] = ()
    folder: str = "/run/vclab-imaging"
    blank: bool = False  #: what no file system needs becomes zeros too

    def command(self, *words: str) -> list[str]:
        """The words that run these there."""
        return [*self.words, shlex.join(words)] if self.words else list(words)

    def program(self, name: str, *words: str) -> list[str]:
        """The words that run a program of ours there."""
        return self.command("python3", f"{self.folder}/programs.zip", name, *words)


class Feeder(Protocol):
    """Gives a program its input, besides being its leash."""

    output: int
    failure: VclabError | None

    def stop(self) -> None:
        """Give nothing more."""


class Taker(Protocol):
    """Takes what a program sends besides its events."""

    failure: Exception | None

    def events(self, output: IO[bytes]) -> IO[bytes]:
        """Begin to take it: only the lines are left."""

    def stop(self) -> None:
        """Take nothing more."""


def place_programs(node: Node) -> None:
    """Copy our programs to the node. Raises ``Unreachable``."""
    copy(node, "programs.zip", _packed())


def copy(node: Node, name: str, held: bytes) -> None:
    """Copy a file into the node's folder. Raises ``Unreachable``."""
    path = f"{node.folder}/{name}"
    script = f"mkdir -p {shlex.quote(node.folder)} && cat > {shlex.quote(path)}"
    try:
        ran = subprocess.run(node.command("sh", "-c", script), input=held, capture_output=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{path} could not be copied to the node within {_PATIENCE:.0f} s") from None
    if ran.returncode:
        raise Unreachable(f"{path} could not be copied to the node: {shown(ran.stderr)}")


@functools.cache
def _packed() -> bytes:
    held, house = io.BytesIO(), resources.files("vclab")
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("__main__.py", _MAIN)
        for path in CARRIED:
            packed.writestr(path, house.joinpath(path.removeprefix("vclab/")).read_bytes())
    return held.getvalue()


def followed(
    words: Sequence[str],
    told: Told = nobody,
    heard: Callable[[Said], None] = lambda said: None,
    feeder: Feeder | None = None,
    patience: float | None = None,
    taker: Taker | None = None,
) -> Said:
    """Run a program on the node until it is done: what it says then. ``heard`` hears all else that it says.

    Its standard input is a pipe, whose end we hold: it stops when that is closed, also by our death. Raises
    ``Unreachable``, ``Refused`` before anything was changed, ``StepFailed``, and what ``told`` and ``heard`` raise.
    """
    given, leash = os.pipe()
    with tempfile.TemporaryFile() as errors, contextlib.ExitStack() as stack:
        running = subprocess.Popen(words, stdin=given, stdout=subprocess.PIPE, stderr=errors)
        os.close(given)
        stack.callback(_stop, running, leash, feeder or taker)
        assert running.stdout is not None
        output = taker.events(running.stdout) if taker else running.stdout
        if feeder:
            feeder.output = leash
        for said in _lines(output, told, SILENT if patience is None else patience):
            if said["event"] == "done":
                return said
            if said["event"] == "error":
                raise _trouble(said)
            heard(said)
            if (worker := feeder or taker) and worker.failure:
                raise worker.failure
        if taker and taker.failure:
            raise taker.failure
        errors.seek(0)
        raise Unreachable(f"the program on the node ended: {shown(errors.read(4096))}")


def _lines(output: IO[bytes], told: Told, patience: float) -> Iterator[Said]:
    """What a program says, until it closes its output. ``told`` is told at each tick. Raises ``Unreachable``."""
    left, ready, heard, done, of = b"", select.poll(), time.monotonic(), 0, 0
    ready.register(output)
    while True:
        told(done, of)
        if time.monotonic() - heard > patience:
            raise Unreachable(f"there was no progress for {patience:.0f} s: the node or the repository is stuck")
        if not ready.poll(TICK * 1000):
            yield {"event": "tick"}
            continue
        if not (said := os.read(output.fileno(), _LONGEST_LINE)):
            return
        *whole, left = (left + said).split(b"\n")
        if len(left) > _LONGEST_LINE:
            raise Unreachable("the node says what is not understood")
        for line in map(parsed, whole):
            if line["event"] != "at" or number(line, "done") > done:
                heard = time.monotonic()
            if line["event"] == "at":
                done, of = number(line, "done"), number(line, "of")
                told(done, of)
            yield line


def parsed(line: bytes) -> Said:
    """One line. Raises ``Unreachable`` when it is not an event."""
    try:
        said = reported.json_of(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("event"), str):
        raise Unreachable(f"the node says what is not understood: {shown(line)}")
    return said


def _stop(running: "subprocess.Popen[bytes]", leash: int, worker: Feeder | Taker | None) -> None:
    """Nothing more is written after that. The program ends when its input is closed; then whoever runs it there."""
    if worker:
        worker.stop()
    os.close(leash)
    try:
        running.wait(STOPPED_WITHIN - TICK)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
    assert running.stdout is not None
    running.stdout.close()


class Damaged(Unreachable):
    """A chunk did not come as it should."""

    def __init__(self, text: str, chunk: int) -> None:
        super().__init__(text)
        self.chunk = chunk


def _trouble(said: Said) -> VclabError:
    code, why = said.get("code"), text(said)
    if code in _BEFORE_WRITING:
        return Refused(why, _BEFORE_WRITING[code])
    if code == "wire":
        return Damaged(why, number(said, "chunk"))
    if code == "stopped":
        return Unreachable(why)
    if code == "disk" or "at" in said:
        return StepFailed(why, "the disk does not keep what is written: replace it, or have another one take the image")
    return StepFailed(why)


def text(said: Said) -> str:
    """Its text, as people may be shown it."""
    return shown(str(said.get("text", "")).encode())


def shown(said: bytes) -> str:
    """Its last line, as people may be shown it."""
    lines = said.decode("utf-8", "replace").strip().splitlines() or ["it gives no reason"]
    return "".join(c if c.isprintable() else "?" for c in lines[-1])[:_SAID]


def number(said: Said, key: str) -> int:
    """A whole number, not negative. Raises ``Unreachable``."""
    found = said.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 1 << 63:
        raise Unreachable(f"the node says what is not understood: {key} is {shown(str(found).encode())}")
    return found
