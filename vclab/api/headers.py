"""What stands in the head of every answer."""

from importlib.metadata import version

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Headers:
    """No browser guesses what an answer is, nothing between keeps one that does not say that it may, and a command
    line of another version can say so. Whoever came by TLS is to come by TLS again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._version = app, version("vclab")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["vclab-version"] = self._version
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                if scope.get("scheme") == "https":
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        await self._app(scope, receive, told if scope["type"] == "http" else send)
