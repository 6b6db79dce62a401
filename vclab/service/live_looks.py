"""How far reservations are, as it changes: what their workflows say is in no table, so it is asked for.

However many people watch a reservation, it is looked at once, and never more often than every ``APART`` seconds.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from vclab.contract.looks import Look
from vclab.model.errors import Unreachable
from vclab.service.backend import Backend
from vclab.service.live import Watcher
from vclab.service.looks import look_at

APART = 1.0
"""Seconds between two looks at a reservation, at least."""
STILL = 10.0
"""Seconds between two looks at one that waits for nobody, if the store tells of no change."""
AT_ONCE = 16
"""Looks that run at one moment."""


class Seen:
    """The newest look at one reservation, for one who watches it."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._newest: Look | Exception | None = None

    def put(self, look: Look | Exception) -> None:
        """Take the place of a look that nobody has taken yet."""
        self._newest = look
        self._news.set()

    async def take(self) -> Look:
        """The next one that differs from the one before. Raises what ended the looks."""
        await self._news.wait()
        self._news.clear()
        if isinstance(self._newest, Exception):
            raise self._newest
        assert self._newest is not None
        return self._newest


class _Watched:
    """One reservation that somebody watches."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.task: asyncio.Task[None] | None = None
        self.last: Look | None = None
        self.watchers: set[Seen] = set()

    def tell(self, look: Look | Exception) -> None:
        """All who watch."""
        for each in self.watchers:
            each.put(look)


class LiveLooks:
    """Looks at the reservations that somebody watches in this process."""

    def __init__(self, backend: Backend, watcher: Watcher) -> None:
        self._backend = backend
        self._watcher = watcher
        self._watched: dict[str, _Watched] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def watched(self, reservation: str) -> AsyncIterator[Seen]:
        """While within, the reservation is looked at. It is not asked here who may see it."""
        found = self._watched.get(reservation)
        if found is None:
            found = self._watched[reservation] = _Watched(reservation)
            found.task = asyncio.create_task(self._follow(found))
        mine = Seen()
        found.watchers.add(mine)
        if found.last is not None:
            mine.put(found.last)
        try:
            yield mine
        finally:
            found.watchers.discard(mine)
            if not found.watchers and found.task is not None:
                found.task.cancel()
                self._forget(found)

    def _forget(self, watched: _Watched) -> None:
        if self._watched.get(watched.id) is watched:
            del self._watched[watched.id]

    async def _follow(self, watched: _Watched) -> None:
        """Until it has ended, or nobody watches any more. What ends it otherwise, those who watch are told."""
        try:
            async with self._watcher.subscribed(
                lambda each: each.kind == "reservation" and each.thing == watched.id
            ) as news:
                while (look := await self._look(watched)) is None or not look.ended:
                    await asyncio.sleep(APART)
                    if look is not None and look.settled:
                        await news.take(STILL - APART)
        except Exception as error:
            self._forget(watched)
            watched.tell(error)

    async def _look(self, watched: _Watched) -> Look | None:
        """Look, and tell those who watch if it differs. None while the database does not answer."""
        try:
            async with self._turns:
                look = await look_at(self._backend, watched.id)
        except Unreachable:
            return None
        if watched.last is None or still(look) != still(watched.last):
            watched.last = look
            watched.tell(look)
        return look


def still(look: Look) -> dict[str, Any]:
    """All of it that is not a running clock."""
    now = look.now.model_copy(update={"seconds_left": None}) if look.now else None
    return {**dict(look), "now": now}
