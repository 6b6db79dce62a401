"""The API in the same process, asked by the client that people have."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
from fastapi import Request
from starlette.types import ASGIApp, Message

from vclab.api.app import make_app
from vclab.client.contexts import Chosen, Context
from vclab.client.http import Http
from vclab.contract.progress import Told, nobody
from vclab.service.actor import Actor
from vclab.service.backend import Backend

Who = Callable[[Backend], Awaitable[Actor]]
PARTS = 8
"""Parts of an answer that wait to be read, at most."""


class Api:
    """The API of an installation, and clients of it. A client's token says who asks, and is believed."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._app = make_app(backend, self._believed)
        self._callers: dict[str, Who] = {}

    def client(self, who: Who, told: Told = nobody) -> Http:
        """A client for one loop after the other. ``who`` says at each request who asks; ``told``: as of ``Http``."""
        token = f"{len(self._callers)}"
        self._callers[token] = who
        self._app.state.stopping = asyncio.Event()  # the one there was may be of a loop that is closed
        return Http(Chosen("", Context(url="http://api"), token), told, Application(self._app))

    async def _believed(self, backend: Backend, request: Request) -> Actor:
        return await self._callers[request.headers["authorization"].removeprefix("Bearer ")](backend)


class Application(httpx.AsyncBaseTransport):
    """Asks an application. Unlike httpx's own, which waits for the whole answer, it gives each part when it comes: the
    stream of what changes never ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As httpx wants it."""
        exchange = _Exchange(self._app, request)
        return await exchange.begun()


class _Exchange(httpx.AsyncByteStream):
    """One request, and its answer while it comes."""

    def __init__(self, app: ASGIApp, request: httpx.Request) -> None:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self._seconds: float | None = request.extensions["timeout"]["read"]
        self._body, self._all_sent = aiter(request.stream), False
        self._wrong: Exception | None = None  #: what kept the body from being read
        self._answer = asyncio.Queue[Message | None](PARTS)  #: None: no more comes
        self._gone = asyncio.Event()
        self._task = asyncio.create_task(self._run(app, _scope(request)))

    async def begun(self) -> httpx.Response:
        """The answer, as soon as it begins. Raises ``httpx.TransportError``, and whatever reading the body raises."""
        try:
            head = await self._next()
            if self._wrong is not None:
                raise self._wrong
        except BaseException:
            await self.aclose()
            raise
        return httpx.Response(head["status"], headers=head["headers"], stream=self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The parts of the answer. Raises ``httpx.TransportError``."""
        more = True
        while more:
            part = await self._next()
            more = part.get("more_body", False)
            yield part.get("body", b"")
        await self._task

    async def aclose(self) -> None:
        """Nobody listens any more."""
        self._gone.set()
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(self._seconds):
                message = await self._answer.get()
        except TimeoutError:
            raise httpx.ReadTimeout(f"nothing came for {self._seconds} s") from None
        if message is None:
            raise self._wrong or httpx.RemoteProtocolError("the answer was cut off")
        return message

    async def _run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._answer.put)
        except Exception as error:
            self._wrong = self._wrong or httpx.RemoteProtocolError(f"the application raised {error!r}")
        await self._answer.put(None)

    async def _receive(self) -> Message:
        if self._all_sent:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        try:
            return {"type": "http.request", "body": await anext(self._body), "more_body": True}
        except StopAsyncIteration:
            self._all_sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        except Exception as error:
            self._wrong = error
            return {"type": "http.disconnect"}


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 50000),
        "root_path": "",
    }
