"""The server: uvicorn with limits on what comes before a request is one."""

import asyncio
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from vclab.api.limits import HEAD_TOO_LARGE, LARGEST_HEAD, Shares
from vclab.api.problems import STATUS, ApiError, problem
from vclab.settings import ApiLimitSettings, ApiSettings


def server(app: ASGIApp, settings: ApiSettings) -> uvicorn.Server:
    """A server of the application at ``settings.listen``. Raises ``OSError`` for certificates that can't be read."""
    host, _, port = settings.listen.rpartition(":")
    config = uvicorn.Config(
        app,
        host=host.strip("[]"),
        port=int(port),
        http=type("Protocol", (Bounded,), {"limits": settings.limits, "shares": _shares(settings)}),
        ws="none",
        lifespan="on",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(settings.stop_seconds),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
        backlog=2048,
    )
    return Server(config)


def _shares(settings: ApiSettings) -> Shares:
    return Shares(settings.limits.address_connections, "connections come from this address", settings.trusted_proxies)


class Server(uvicorn.Server):
    """Stops at SIGTERM and SIGINT, and then returns: uvicorn's own would end the process by the same signal. It ends
    what would go on for hours, before it waits for all that is being answered."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        if state := getattr(self.config.app, "state", None):
            state.stopping.set()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As the base, but for what follows."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


class Bounded(H11Protocol):
    """HTTP, for so many connections, and so many of one address, each of which has so long to send the headers of a
    request."""

    limits: ClassVar[ApiLimitSettings]
    shares: ClassVar[Shares]
    _share: str = ""
    _slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse("busy", f"there are {self.limits.connections} connections")
            return
        try:
            self._share = self.shares.take(self.client[0] if self.client else "")
        except ApiError as error:
            self._refuse(error.problem, error.message)
            return
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        self._wait_for_head()
        super().data_received(data)
        if not self._idle:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.shares.give_back(self._share)
        self._share = ""
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Of what is no HTTP, or of headers that are too large: these come here when they come in several parts, and
        else to ``Limits``, which says the same. It is called while that error is handled."""
        if getattr(sys.exception(), "error_status_hint", 400) == STATUS["head_too_large"]:
            self._refuse("head_too_large", HEAD_TOO_LARGE)
        else:
            self._refuse("invalid", "this is no HTTP request", 400)

    @property
    def _idle(self) -> bool:
        """No request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_head(self) -> None:
        if self._slow is None and self._idle:
            self._slow = self.loop.call_later(self.limits.head_seconds, self._late)

    def _stop_waiting(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None

    def _late(self) -> None:
        self._slow = None
        if self._idle:
            self._refuse("too_slow", f"no whole request has come within {self.limits.head_seconds:g} s")

    def _refuse(self, code: str, detail: str, status: int = 0) -> None:
        if not self.transport.is_closing():
            self.transport.write(_raw(code, detail, status))
            self.transport.close()


def _raw(code: str, detail: str, status: int) -> bytes:
    """A problem as bytes on the wire."""
    answer = problem(code, detail, "connect again")
    body: Any = answer.body
    head = f"HTTP/1.1 {status or answer.status_code} {code}\r\nConnection: close\r\n"
    fields = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    return f"{head}{fields}\r\n".encode() + bytes(body)
