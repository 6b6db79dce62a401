"""Temporal's own web UI, for operators who are signed in here: it can end and signal workflows, and asks nobody itself.

It answers this server only, by its certificate (``deploy/temporal/ui.go``), and is told for which operator it is asked.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from functools import cached_property

import httpx
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from vclab.api.guard import Authenticate
from vclab.api.sign_in.pages import to_sign_in
from vclab.model.errors import Refused, Unauthenticated, Unreachable
from vclab.service.backend import Backend
from vclab.service.temporal_ui import ask
from vclab.settings import TemporalSettings

PATH = "/temporal"
OPERATOR = "vclab-operator"
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_OF_ONE_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"})
_OURS = frozenset({"authorization", "cookie", OPERATOR, "content-length"})
_ITS_COOKIE = "_csrf"


def temporal_ui(backend: Backend, authenticate: Authenticate) -> APIRouter:
    """Everything below ``/temporal``, passed on."""
    router, there = APIRouter(), Passing(backend.settings.api.temporal_ui, backend.settings.temporal)

    @router.get(PATH, include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse(f"{PATH}/")

    @router.api_route(f"{PATH}/{{path:path}}", methods=_METHODS, include_in_schema=False)
    async def page(request: Request, path: str) -> Response:
        try:
            actor = request.state.actor = await authenticate(backend, request)
        except Unauthenticated:
            if not _shows_pages(request):
                raise
            return to_sign_in(f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path)
        return await ask(backend, actor, request.method, f"/{path}", lambda: there.ask(request, actor.login))

    return router


class Passing:
    """Passes requests on to where the UI listens."""

    def __init__(self, url: str, temporal: TemporalSettings) -> None:
        self._url = url
        self._temporal = temporal

    async def ask(self, request: Request, operator: str) -> Response:
        """The UI's answer. Raises ``Unreachable``, ``Refused`` where there is none."""
        if not self._url:
            raise Refused("no web UI of Temporal is shown here", "`api.temporal_ui` of the settings names it")
        asked = self._client.build_request(
            request.method,
            request.url.path,
            params=request.url.query.encode(),
            headers=_passed_on(request, operator),
            content=await request.body(),
        )
        try:
            answer = await self._client.send(asked, stream=True)
        except httpx.HTTPError as error:
            raise Unreachable(f"Temporal's web UI does not answer: {error}") from None
        shown = {name: value for name, value in answer.headers.items() if name not in _OF_ONE_HOP}
        return StreamingResponse(_content(answer), answer.status_code, shown)

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._url, verify=self._trust(), timeout=httpx.Timeout(60.0, connect=5.0))

    def _trust(self) -> ssl.SSLContext:
        """The authority that the Temporal server's certificate has, and our certificate, as it is asked for there."""
        said = self._temporal
        context = ssl.create_default_context(cafile=said.tls_ca)
        if said.tls_cert and said.tls_key:
            context.load_cert_chain(said.tls_cert, said.tls_key)
        return context


def _shows_pages(request: Request) -> bool:
    """A person's browser goes there; not a script of a page, and no program."""
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


def _passed_on(request: Request, operator: str) -> Mapping[str, str]:
    """What the browser says, without what is for us alone; and who it is."""
    said = {name: value for name, value in request.headers.items() if name not in _OF_ONE_HOP | _OURS}
    if its := request.cookies.get(_ITS_COOKIE):
        said["cookie"] = f"{_ITS_COOKIE}={its}"
    return {"accept-encoding": "identity", **said, OPERATOR: operator}  # else httpx asks for what the browser did not


async def _content(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for part in answer.aiter_raw():
            yield part
    finally:
        await answer.aclose()
