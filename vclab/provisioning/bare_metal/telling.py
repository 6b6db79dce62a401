"""What a long step tells people of how far it is, and asks meanwhile."""

import time

from vclab.library.content import Told
from vclab.model.errors import Interrupted
from vclab.model.steps import StepContext

FENCED_EVERY = 5.0
"""Seconds: who works for long asks so often whether the computer is still its own."""
_MIB = 1 << 20


def telling(context: StepContext, what: str) -> Told:
    """Tells people bytes, rate and time left; asks whether it is to go on, and now and then the fence."""
    began = asked = time.monotonic()
    first = -1

    def told(done: int, of: int) -> None:
        nonlocal asked, first
        go_on(context)
        if time.monotonic() - asked > FENCED_EVERY:
            asked = time.monotonic()
            context.fence()
        if of:
            first = done if first < 0 else first
            context.progress(_progress(done, of, done - first, time.monotonic() - began, what))

    return told


def _progress(done: int, of: int, since: int, seconds: float, what: str) -> str:
    text = f"{done // _MIB} of {of // _MIB} MiB {what} ({100 * done // of} %)"
    if since and seconds > 1:
        rate = since / seconds
        text += f", {rate / _MIB:.0f} MiB/s, {(of - done) / rate:.0f} s left"
    return text


def go_on(context: StepContext) -> None:
    """Raises ``Interrupted`` when it is asked to stop."""
    if context.cancelled:
        raise Interrupted("stopped, as it was asked to")
