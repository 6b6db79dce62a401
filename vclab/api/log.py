"""The access log, and the last resort of what goes wrong. Neither tokens nor queries are in it."""

import logging
import re
import time
from collections.abc import Callable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vclab.api.problems import fault

log = logging.getLogger("vclab.api.access")

_TOKEN = re.compile("vc[a-z]_[0-9A-Za-z]+")
LONGEST = 200
"""Characters of a path."""


Observe = Callable[[str, int, float], None]
"""Is told of each request: the path of its route, the status of the answer, and the seconds that it took."""


def nobody(route: str, status: int, seconds: float) -> None:
    """Is told, and does nothing."""


class AccessLog:
    """One line for each request: from where, who, what, how it came out, and how long it took."""

    def __init__(self, app: ASGIApp, observe: Observe) -> None:
        self._app, self._observe = app, observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it. What is raised before an answer becomes a problem, and is in the log."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status, began = 0, time.perf_counter()

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, told)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception:
            answer = fault()
            if status:
                raise
            await answer(scope, receive, told)
        finally:
            seconds = time.perf_counter() - began
            self._observe(getattr(scope.get("route"), "path", ""), status, seconds)
            log.info("%s", _line(scope, status, seconds))


def _line(scope: Scope, status: int, seconds: float) -> str:
    """``198.51.100.7 alice POST /api/v1/reservations 200 41 ms``."""
    address = scope["client"][0] if scope.get("client") else "-"
    path = scope.get("raw_path", b"").partition(b"?")[0].decode("ascii", "replace")
    path = _TOKEN.sub("vct_…", path)  # somebody may have put it in the wrong place
    shown = path if len(path) <= LONGEST else f"{path[:LONGEST]}…"
    who = getattr(scope.get("state", {}).get("actor"), "login", "-")
    return f"{address} {who} {scope['method']} {shown} {status or '-'} {seconds * 1000:.0f} ms"
