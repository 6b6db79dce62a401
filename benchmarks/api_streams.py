"""Many who listen to server-sent events at one time: when the last of them has heard of a change."""

import asyncio
import time
from collections.abc import Sequence
from itertools import cycle, islice
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.store.engine import Store
from vclab.store.models import Image

CHANGES, PAUSE = 8, 2.5
"""So many, with so many seconds before each: long enough that it is asked again who listens, of all."""
PATIENCE = 60.0


async def measure(url: str, secrets: Sequence[str], store: Store, count: int) -> list[float]:
    """Of each change the seconds until all have heard of it. Raises ``TimeoutError`` when somebody has not."""
    crowd = _Crowd(url, count)
    listening = [asyncio.create_task(crowd.listen(secret)) for secret in islice(cycle(secrets), count)]
    found = []
    try:
        await crowd.all_have_heard()  # that it begins
        for number in range(CHANGES):
            await asyncio.sleep(PAUSE)
            begun = time.perf_counter()
            await asyncio.to_thread(store.run, lambda session, number=number: _change(session, number))
            found.append(await crowd.all_have_heard() - begun)
    finally:
        for each in listening:
            each.cancel()
    return found


def _change(session: Session, number: int) -> None:
    session.execute(sa.update(Image).values(title=f"Fake {number}"))


class _Crowd:
    """All who listen."""

    def __init__(self, url: str, count: int) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._count, self._heard, self._all = count, 0, asyncio.Event()

    async def listen(self, secret: str) -> None:
        """One more, with a connection of its own and next to nothing around it."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        head = f"GET /api/v1/events?kind=image HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {secret}\r\n\r\n"
        writer.write(head.encode())
        async for line in reader:
            if line.startswith((b"event: start", b"event: change")):
                self._heard += 1
                if self._heard == self._count:
                    self._all.set()

    async def all_have_heard(self) -> float:
        """The moment, by ``time.perf_counter``, when the last has heard of what comes next."""
        async with asyncio.timeout(PATIENCE):
            await self._all.wait()
        self._heard = 0
        self._all.clear()
        return time.perf_counter()
