"""What changes, as it changes: one watcher of the feed in a process, for all who subscribe there.

A change that anybody has made reaches every subscriber of every process within ``POLL`` and the time of one query. A
subscriber who can't keep up is cut off, and goes on later from the number it has: the feed has it all.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy.orm import Session

from vclab.model.errors import Unreachable, VclabError
from vclab.service.backend import Backend
from vclab.store import feed
from vclab.store.feed import BATCH, Bounds, Change

POLL = 0.1
"""Seconds between two looks for news, while somebody listens."""
AWAY = 1.0
"""Seconds between two looks while the database does not answer."""
WAITING = 2 * BATCH
"""Changes that may wait for a subscriber. Who lets more come up is cut off."""

Wants = Callable[[Change], bool]


class TooSlow(VclabError):
    """A subscriber did not take what came, and gets no more."""

    code = "too_slow"


@dataclass(frozen=True)
class Start:
    """From here on a subscriber hears of everything."""

    number: int
    gap: bool  #: something before it was lost: what is known must be read anew


class Subscription:
    """What one subscriber has yet to take."""

    def __init__(self, wants: Wants, number: int) -> None:
        self.wants = wants
        self.number = number  #: what is not beyond it was taken, or was not wanted
        self._waiting: deque[Change] = deque()
        self._news = asyncio.Event()
        self._over: Exception | None = None

    def offer(self, changes: list[Change]) -> None:
        """Add those that it wants; when they are too many it is cut off, and all are dropped."""
        if self._over:
            return
        self._waiting.extend(filter(self.wants, changes))
        if len(self._waiting) > WAITING:
            self.end(TooSlow(f"more than {WAITING} changes waited to be taken", "go on from the last number seen"))
        elif self._waiting:
            self._news.set()

    def end(self, why: Exception) -> None:
        """Nothing more comes."""
        self._waiting.clear()
        self._over = why
        self._news.set()

    async def take(self, seconds: float) -> list[Change]:
        """What has come; nothing after so many seconds. Raises ``TooSlow``, and whatever ended the watcher."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        if self._over:
            raise self._over
        self._news.clear()
        taken = [each for each in self._waiting if each.number > self.number]
        self._waiting.clear()
        if taken:
            self.number = taken[-1].number
        return taken

    @property
    def waiting(self) -> int:
        """How many have come that were not taken."""
        return len(self._waiting)


class Watcher:
    """Reads the feed once for all subscribers; not at all while there are none."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._subscriptions: set[Subscription] = set()
        self._number = 0
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    @asynccontextmanager
    async def subscribed(self, wants: Wants) -> AsyncIterator[Subscription]:
        """While within, what changes from now on is kept for the subscriber. Raises ``Unreachable`` at the start."""
        async with self._starting:
            if self._task is None:
                self._number = await asyncio.to_thread(feed.end, self._backend.store)
                self._task = asyncio.create_task(self._watch())
            mine = Subscription(wants, self._number)
            self._subscriptions.add(mine)
        try:
            yield mine
        finally:
            self._subscriptions.discard(mine)
            if not self._subscriptions and self._task is not None:
                self._task.cancel()
                self._task = None

    async def missed(self, mine: Subscription, after: int) -> AsyncIterator[list[Change] | Start]:
        """What came after that number and before the subscription, page by page; then where it begins.

        It is read as the subscriber takes it. If some of it is lost, that is said, and nothing is told of it.
        """
        until, number = mine.number, after
        while True:
            bounds, page = await self._backend.read(lambda s, number=number: _page(s, number))  # type: ignore[misc]
            if not bounds.reach(number):
                yield Start(max(until, mine.number), gap=True)
                return
            mine.number = max(until, number)  # another process may have numbered further than this one has read
            page = [each for each in page if each.number <= until]
            if not page:
                yield Start(mine.number, gap=False)
                return
            number = page[-1].number
            yield [each for each in page if mine.wants(each)]

    async def _watch(self) -> None:
        """Until there are no subscribers. What ends it otherwise, they are told."""
        try:
            while True:
                pause = await self._step()
                await asyncio.sleep(pause)
        except Exception as error:
            for each in self._subscriptions:
                each.end(error)
            self._task = None

    async def _step(self) -> float:
        """Hand on what is new; the seconds until the next look."""
        try:
            found = await asyncio.to_thread(feed.advance, self._backend.store, self._number)
        except Unreachable:
            return AWAY  # subscribers wait; who asks for anything else is told why
        if found:
            self._number = found[-1].number
            newest = newest_of_each(found)
            for each in self._subscriptions:
                each.offer(newest)
        return 0.0 if len(found) == BATCH else POLL


def newest_of_each(changes: list[Change]) -> list[Change]:
    """Of several changes of a thing the last: it is read as it is now in any case."""
    return sorted({(each.kind, each.thing): each for each in changes}.values(), key=lambda each: each.number)


def _page(session: Session, number: int) -> tuple[Bounds, list[Change]]:
    return feed.bounds(session), feed.after(session, number)
