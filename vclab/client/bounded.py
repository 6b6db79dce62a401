"""Answers as far as there is room for them: who has taken a server over fills no memory of its users."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from vclab.model.errors import Failed

LARGEST = 64 << 20
"""Bytes of an answer, or of a line of one: as many as the largest table that is sent."""
LARGEST_EVENT = 1 << 20
"""Bytes of a line of the events, each of which is about one thing."""


async def whole(response: httpx.Response, most: int) -> bytes:
    """All of it. Raises ``Failed``, ``httpx.TransportError``."""
    got = bytearray()
    async for piece in response.aiter_bytes():
        got += piece
        _confirm(len(got), most, response)
    return bytes(got)


async def lines(response: httpx.Response, most: int) -> AsyncIterator[bytes]:
    """Line by line, as they come; what has no line feed at its end is the last one. Raises as ``whole``."""
    rest = bytearray()
    async for piece in response.aiter_bytes():
        *done, left = piece.split(b"\n")
        for each in done:
            rest += each
            _confirm(len(rest), most, response)
            yield bytes(rest)
            rest.clear()
        rest += left
        _confirm(len(rest), most, response)
    if rest:
        yield bytes(rest)


def document(text: bytes) -> Any:
    """What the JSON says; None: it is none, or is nested without end."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _confirm(size: int, most: int, response: httpx.Response) -> None:
    if size > most:
        host = response.request.url.host
        raise Failed(f"{host} answers with more than {most:,} bytes at a time", "is it a server of vclab?")
