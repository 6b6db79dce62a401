"""One operation at a time on each BMC, in this process: the others wait, and say for what.

Whoever holds a computer is its tenure's matter, so two processes meet at a BMC only while one attempt replaces another.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from vclab.model.errors import Interrupted, Unreachable
from vclab.model.steps import StepContext

_LOOK = 0.1
_SAY = 1.0  #: seconds between two words on waiting


@dataclass
class _Turn:
    lock: threading.Lock = field(default_factory=threading.Lock)
    what: str = ""
    since: float = 0.0
    failed: tuple[float, str] = (0.0, "")  #: when nobody answered, and how that reads


class Turns:
    """Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._turns: dict[str, _Turn] = {}

    @contextmanager
    def take(self, place: str, what: str, seconds: float, context: StepContext) -> Iterator[None]:
        """Have the BMC for ``what``. Waits ``seconds`` at most.

        Raises ``Unreachable`` with what is waited for, and at once for all who wait for a BMC that turns out to be
        dead; ``Interrupted``.
        """
        with self._guard:
            turn = self._turns.setdefault(place, _Turn())
        asked = time.monotonic()
        _wait(turn, asked, seconds, context)
        try:
            if turn.failed[0] > asked:
                raise Unreachable(turn.failed[1])
            turn.what, turn.since = what, time.monotonic()
            try:
                yield
            except Unreachable as error:
                turn.failed = (time.monotonic(), error.message)
                raise
        finally:
            turn.lock.release()


def _wait(turn: _Turn, asked: float, seconds: float, context: StepContext) -> None:
    said = 0.0
    while not turn.lock.acquire(timeout=_LOOK):
        now = time.monotonic()
        if context.cancelled:
            raise Interrupted("stopped while another operation on the BMC was waited for")
        words = f"'{turn.what}', which began {now - turn.since:.0f} s ago"
        if now - asked > seconds:
            raise Unreachable(f"is busy for longer than {seconds:g} s with {words}")
        if now - said > _SAY:
            context.progress(f"waiting for another operation on its BMC: {words}")
            said = now
