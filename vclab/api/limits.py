"""What one request may cost: bytes, seconds, a place among those that are answered, and a share for each who asks."""

import asyncio
import math
import re
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vclab.api.problems import ApiError, of_error
from vclab.model.addresses import as_seen, counted, is_within
from vclab.settings import ApiLimitSettings, ApiSettings

STREAM = "/events"
"""How the path of a stream ends."""
MOST_KNOWN = 100_000
"""Of whom is remembered when they asked; then those are forgotten who have not asked for longest."""


Own = Sequence[tuple[re.Pattern[str], int]]
"""Of paths: how many bytes may be sent."""
LARGEST_HEAD = 16 * 1024
"""Bytes of a request's path and headers."""
HEAD_TOO_LARGE = f"path and headers have more than {LARGEST_HEAD:,} bytes"
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


class Shares:
    """So much of something that the server has only so much of, for each address (IPv6: a /64). A trusted proxy has no
    share: it comes for many."""

    def __init__(self, most: int, what: str, trusted: Sequence[str]) -> None:
        self._most, self._what, self._trusted = most, what, trusted
        self._held: Counter[str] = Counter()

    def take(self, peer: str) -> str:
        """One more. Returns what gives it back. Raises ``ApiError``."""
        address = counted(peer)
        if not (seen := as_seen(peer)) or is_within(seen, self._trusted):
            return ""
        if self._held[address] >= self._most:
            close = {"Connection": "close", "Retry-After": "1"}
            raise ApiError("too_many", f"{self._most} {self._what}", "end some of them, and ask again", close)
        self._held[address] += 1
        return address

    def give_back(self, taken: str) -> None:
        """What ``take`` has returned. Harmless when that was nothing."""
        self._held[taken] -= 1
        if self._held[taken] <= 0:
            del self._held[taken]


class Running:
    """The requests that are answered at this moment."""

    def __init__(self, most: int) -> None:
        self._most, self._now = most, 0

    def check(self) -> None:
        """Raises ``ApiError`` when there can't be one more."""
        if self._now >= self._most:
            raise ApiError("busy", f"{self._now} requests are being answered", "ask again in a moment")

    def take(self) -> None:
        """One more. Raises as ``check``."""
        self.check()
        self._now += 1

    def give_back(self) -> None:
        """One is answered."""
        self._now -= 1


class Limits:
    """Holds what comes in and what goes out within the limits of the settings."""

    def __init__(self, app: ASGIApp, settings: ApiSettings, own: Own) -> None:
        """``own``: paths whose requests may have more bytes than ``limits.body``."""
        self._app, self._limits, self._own = app, settings.limits, own
        self._addresses = Rate(self._limits.address_rate, self._limits.address_burst)
        self._running = Running(self._limits.requests)
        what = "requests from this address have sent a part of their body"
        self._bodies = Shares(self._limits.address_bodies, what, settings.trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        try:
            most = self._check(scope)
        except ApiError as error:
            return await of_error(error)(scope, receive, send)
        exchange = _Exchange(self._limits, most, self._running, self._bodies, scope, receive, send)
        return await exchange.run(self._app)

    def _check(self, scope: Scope) -> int:
        """Before anything is read: how many bytes it may have. Raises ``ApiError``."""
        self._addresses.take(counted(_peer(scope)))
        self._running.check()
        own = next((most for path, most in self._own if path.fullmatch(scope["path"])), 0)
        most = max(self._limits.body, own)
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size + len(scope.get("raw_path", b"")) + len(scope["query_string"]) > LARGEST_HEAD:
            raise ApiError("head_too_large", HEAD_TOO_LARGE, "send fewer")
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            raise _too_large(most)
        return most


class _Exchange:
    """One request and its answer. It runs from when all of it is there: before, it only has a share of its address."""

    def __init__(
        self,
        limits: ApiLimitSettings,
        most: int,
        running: Running,
        bodies: Shares,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._limits, self._most, self._scope, self._receive, self._send = limits, most, scope, receive, send
        self._running, self._bodies = running, bodies
        self._began = asyncio.get_running_loop().time()
        self._bytes, self._whole, self._answered = 0, False, False
        self._runs = False
        self._share: str | None = None  # of the bodies that its address sends; None: it has none

    async def run(self, app: ASGIApp) -> None:
        """Its answer; a refusal by a limit is one."""
        try:
            if not _has_body(self._scope):
                self._run_now()
            await app(self._scope, self.receive, self.send)
        except ApiError as error:
            if self._answered:
                raise
            await of_error(error)(self._scope, self._receive, self._send)
        finally:
            if self._runs:
                self._running.give_back()
            self._stop_waiting()

    def _run_now(self) -> None:
        """Raises ``ApiError``."""
        if not self._scope["path"].endswith(STREAM):  # one goes on for hours, and does nothing
            self._running.take()
            self._runs = True

    def _wait_for_body(self) -> None:
        """Raises ``ApiError``."""
        if self._share is None:
            self._share = self._bodies.take(_peer(self._scope))

    def _stop_waiting(self) -> None:
        if self._share is not None:
            self._bodies.give_back(self._share)
            self._share = None

    async def receive(self) -> Message:
        """The next part of the body. Raises ``ApiError`` when there is too much of it, or it does not come; and when
        all of it is there, but too many requests are being answered."""
        if self._whole:
            return await self._receive()
        self._wait_for_body()
        deadline = self._began + self._limits.body_seconds * (1 + self._bytes // PACE)
        message = await _in_time(self._receive, deadline, self._limits.body_seconds)
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._most:
            raise _too_large(self._most)
        self._whole = not message.get("more_body", False)
        if self._whole:
            self._stop_waiting()
            if not self._runs and message["type"] == "http.request":
                self._run_now()
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """A part of the answer. Raises ``TimeoutError``, which ends the connection, when nobody takes it."""
        if message["type"] == "http.response.start":
            self._answered = True
        async with asyncio.timeout(self._limits.answer_seconds):
            await self._send(message)


def _peer(scope: Scope) -> str:
    """Whose request it is; empty: not known, such as of a Unix socket."""
    return scope["client"][0] if scope.get("client") else ""


def _has_body(scope: Scope) -> bool:
    """Whether something is to come that whoever answers it reads first."""
    fields = Headers(scope=scope)
    announced = "transfer-encoding" in fields or int(fields.get("content-length", "0")) > 0
    return announced and scope["method"] in ("POST", "PUT", "PATCH")


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
