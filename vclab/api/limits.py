"""What one request may cost: bytes, seconds, a place among those that are answered, and a share for each who asks."""

import asyncio
import math
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vclab.api.problems import ApiError, of_error
from vclab.settings import ApiLimitSettings

STREAM = "/events"
"""How the path of a stream ends."""
MOST_KNOWN = 100_000
"""Of whom is remembered when they asked; then those are forgotten who have not asked for longest."""


Own = Sequence[tuple[re.Pattern[str], int]]
"""Of paths: how many bytes may be sent."""
LARGEST_HEAD = 16 * 1024
"""Bytes of a request's path and headers."""
PACE = 1 << 20
"""Bytes of a body within ``body_seconds``; each further time as many may take as long again."""


class Rate:
    """So many a second on the average, and so many at once, of each key (the generic cell rate algorithm)."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._burst, self._clock = 1.0 / rate, burst, clock
        self._due: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str) -> None:
        """One more. Raises ``ApiError``, which says when to ask again."""
        self.check(key)
        now = self._clock()
        self._due[key] = max(self._due.pop(key, now), now) + self._every
        while len(self._due) > MOST_KNOWN:
            self._due.popitem(last=False)

    def check(self, key: str) -> None:
        """Whether one more would be too many; it is not counted. Raises ``ApiError``."""
        early = self._due.get(key, 0.0) - self._clock() - (self._burst - 1) * self._every
        if early > 1e-9:
            seconds = max(1, math.ceil(early))
            hint = f"ask again in {seconds} s, and not more often than {1 / self._every:g} times a second"
            raise ApiError("too_many", "too many requests", hint, {"Retry-After": str(seconds)})


class Limits:
    """Holds what comes in and what goes out within the limits of the settings."""

    def __init__(self, app: ASGIApp, limits: ApiLimitSettings, own: Own) -> None:
        """``own``: paths whose requests may have more bytes than ``limits.body``."""
        self._app, self._limits, self._own = app, limits, own
        self._addresses = Rate(limits.address_rate, limits.address_burst)
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        try:
            most = self._check(scope)
        except ApiError as error:
            return await of_error(error)(scope, receive, send)
        counted = not scope["path"].endswith(STREAM)  # one goes on for hours, and does nothing
        self._running += counted
        try:
            await _Exchange(self._limits, most, scope, receive, send).run(self._app)
        finally:
            self._running -= counted

    def _check(self, scope: Scope) -> int:
        """Before anything is read: how many bytes it may have. Raises ``ApiError``."""
        self._addresses.take(scope["client"][0] if scope.get("client") else "")
        if self._running >= self._limits.requests:
            raise ApiError("busy", f"{self._running} requests are being answered", "ask again in a moment")
        own = next((most for path, most in self._own if path.fullmatch(scope["path"])), 0)
        most = max(self._limits.body, own)
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size + len(scope.get("raw_path", b"")) + len(scope["query_string"]) > LARGEST_HEAD:
            raise ApiError("head_too_large", f"path and headers have more than {LARGEST_HEAD:,} bytes", "send fewer")
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            raise _too_large(most)
        return most


class _Exchange:
    """One request and its answer."""

    def __init__(self, limits: ApiLimitSettings, most: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._limits, self._most, self._scope, self._receive, self._send = limits, most, scope, receive, send
        self._began = asyncio.get_running_loop().time()
        self._bytes, self._whole, self._answered = 0, False, False

    async def run(self, app: ASGIApp) -> None:
        try:
            await app(self._scope, self.receive, self.send)
        except ApiError as error:
            if self._answered:
                raise
            await of_error(error)(self._scope, self._receive, self.send)

    async def receive(self) -> Message:
        """The next part of the body. Raises ``ApiError`` when there is too much of it, or it does not come."""
        if self._whole:
            return await self._receive()
        deadline = self._began + self._limits.body_seconds * (1 + self._bytes // PACE)
        message = await _in_time(self._receive, deadline, self._limits.body_seconds)
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._bytes > self._most:
            raise _too_large(self._most)
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """A part of the answer. Raises ``TimeoutError``, which ends the connection, when nobody takes it."""
        if message["type"] == "http.response.start":
            self._answered = True
        async with asyncio.timeout(self._limits.answer_seconds):
            await self._send(message)


async def _in_time(receive: Callable[[], Awaitable[Message]], deadline: float, seconds: float) -> Message:
    try:
        async with asyncio.timeout_at(deadline):
            return await receive()
    except TimeoutError:
        close = {"Connection": "close"}
        raise ApiError(
            "too_slow", f"less than 1 MiB of the body has come within {seconds:g} s", "send it faster", close
        ) from None


def _too_large(most: int) -> ApiError:
    close = {"Connection": "close"}  # the rest of it is not read
    return ApiError("too_large", f"the body has more than {most:,} bytes", "send less at a time", close)
