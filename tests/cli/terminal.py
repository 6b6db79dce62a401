"""Commands on a real terminal of any width, and a ready reservation to show there."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.store.lab import RULES
from vclab.model.intents import Author
from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, ReserveRequest
from vclab.store import placement, reservations
from vclab.store.engine import Store

HOST, ADDRESS = "esx1.example.org", "203.0.113.216"


def place(opened: Store, id: str, user: str) -> None:
    """Somebody's reservation, ready at ``ADDRESS``."""
    now, host = datetime.now(UTC), HostFacts(HOST, 16, 16384, True, "", ("ds1",))
    heard = Inventory("vc1", now, (host,), (DatastoreFacts("ds1", 200, 200),))
    request = ReserveRequest(id, user, "debian-12", 3600)
    outcome = opened.run(lambda s: placement.place(s, request, Author(user), [heard], RULES, now))
    assert isinstance(outcome, Placed), outcome
    opened.run(lambda s: reservations.ready(s, id, Facts("10.77.0.5", ADDRESS), now))


class Terminal:
    """A command on a terminal."""

    def __init__(self, width: int, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        words = [sys.executable, "-c", "from tests.command import main; main()", *arguments]
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self._command = subprocess.Popen(
            words,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment | {"TERM": "xterm"},
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def read(self, seconds: float = 1.0) -> bool:
        """Take up what it shows within that time; False when it has ended."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return True
        try:
            more = os.read(self._ours, 65536).decode()
        except OSError:  # it has ended
            return False
        self.shown += more
        return bool(more)

    def until(self, text: str, seconds: float = 120.0) -> None:
        """Wait until it shows this text."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert self.read() and time.monotonic() < deadline, self.shown

    def write(self, text: str) -> None:
        """Type this."""
        os.write(self._ours, text.encode())

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self._command.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self, seconds: float = 120.0) -> int:
        """Its exit code, when it has shown all."""
        deadline = time.monotonic() + seconds
        while self.read():
            assert time.monotonic() < deadline, self.shown
        return self._command.wait(30)

    def close(self) -> None:
        """End it."""
        self._command.kill()
        self._command.wait()
        os.close(self._ours)


@contextmanager
def terminal(width: int, *arguments: str) -> Iterator[Terminal]:
    """A command on a terminal of that width."""
    made = Terminal(width, *arguments)
    try:
        yield made
    finally:
        made.close()
