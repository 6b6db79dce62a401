"""Serial over LAN (IPMI 2.0, 15 and 24) in a session that is logged in already. Only in a child process (``child.py``).

pyghmi's ``Console`` logs in by itself, which it can do only once in a process; so its own constructor is not called,
and what that sets is set here. It is pinned, and a test talks to ``ipmi_sim``.
"""

import threading
import time
from typing import Any

from pyghmi.ipmi.console import Console
from pyghmi.ipmi.private.session import Session

from vclab.model.errors import StepFailed, Unreachable

LARGEST = 16 << 10
"""Bytes that are handed on at one time."""
_SLICE = 0.3
_TAKEN = "another session of its serial console is active"


class Sol(Console):  # type: ignore[misc]
    """A console that is active."""

    def __init__(self, session: Any, port: int, take: bool) -> None:
        """``take``: a session of somebody else is ended. Raises ``StepFailed``, ``Unreachable``."""
        self.outputlock = threading.RLock()
        self.keepaliveid = self.callgotsession = None
        self.connected = self.broken = self.activated = self.awaitingack = False
        self.remseq = self.myseq = self.lastsize = self.retriedpayload = 0
        self.pendingoutput: list[Any] = []
        self.out_handler = self._take
        self.force_session, self.port, self.ipmi_session = take, port, session
        self._received, self._failure = bytearray(), ""
        self._got_session({})
        self._check()

    def received(self, seconds: float) -> bytes:
        """What comes within so many seconds; less is waited for when much has come. Raises ``Unreachable``."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and len(self._received) < LARGEST:
            Session.wait_for_rsp(timeout=min(left, _SLICE))
            self._check()
        found = bytes(self._received[:LARGEST])
        del self._received[:LARGEST]
        return found

    def _take(self, data: Any) -> None:
        if isinstance(data, dict):
            self._failure = str(data.get("error", self._failure))
        elif len(self._received) < 16 * LARGEST:
            self._received += data

    def _check(self) -> None:
        if "another client" in self._failure:
            raise StepFailed(f"says that {_TAKEN}", "end that one, or take it over: --take")
        if "disabled" in self._failure.lower():
            raise StepFailed("has serial over LAN disabled", "enable it: ipmitool sol set enabled true")
        if self._failure and self.activated:
            raise Unreachable(f"ended the serial console: {self._failure}")
        if self._failure:
            raise StepFailed(f"begins no serial console: {self._failure}")
