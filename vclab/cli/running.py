"""Running what a verb asks for, so that Ctrl-C ends it at once."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_LEFT: list[asyncio.Runner] = []  # what was interrupted: asyncio complains of tasks that are forgotten before their end


def run(work: Coroutine[Any, Any, T]) -> T:
    """As ``asyncio.run``. After Ctrl-C it does not wait for threads: a database that does not answer keeps one busy.

    Raises ``KeyboardInterrupt``.
    """
    runner = asyncio.Runner()
    try:
        answer = runner.run(_interruptible(work))
    except KeyboardInterrupt:
        _LEFT.append(runner)  # closing it waits for its threads; the process ends now anyway
        raise
    except BaseException:
        runner.close()
        raise
    runner.close()
    return answer


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Ctrl-C cancels it; a second one does not wait for that.

    By a signal handler of the loop: that of ``asyncio.run`` does not wake a loop that is just about to wait. A shell
    has background processes ignore Ctrl-C; that stays so.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return await work
    loop, task, pressed = asyncio.get_running_loop(), asyncio.current_task(), False

    def press() -> None:
        nonlocal pressed
        if pressed or task is None:
            loop.remove_signal_handler(signal.SIGINT)
            raise KeyboardInterrupt
        pressed = True
        task.cancel()

    loop.add_signal_handler(signal.SIGINT, press)
    try:
        return await work
    except asyncio.CancelledError:
        if pressed:
            raise KeyboardInterrupt from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)
