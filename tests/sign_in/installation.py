"""An installation with an API server in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from vclab.api.authentication import actor_of
from vclab.model import tokens as text
from vclab.model.errors import Unauthenticated, VclabError
from vclab.model.people import LOCAL, SignedIn
from vclab.model.tokens import ALL, Kind, Scope
from vclab.service.backend import Backend
from vclab.store import tokens

T = TypeVar("T")
URL = "https://lab.test"


def small_app(backend: Backend) -> FastAPI:
    """Says who asks, at ``/me``."""
    app = FastAPI()

    @app.exception_handler(VclabError)
    async def problem(request: Request, error: VclabError) -> JSONResponse:
        status = {"unauthenticated": 401, "forbidden": 403}.get(error.code, 503)
        return JSONResponse({"code": error.code, "detail": error.message}, status)

    @app.api_route("/me", methods=["GET", "POST"])
    async def me(request: Request) -> dict[str, object]:
        actor = await actor_of(backend, request)
        return {"login": actor.login, "roles": sorted(actor.roles), "how": actor.authentication, "from": actor.address}

    return app


@dataclass(frozen=True)
class Installation:
    """Users alice, bob, carol and olga, who is an operator."""

    backend: Backend

    def store(self, change: Callable[[Session], T]) -> T:
        """Change the store."""
        return self.backend.store.run(change)

    def client(self, address: str = "192.0.2.7", url: str = URL) -> httpx.AsyncClient:
        """A browser, or a program, that comes from there."""
        transport = httpx.ASGITransport(small_app(self.backend), client=(address, 4711))
        return httpx.AsyncClient(transport=transport, base_url=url)

    def token(
        self,
        user: str,
        kind: Kind = Kind.LOGIN,
        scopes: frozenset[Scope] = ALL,
        seconds: float = 3600,
        who: SignedIn | None = None,
    ) -> str:
        """A token of that person."""
        secret, now = text.make(kind), datetime.now(UTC)
        made = who or SignedIn(user, LOCAL)
        until = now + timedelta(seconds=seconds)
        self.store(lambda s: tokens.put(s, secret, kind, made, "test", scopes, "192.0.2.7", now, until))
        return secret


async def who(client: httpx.AsyncClient, token: str) -> tuple[str, tuple[str, ...]]:
    """Login and roles, as the server knows them by a token. Raises ``Unauthenticated``."""
    answer = await client.get("/me", headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        raise Unauthenticated(answer.json()["detail"])
    assert answer.status_code == 200, answer.text
    return answer.json()["login"], tuple(answer.json()["roles"])
