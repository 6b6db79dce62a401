"""Runs hardware work in an activity: heartbeats, progress, what to remember, cancellation, and the fence."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from temporalio import activity

from vclab.model.attempts import ActivityAttempt
from vclab.model.plans import Target

HEARTBEAT_SECONDS = 2.0

T = TypeVar("T")


class Fence(Protocol):
    """Asks whether a target's tenure is still the one that holds its computer, and no newer attempt works on it."""

    def begin(self, target: Target, attempt: ActivityAttempt) -> None:
        """An attempt begins that will change something: older ones are refused from now on. Blocks and raises as
        ``check`` does."""

    def check(self, target: Target, attempt: ActivityAttempt | None) -> None:
        """Blocks. Raises ``Fenced`` when it is not, ``Unreachable`` when that can't be known. Without an ``attempt``
        any one of the generation may act."""


def this_attempt() -> ActivityAttempt:
    """The attempt in whose task this is called."""
    info = activity.info()
    number = int(info.activity_id) if info.activity_id.isdecimal() else 0
    return ActivityAttempt(info.workflow_run_id or "", number, info.attempt, info.scheduled_time, info.activity_type)


def asking(fence: Fence, target: Target) -> Callable[[], None]:
    """The fence of this attempt: may be called from any thread."""
    attempt = this_attempt()
    return lambda: fence.check(target, attempt)


class Context:
    """The ``StepContext`` of one attempt. Safe to use from the thread that does the work."""

    def __init__(self, fence: Callable[[], None]) -> None:
        self.fence = fence
        self._cancelled = threading.Event()
        self._text = ""
        self._details: dict[str, str] = {}
        self._loop = asyncio.get_running_loop()
        self._variables = contextvars.copy_context()
        earlier = activity.info().heartbeat_details
        self.remembered: Mapping[str, str] = dict(earlier[1]) if len(earlier) > 1 else {}
        self._details.update(self.remembered)

    @property
    def cancelled(self) -> bool:
        """True once the activity is asked to stop."""
        return self._cancelled.is_set()

    def progress(self, text: str) -> None:
        """Shown with the next heartbeat."""
        self._text = text

    def remember(self, **details: str) -> None:
        """Carried by every heartbeat from now on, and sent at once: what is not sent dies with the worker."""
        self._details.update(details)
        self._loop.call_soon_threadsafe(self._variables.copy().run, self.beat)

    def cancel(self) -> None:
        """Ask the work to stop."""
        self._cancelled.set()

    def beat(self) -> None:
        """Send a heartbeat. Only from the activity's own task."""
        activity.heartbeat(self._text, self._details)

    def beat_details(self) -> None:
        """Send a heartbeat if there is something to remember."""
        if self._details:
            self.beat()


def unfenced() -> None:
    """The fence of work that touches no computer."""


@asynccontextmanager
async def heartbeating(fence: Callable[[], None]) -> AsyncIterator[Context]:
    """A context whose heartbeats go out every two seconds while the block runs.

    Each heartbeat is a call that the server writes down, so short work sends none; only what it remembered must not
    be lost when it fails.
    """
    context, loop = Context(fence), asyncio.get_running_loop()
    next_beat: asyncio.TimerHandle

    def beat_on() -> None:
        nonlocal next_beat
        context.beat()
        next_beat = loop.call_later(HEARTBEAT_SECONDS, beat_on)

    next_beat = loop.call_later(HEARTBEAT_SECONDS, beat_on)  # a timer costs less than a task, in work that is short
    try:
        yield context
    except BaseException:
        context.beat_details()
        raise
    finally:
        next_beat.cancel()


async def in_thread(executor: Executor, context: Context, work: Callable[..., T], *args: Any) -> T:
    """Run blocking work in a thread. When cancelled, the work is asked to stop and is waited for: never left behind."""
    future = asyncio.get_running_loop().run_in_executor(executor, contextvars.copy_context().run, work, *args)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        context.cancel()
        await asyncio.wait([future])
        future.exception()  # looked at, so that it is not reported as lost
        raise
