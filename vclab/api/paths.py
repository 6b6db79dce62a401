"""Names in paths: any character may be in one, and none of it is ever mistaken for a part of the path."""

from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send


class Segments:
    """Has routes be found by the path as it was sent. A server hands it on decoded, where ``%2F`` of a name separates:
    ``DELETE /computers/m1%2Fconsole`` would be about the console of m1, and not about a computer of such a name."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        """Of all paths below ``prefix``."""
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] == "http" and scope["path"].startswith(self._prefix):
            sent = scope["raw_path"].decode("ascii", "replace").partition("?")[0]
            scope = {**scope, "path": "/".join(map(_canonical, sent.split("/")))}
        await self._app(scope, receive, send)


def named(request: Request) -> dict[str, str]:
    """What the path of a request names, by field."""
    return {field: unquote(value) for field, value in request.path_params.items()}


def _canonical(segment: str) -> str:
    """The same, written in one way."""
    return quote(unquote(segment), safe="")
