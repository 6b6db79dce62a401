"""What changes at a server, as it changes: an iterator that goes on by itself after a connection was lost.

It begins with ``start`` (or ``reset``, when it had to leave something out): from there on nothing is missed, so whoever
reads the lists then, and again what ``change`` names, has them as they are.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from vclab.client import bounded
from vclab.client.problems import error_of
from vclab.client.protocol import Streaming
from vclab.model.errors import Failed

PATH = "/events"
SILENT = 40.0
"""Seconds without a sign of life, of which the server gives one every 15 s, after which the connection is lost."""
PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the connection is made anew; the last again and again."""
_AGAIN = frozenset({"too_slow", "unreachable", "busy", "too_many"})


@dataclass(frozen=True)
class Told:
    """One event; "lost" is our own: there is no connection now, and ``data`` has why."""

    name: str
    data: Mapping[str, Any]
    number: int | None = None


async def events(
    server: Streaming,
    kinds: Sequence[str] = (),
    reservations: Sequence[str] = (),
    after: int | None = None,
) -> AsyncGenerator[Told, None]:
    """What is told, for ever. Raises the server's error when one may not listen, or no more; ``Failed`` for what is
    no event."""
    query = {"kind": list(kinds), "reservation": list(reservations)}
    number, tries = after, 0
    while True:
        lost = "the server has ended the connection"
        try:
            headers = {} if number is None else {"Last-Event-ID": str(number)}
            async with server.streamed(PATH, query, headers, SILENT) as response:
                if response.status_code != 200:
                    lost = await _refused(response, server.url)
                else:
                    async for told in _read(response):
                        number, tries = told.number if told.number is not None else number, 0
                        if told.name == "end":
                            lost = _ended(told, server.url)
                            break
                        yield told
        except httpx.TransportError as error:
            lost = str(error) or type(error).__name__
        yield Told("lost", {"why": lost}, number)
        await asyncio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
        tries += 1


async def paced(told: AsyncIterator[Told], seconds: float) -> AsyncIterator[Told | None]:
    """The same, and None whenever nothing has come for so long."""
    waiting = asyncio.ensure_future(anext(told))
    try:
        while True:
            await asyncio.wait({waiting}, timeout=seconds)
            if not waiting.done():
                yield None
                continue
            one = waiting.result()
            waiting = asyncio.ensure_future(anext(told))
            yield one
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})


async def _refused(response: httpx.Response, url: str) -> str:
    """Why it can't be listened to now. Raises what will not change by itself."""
    document = bounded.document(await bounded.whole(response, bounded.LARGEST_EVENT))
    error = error_of(response.status_code, document, url)
    if response.status_code in (429, 502, 503, 504):
        return error.message
    raise error


def _ended(told: Told, url: str) -> str:
    """Why it ended. Raises what will not change by itself."""
    if told.data.get("code") in _AGAIN:
        return str(told.data.get("detail"))
    raise error_of(401 if told.data.get("code") == "unauthenticated" else 403, told.data, url)


def _document(text: str) -> dict[str, Any]:
    """Raises ``Failed``."""
    found = bounded.document(text.encode())
    if not isinstance(found, dict):
        raise Failed("what the server tells is not understood", "it may be another version of vclab")
    return found


async def _read(response: httpx.Response) -> AsyncIterator[Told]:
    """The events of a stream: what we need of the standard, which is what our server sends."""
    name, data, number = "", "", None
    async for raw in bounded.lines(response, bounded.LARGEST_EVENT):
        line = raw.decode(errors="replace")
        what, _, value = line.partition(": ")
        if what == "event":
            name = value
        elif what == "data":
            data = value
        elif what == "id":
            number = int(value) if value.isdecimal() else None
        elif not line and name:
            yield Told(name, _document(data), number)
            name, data, number = "", "", None
