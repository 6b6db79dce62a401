"""A limit to how fast bytes are read or sent."""

import time

from vclab.library.content import Told

LONGEST_PAUSE = 0.5
"""Seconds: whoever is told, and may end the work, is told that often."""


def paced(told: Told, rate: int) -> Told:
    """``told``, which also holds the work back to ``rate`` bytes a second from now on; 0: not at all."""
    if not rate:
        return told
    began, before = time.monotonic(), 0

    def hold(done: int, size: int) -> None:
        nonlocal began, before
        if done < before:  # what is read back begins anew
            began = time.monotonic()
        before = done
        told(done, size)
        while (early := began + done / rate - time.monotonic()) > 0:
            time.sleep(min(early, LONGEST_PAUSE))
            told(done, size)

    return hold
