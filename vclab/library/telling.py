"""How far work on a disk is, told to the step that does it, which may be asked to stop."""

from collections.abc import Callable

from vclab.library.content import Told
from vclab.model.errors import Interrupted
from vclab.model.steps import StepContext


def stopping(context: StepContext) -> Told:
    """Tells nobody. Raises ``Interrupted``."""

    def told(done: int, size: int) -> None:
        if context.cancelled:
            raise Interrupted("stopped as asked")

    return told


def telling(context: StepContext, text: Callable[[int], str], since: int = 0, until: int = 100) -> Told:
    """Tells the progress in percents of the whole, of which this is the part from ``since`` to ``until``. Raises
    ``Interrupted``."""
    stop = stopping(context)

    def told(done: int, size: int) -> None:
        stop(done, size)
        context.progress(text(since + (until - since) * done // max(size, 1)))

    return told
