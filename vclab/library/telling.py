"""How far work on a disk is, told to the step that does it, which may be asked to stop."""

import time
from collections.abc import Callable

from vclab.library.content import Told
from vclab.model.durations import format_duration
from vclab.model.errors import Interrupted
from vclab.model.revisions import GIB
from vclab.model.steps import StepContext

SOON = 2.0
"""Seconds after which it can be told how long work takes."""


def stopping(context: StepContext) -> Told:
    """Tells nobody. Raises ``Interrupted``."""

    def told(done: int, size: int) -> None:
        if context.cancelled:
            raise Interrupted("stopped as asked")

    return told


class Measure:
    """How far work on a disk is, in bytes, and how long it will take still. It begins with the first bytes."""

    def __init__(self) -> None:
        self._began: float | None = None

    def words(self, done: int, size: int) -> str:
        """``", 1.2 of 8.0 GiB, about 2 min left"``; empty while that can't be told."""
        self._began = self._began or time.monotonic()
        spent = time.monotonic() - self._began
        if spent < SOON or not 0 < done < size:
            return ""
        left = format_duration(max(1, round(spent * (size - done) / done)))
        return f", {done / GIB:.1f} of {size / GIB:.1f} GiB, about {left} left"


def telling(context: StepContext, text: Callable[[int], str], since: int = 0, until: int = 100) -> Told:
    """Tells the progress in percents of the whole, of which this is the part from ``since`` to ``until``, and how far
    this part is. Raises ``Interrupted``."""
    stop, measure = stopping(context), Measure()

    def told(done: int, size: int) -> None:
        stop(done, size)
        context.progress(text(since + (until - since) * done // max(size, 1)) + measure.words(done, size))

    return told
