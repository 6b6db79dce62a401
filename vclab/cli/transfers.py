"""The progress of work on large files, and sizes in words."""

import sys
import time

from vclab.cli.output import note
from vclab.cli.tables import printable

EVERY = 10.0
"""Seconds between two lines where nobody looks at a terminal."""
OFTEN = 0.2
"""And between two changes of the line at a terminal."""


class Progress:
    """Shows ``importing debian.qcow2: 40 %, about 12 s left`` on stderr. May be called in any thread."""

    def __init__(self) -> None:
        self._what, self._done, self._began, self._told = "", 0, 0.0, 0.0

    def __call__(self, what: str, done: int, size: int) -> None:
        """So far it is."""
        now, terminal, last = time.monotonic(), sys.stderr.isatty(), done >= size
        if what != self._what or done < self._done:
            self._what, self._began, self._told = what, now, now
        self._done = done
        if size <= 0 or (last and not terminal) or (not last and now - self._told < (OFTEN if terminal else EVERY)):
            return
        self._told = now
        text = f"{printable(what)}: {100 * done // size} %{self._left(done, size, now)}"
        if terminal:
            sys.stderr.write(f"\r\x1b[K{'' if last else text}")
            sys.stderr.flush()
        else:
            note(text)

    def _left(self, done: int, size: int, now: float) -> str:
        seconds = (now - self._began) * (size - done) / done if done else 0.0
        return f", about {seconds:.0f} s left" if 1 < seconds < 86400 else ""


def sized(number: int) -> str:
    """Bytes in words: "812 MiB"."""
    for unit, power in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if number >= 1 << power:
            exact = number / (1 << power)
            return f"{exact:.1f} {unit}" if exact < 10 and number % (1 << power) else f"{exact:.0f} {unit}"
    return f"{number} bytes"
