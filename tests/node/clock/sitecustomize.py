"""Python's own sleep fails under libfaketime 0.9.10 (EINVAL from clock_nanosleep); waiting for a lock does not."""

import threading
import time


def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)


time.sleep = _sleep  # type: ignore[assignment]
