"""The access log, and the last resort of what goes wrong. Neither tokens nor queries are in it."""

import logging
import time
from importlib.metadata import version

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vclab.api.problems import fault

log = logging.getLogger("vclab.api.access")

VERSION = version("vclab").encode()
"""Each answer tells it, so that a command line of another one can say so."""
LONGEST = 200
"""Characters of a path."""


class AccessLog:
    """One line for each request: from where, who, what, how it came out, and how long it took."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it. What is raised before an answer becomes a problem, and is in the log."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status, began = 0, time.perf_counter()

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"vclab-version", VERSION)]
            await send(message)

        try:
            await self._app(scope, receive, told)
        except Exception:
            answer = fault()
            if status:
                raise
            await answer(scope, receive, told)
        finally:
            log.info("%s", _line(scope, status, time.perf_counter() - began))


def _line(scope: Scope, status: int, seconds: float) -> str:
    """``198.51.100.7 alice POST /api/v1/reservations 200 41 ms``."""
    address = scope["client"][0] if scope.get("client") else "-"
    path = scope.get("raw_path", b"").partition(b"?")[0].decode("ascii", "replace")
    shown = path if len(path) <= LONGEST else f"{path[:LONGEST]}…"
    who = getattr(scope.get("state", {}).get("actor"), "login", "-")
    return f"{address} {who} {scope['method']} {shown} {status or '-'} {seconds * 1000:.0f} ms"
