"""A driver in a child process: killed at its limit, when the step is to stop, and when its parent leaves it."""

import base64
import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from vclab.model import reported
from vclab.model.bmc_facts import BmcFacts, facts_of
from vclab.model.errors import Interrupted, StepFailed, Unreachable
from vclab.model.steps import StepContext
from vclab.power.base import Bmc, Boot, BootDevice, Command, PowerState, Seen
from vclab.power.child import ERRORS, LONGEST_LINE

_LOOK = 0.1  #: seconds between two looks whether the step is to stop
_LEAVE = 2.0  #: seconds for a log-out
_COMMAND = (sys.executable, "-I", "-m", "vclab.power.child")
_ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8"}  #: nothing of the worker's: it may hold secrets


class Child:
    """A ``Driver``: its calls go to the child. A call that raises anything has killed it."""

    commands: ClassVar[frozenset[Command]] = frozenset(Command)
    boots: ClassVar[bool] = True
    has_facts: ClassVar[bool] = True
    sees_off: ClassVar[bool] = True

    def __init__(self, bmc: Bmc, password: str, seconds: float, context: StepContext) -> None:
        """Start it, and log in. ``seconds``: the limit of each answer. The password goes through its stdin."""
        self._seconds, self._context, self._read = seconds, context, b""
        self._process = _started()
        self._ask(
            address=str(bmc.address), password=password, fingerprint=bmc.fingerprint, seconds=math.ceil(self._seconds)
        )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def power(self) -> Seen:
        """As in ``Driver``."""
        said = self._ask(do="power")
        return Seen(PowerState(said.get("state", "")), reported.line(said.get("why")))

    def send(self, command: Command) -> None:
        """As in ``Driver``."""
        self._ask(do="send", command=command)

    def boot(self) -> Boot:
        """As in ``Driver``."""
        said = self._ask(do="boot")
        return Boot(BootDevice(said.get("device", "")), said.get("once") is True)

    def set_boot(self, boot: Boot) -> None:
        """As in ``Driver``."""
        self._ask(do="set_boot", device=boot.device, once=boot.once, efi=boot.efi)

    def listen(self, seconds: float, take: bool) -> bytes:
        """As in ``Driver``; for ``child.GRACE`` seconds at most."""
        said = self._ask(do="listen", seconds=seconds, take=take)
        try:
            return base64.b64decode(str(said.get("held")), validate=True)
        except ValueError:
            raise Unreachable("can't be asked: its program answers nonsense") from None

    def facts(self) -> BmcFacts:
        """As in ``Driver``."""
        return facts_of(self._ask(do="facts"))

    def close(self) -> None:
        """Let it log out; kill it if it does not."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVE)
        self._kill()

    def _ask(self, **question: object) -> Mapping[str, Any]:
        deadline = time.monotonic() + self._seconds
        try:
            return self._answer(json.dumps(question).encode() + b"\n", deadline)
        except BaseException:
            self._kill()
            raise

    def _answer(self, question: bytes, deadline: float) -> Mapping[str, Any]:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, which reading tells
            self._process.stdin.write(question)  # fits into the pipe
        try:
            answer = reported.json_of(self._line(deadline).decode("utf-8", "replace"))
            found = answer["ok"] if "ok" in answer else answer["error"]
        except (ValueError, KeyError, TypeError):
            raise Unreachable("can't be asked: its program answers nonsense") from None
        if isinstance(found, Mapping):
            return found
        error = ERRORS.get(str(found), StepFailed)
        raise error(reported.line(answer.get("message")), reported.line(answer.get("hint")))

    def _line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        descriptor, poll = self._process.stdout.fileno(), select.poll()
        poll.register(descriptor, select.POLLIN)
        while b"\n" not in self._read:
            if self._context.cancelled:
                raise Interrupted("stopped while a BMC was asked")
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unreachable(f"did not answer within {self._seconds:g} s")
            if not poll.poll(1000 * min(left, _LOOK)):
                continue
            more = os.read(descriptor, LONGEST_LINE)
            if not more or len(self._read) + len(more) > LONGEST_LINE:
                raise Unreachable("can't be asked: its program has ended" if not more else "answers too much")
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _kill(self) -> None:
        """With all that it has started. It is not reaped before, so the id is still its own."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _started() -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
        )
    except OSError as error:
        raise Unreachable(f"can't be asked: no program can be started here: {error.strerror}") from None
