"""A real HTTP server on 127.0.0.1 that answers what a test wrote down, and notes what it was asked."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

LOST = object()
"""The connection ends without an answer."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    document: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Script = Callable[[Asked], Any]
"""Gives an ``Answer``, a document, or ``LOST``."""


@dataclass
class Scripted:
    """The server."""

    url: str
    asked: list[Asked] = field(default_factory=list)

    async def handle(self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (answer := await self._one(script, reader)) is not LOST:
                writer.write(_bytes(answer if isinstance(answer, Answer) else Answer(answer)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, script: Script, reader: asyncio.StreamReader) -> Any:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = first.split(" ")
        if headers.get("transfer-encoding") == "chunked":
            body = b"".join([piece async for piece in _chunks(reader)])
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = Asked(method, target, headers, body)
        self.asked.append(asked)
        return script(asked)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readline(), 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readline()


def _bytes(answer: Answer) -> bytes:
    raw = answer.document if isinstance(answer.document, bytes) else json.dumps(answer.document).encode()
    body = b"" if answer.status == 204 else raw
    headers = {"content-type": "application/json", "content-length": str(len(body)), **answer.headers}
    head = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join((*head, "", "")).encode() + body


@asynccontextmanager
async def scripted(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    """A server that answers by this script."""
    made = Scripted("")

    running: set[asyncio.Task[None]] = set()

    def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(made.handle(script, reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield made
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
