"""Running what a verb asks for, so that Ctrl-C ends it at once."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """As ``asyncio.run``. After Ctrl-C it does not wait for threads: a database that does not answer keeps one busy.

    Raises ``KeyboardInterrupt``.
    """
    runner = asyncio.Runner()
    try:
        answer = runner.run(work)
    except KeyboardInterrupt:
        raise  # closing the runner waits for its threads; the process ends now anyway
    except BaseException:
        runner.close()
        raise
    runner.close()
    return answer
