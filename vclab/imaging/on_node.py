"""What the programs on a node that is imaged have in common: how they run, end and report, and their disk.

They are copied there as one file, with all modules that they import (``node.CARRIED``): Python 3.11 with its standard
library, and programs of the imaging environment.

    python3 programs.zip NAME WORDS…

Each prints one line of JSON an event, the last one "done" or "error", and ends with 0 after "done", else with 1. The
standard input is a leash: when it is closed before, by whatever has happened to the caller, the program stops at once.
"""

import contextlib
import errno
import fcntl
import json
import mmap
import os
import select
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

PACKET = struct.Struct(">I")
"""Before each packet: how many bytes follow."""
FRAME = struct.Struct(">QI")
"""Before each chunk: its number, and how many bytes follow."""
READ = struct.Struct(">Q32s")
"""Behind that, of a chunk that a node sends: the mask of its pieces that follow, and their SHA-256."""
EVENT = 1 << 31
"""Added to the length of a packet that holds an event, where both share a pipe."""
PIPE = 1 << 20
"""Bytes of a packet at most, and of the pipes."""
SAYS_AFTER = 1.0
"""Seconds between two lines on the progress."""
PATIENCE = 3600.0
"""Seconds for one program: a large file system is checked before it grows."""

_SECTOR, _IS_READ_ONLY, _DISCARD, _SECURE_DISCARD, _ZERO_OUT = 0x1268, 0x125E, 0x1277, 0x127D, 0x127F
"""BLKSSZGET, BLKROGET, BLKDISCARD, BLKSECDISCARD, BLKZEROOUT of linux/fs.h."""
_ENVIRONMENT = "/etc/vclab/environment"
_LETS_GO_WITHIN, _TAKES_OVER_WITHIN = 2.0, 10.0
_FLOCK = struct.Struct("hhqqi0q")
"""struct flock of fcntl.h: type, whence, start, length, process."""
_SAID = 300
_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY)


class Trouble(Exception):
    """What the caller must know: a code for programs, a sentence for people."""

    def __init__(self, code: str, text: str, **more: int | None) -> None:
        super().__init__(text)
        self.said: dict[str, Any] = {"event": "error", "code": code, "text": text, **more}


def say(**what: Any) -> None:
    """Print one line. The caller may be gone; then the leash is cut too."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(what).encode() + b"\n")


Say = Callable[..., None]


class Discard(Enum):
    """How a disk takes it that bytes are not needed any more."""

    REFUSED = 0
    PLAIN = 1
    SECURE = 2  #: it has erased them


class Disk:
    """A disk that is written and read past the kernel's memory."""

    def __init__(self, path: str, writing: bool) -> None:
        self.path = path
        flags = os.O_RDWR if writing else os.O_RDONLY
        try:
            mode = Path(path).stat().st_mode
            self.is_block = stat.S_ISBLK(mode)
            if not self.is_block and not stat.S_ISREG(mode):
                raise Trouble("absent", f"{path} is no disk")
            # Exclusive: a block device that is mounted, or part of an array, is busy.
            self.file = self._open(flags | (os.O_EXCL if self.is_block else 0))
        except OSError as error:
            raise _unopened(path, error) from None
        self.size = os.lseek(self.file, 0, os.SEEK_END)
        self.sector = self._number(_SECTOR) if self.is_block else 512
        if writing and self.is_block and self._number(_IS_READ_ONLY):
            raise Trouble("read-only", f"the disk {path} is read-only")
        self._zeros = memoryview(mmap.mmap(-1, 4 << 20))
        self._zero_out = self.is_block

    def _open(self, flags: int) -> int:
        """One that is in use is tried again for a while: an attempt that was killed is still letting go of it."""
        flags, deadline = flags | os.O_DIRECT, time.monotonic() + _LETS_GO_WITHIN
        while True:
            try:
                return os.open(self.path, flags)
            except OSError as error:
                if error.errno == errno.EINVAL and flags & os.O_DIRECT:  # a file system without it
                    flags &= ~os.O_DIRECT
                elif error.errno == errno.EBUSY and time.monotonic() < deadline:
                    time.sleep(0.1)
                else:
                    raise

    def _number(self, request: int) -> int:
        held = bytearray(8)
        fcntl.ioctl(self.file, request, held)
        return int.from_bytes(held[:4], sys.byteorder)

    def rounded(self, length: int) -> int:
        """Up to whole sectors."""
        return -(-length // self.sector) * self.sector

    def write(self, at: int, held: memoryview) -> None:
        """All of it."""
        while held:
            try:
                written = os.pwrite(self.file, held, at)
            except OSError as error:
                raise self._failed("written", at, error) from None
            held, at = held[written:], at + written

    def zero(self, at: int, length: int) -> None:
        """As the disk can, or by writing zeros."""
        length = self.rounded(length)
        if self._zero_out:
            try:
                fcntl.ioctl(self.file, _ZERO_OUT, struct.pack("=QQ", at, length))
                return
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise self._failed("zeroed", at, error) from None
                self._zero_out = False
        for offset in range(0, length, len(self._zeros)):
            self.write(at + offset, self._zeros[: min(len(self._zeros), length - offset)])

    def discard(self, at: int, length: int) -> Discard:
        """Tell the disk that these bytes are not needed any more. What it returns for them from then on is its own
        matter."""
        if not self.is_block:
            return Discard.REFUSED
        for request, done in ((_SECURE_DISCARD, Discard.SECURE), (_DISCARD, Discard.PLAIN)):
            try:
                fcntl.ioctl(self.file, request, struct.pack("=QQ", at, length))
            except OSError as error:
                if error.errno not in (*_NOT_SUPPORTED, errno.EREMOTEIO):  # a disk that promised more than it does
                    raise self._failed("discarded", at, error) from None
            else:
                return done
        return Discard.REFUSED

    def read(self, at: int, into: memoryview) -> None:
        """All of it; ``into`` is aligned."""
        done = 0
        while done < len(into):
            try:
                got = os.preadv(self.file, [into[done:]], at + done)
            except OSError as error:
                raise self._failed("read", at + done, error) from None
            if not got:
                raise Trouble("failing", f"the disk {self.path} ends at byte {at + done}", at=at + done)
            done += got

    def flush(self) -> None:
        """What was written is on the disk."""
        try:
            os.fdatasync(self.file)
        except OSError as error:
            raise self._failed("flushed", None, error) from None

    def forget(self) -> None:
        """What the kernel holds of it in memory: the next read is of the disk."""
        self.flush()
        os.posix_fadvise(self.file, 0, 0, os.POSIX_FADV_DONTNEED)

    def _failed(self, done: str, at: int | None, error: OSError) -> Trouble:
        where = "" if at is None else f" at byte {at}"
        return Trouble("failing", f"the disk {self.path} can't be {done}{where}: {error.strerror}", at=at)


def _unopened(path: str, error: OSError) -> Trouble:
    if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ENOMEDIUM):
        return Trouble("absent", f"there is no disk {path}")
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Trouble("read-only", f"the disk {path} can't be written: {error.strerror}")
    if error.errno == errno.EBUSY:
        return Trouble("busy", f"the disk {path} is in use")
    return Trouble("failing", f"the disk {path} can't be opened: {error.strerror}")


# --- other programs -------------------------------------------------------------------------------------------------


def run(words: Sequence[str], given: str = "") -> str:
    """What a program prints. Raises ``Trouble`` when it fails."""
    ran = attempt(words, given)
    if ran.returncode:
        raise Trouble("failing", f"{words[0]} failed: {last_line(ran.stderr or ran.stdout)}")
    return ran.stdout


def attempt(words: Sequence[str], given: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a program, whatever it returns. Raises ``Trouble`` when it is missing or hangs."""
    try:
        return subprocess.run(words, input=given, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
    except FileNotFoundError:
        raise Trouble("failing", f"{words[0]} is missing in the imaging environment") from None
    except subprocess.TimeoutExpired:
        raise Trouble("failing", f"{words[0]} took longer than {PATIENCE:.0f} s") from None


def last_line(said: str) -> str:
    """For people."""
    return (said.strip().splitlines() or ["it gives no reason"])[-1][:_SAID]


# --- how a program runs ---------------------------------------------------------------------------------------------


def carry_out(work: Callable[[], Mapping[str, Any]], say: Say = say) -> int:
    """Do the work, and report what it returns or why it could not be done: the exit code."""
    try:
        say(event="done", **work())
    except Trouble as trouble:
        say(**trouble.said)
        return 1
    except (OSError, ValueError, KeyError) as error:
        say(event="error", code="failing", text=f"{type(error).__name__}: {error}")
        return 1
    return 0


def leashed(say: Say = say) -> None:
    """From now on the program ends when its standard input is closed."""
    threading.Thread(target=_watch, args=(say,), daemon=True).start()


def _watch(say: Say) -> None:
    watched = select.poll()
    watched.register(0, select.POLLHUP | select.POLLRDHUP)
    while not watched.poll():
        pass
    say(event="error", code="stopped", text="the caller is gone")
    os._exit(1)


def must_be_environment() -> None:
    """Raises ``Trouble`` on a machine that has not booted the imaging environment, whose disks somebody uses."""
    if not Path(_ENVIRONMENT).is_file():
        raise Trouble("elsewhere", f"this machine is not in the imaging environment: it has no {_ENVIRONMENT}")


def take_over() -> None:
    """Lock what all programs that work on the node's disks lock, as long as this process lives. Whoever holds it is an
    older attempt that hangs: it is killed."""
    path = Path(sys.argv[0]).with_name("lock")
    file, deadline = os.open(path, os.O_RDWR | os.O_CREAT, 0o600), time.monotonic() + _TAKES_OVER_WITHIN
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN) or time.monotonic() > deadline:
                raise Trouble("failing", f"an older attempt can't be ended: {error.strerror}") from None
        *_, holder = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, 0, 0, 0, 0)))
        if holder:
            with contextlib.suppress(ProcessLookupError):
                os.kill(holder, signal.SIGKILL)
        time.sleep(0.05)


def main(words: Sequence[str]) -> None:
    """Run the program of that name, and end with its exit code, whatever its threads do."""
    code = import_module(f"vclab.imaging.{words[0]}").main(words[1:])
    sys.stdout.flush()
    os._exit(code)
