"""Keeps a site's looks between their times: one activity a look, with neither a thread nor a connection held."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from temporalio import activity

from activities import metrics
from activities.errors import redacted
from vclab.model.errors import NotYet

T = TypeVar("T")

AT_ONCE = 300
"""Looks at computers that answered last time; as many more at those that did not, which may take long."""
LONGEST = 180.0
"""Seconds for one look: a slow computer takes 10 s for each of a handful of commands."""
DUE, EVERY, SAID, UNSEEN = "due", "every", "said", "unseen"
"""What a heartbeat carries: when the next look is due (seconds since 1970), the seconds between two, what the last one
saw, and why nothing can be seen."""


class HandedOver(NotYet):
    """The worker stops between two looks: the next one goes on."""

    def __init__(self) -> None:
        super().__init__("the worker was stopped; the next one goes on", 0.1)


class CannotLook(NotYet):
    """The computer can't be looked at now, so nothing is known of who is connected."""

    def __init__(self, why: str, next_look_seconds: float) -> None:
        super().__init__(f"{why}; next look in {next_look_seconds:g} s", next_look_seconds)
        self.why = why


class Watch:
    """Looks again and again, in the activity that calls it, until a look returns.

    Not ``kept``, a look that saw nothing fails as ``NotYet``, and the server keeps it until the next one: for workflows
    whose clock is not the worker's.
    """

    def __init__(self, kept: bool = True, at_once: int = AT_ONCE) -> None:
        self._watched = Counter[str]()  #: computers that are watched now, by the kind of look
        self._kept = kept
        self._answering, self._silent = asyncio.Semaphore(at_once), asyncio.Semaphore(at_once)

    async def until(self, look: Callable[[], Awaitable[T]], first: NotYet | None = None) -> T:
        """The first answer of a look that does not raise ``NotYet``. ``first``: what is known before the first look,
        which has time until the next one then. Raises what a look raises."""
        if not self._kept:
            return await self._one(look, first if activity.info().attempt == 1 else None)
        vigil = _Vigil(first)
        with self._counted(), vigil.beating():
            while True:
                await vigil.next_look()
                try:
                    return await self._look(look, vigil)
                except NotYet as error:
                    vigil.wait(error)

    async def _one(self, look: Callable[[], Awaitable[T]], first: NotYet | None) -> T:
        if first is not None:
            raise first
        info = activity.info()
        metrics.look_begins((info.started_time - info.current_attempt_scheduled_time).total_seconds())
        with self._counted():
            return await look()

    async def _look(self, look: Callable[[], Awaitable[T]], vigil: "_Vigil") -> T:
        """Computers that did not answer queue by themselves: a look at one takes long, and delays no other."""
        async with self._silent if vigil.unseen else self._answering:
            metrics.look_begins(vigil.late)
            try:
                async with asyncio.timeout(LONGEST):
                    return await look()
            except TimeoutError:
                raise CannotLook(f"no answer within {LONGEST:g} s", vigil.every) from None
            except CannotLook:
                metrics.look_failed()
                raise

    @contextmanager
    def _counted(self) -> Iterator[None]:
        kind = activity.info().activity_type
        self._watched[kind] += 1
        metrics.computers_watched(self._watched[kind])
        try:
            yield
        finally:
            self._watched[kind] -= 1
            metrics.computers_watched(self._watched[kind])


class _Vigil:
    """One look's times, and what its heartbeats carry: a worker that takes it up goes on where the last one was."""

    def __init__(self, first: NotYet | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._due, self.unseen, self.every = self._loop.time(), "", 15.0
        self._details: tuple[Any, ...] = tuple(activity.info().heartbeat_details)
        timeout = activity.info().heartbeat_timeout
        self._beat_seconds = timeout.total_seconds() / 2 if timeout else 60.0
        if len(self._details) > 1:
            self._go_on(self._details[1])
        elif first is not None:
            self.wait(first)

    def _go_on(self, carried: dict[str, str]) -> None:
        self.unseen, self.every = carried[UNSEEN], float(carried[EVERY])
        self._due += min(max(float(carried[DUE]) - time.time(), 0), self.every)

    @property
    def late(self) -> float:
        """Seconds."""
        return self._loop.time() - self._due

    def wait(self, error: NotYet) -> None:
        """Nothing yet: when the next look is due, and what is said meanwhile."""
        self.every = error.next_look_seconds
        self._due = self._loop.time() + self.every
        self.unseen = redacted(error.why) if isinstance(error, CannotLook) else ""
        said, due = redacted(str(error)), f"{time.time() + self.every:.1f}"
        self._details = said, {DUE: due, EVERY: str(self.every), SAID: said, UNSEEN: self.unseen}
        activity.heartbeat(*self._details)

    async def next_look(self) -> None:
        """Sleep until it is due. Raises ``HandedOver`` when the worker stops."""
        left = self._due - self._loop.time()
        if left > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await activity.wait_for_worker_shutdown()
        if activity.is_worker_shutdown():
            raise HandedOver

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Heartbeats go out while the block runs. The SDK sends no more of them than the server needs."""
        timer: asyncio.TimerHandle

        def beat() -> None:
            nonlocal timer
            activity.heartbeat(*self._details)
            timer = self._loop.call_later(self._beat_seconds, beat)

        timer = self._loop.call_later(self._beat_seconds, beat)
        try:
            yield
        finally:
            timer.cancel()
