"""How far work on a disk is, told to the step that does it, which may be asked to stop."""

import time
from collections.abc import Callable

from vclab.library.content import Told
from vclab.model.durations import format_duration
from vclab.model.errors import Interrupted
from vclab.model.revisions import GIB
from vclab.model.steps import StepContext

MIB = 1 << 20
SOON = 2.0
"""Seconds after which it can be told how long work takes."""


def stopping(context: StepContext) -> Told:
    """Tells nobody. Raises ``Interrupted``."""

    def told(done: int, size: int) -> None:
        if context.cancelled:
            raise Interrupted("stopped as asked")

    return told


class Measure:
    """How far work on a disk is, in bytes, how fast it is, and how long it will take still. It begins with the first
    bytes that it is told of; what was done before them, by another attempt, tells nothing about that."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None

    def words(self, done: int, size: int) -> str:
        """``", 1.2 of 8.0 GiB at 52 MiB/s, about 2 min left"``; empty while that can't be told."""
        if not size:
            return ""
        self._began = self._began or (time.monotonic(), done)
        spent, mine = time.monotonic() - self._began[0], done - self._began[1]
        if spent < SOON or mine <= 0 or done >= size:
            return ""
        left = format_duration(max(1, round(spent * (size - done) / mine)))
        return f", {done / GIB:.1f} of {size / GIB:.1f} GiB at {mine / MIB / spent:.0f} MiB/s, about {left} left"


def telling(context: StepContext, text: Callable[[int], str], since: int = 0, until: int = 100) -> Told:
    """Tells the progress in percents of the whole, of which this is the part from ``since`` to ``until``, and how far
    this part is. Raises ``Interrupted``."""
    stop, measure = stopping(context), Measure()

    def told(done: int, size: int) -> None:
        stop(done, size)
        context.progress(text(since + (until - since) * done // max(size, 1)) + measure.words(done, size))

    return told
