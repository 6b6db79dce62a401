"""An installation with an API server in this process."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx
from fastapi import FastAPI
from sqlalchemy.orm import Session

from vclab.model import tokens as text
from vclab.model.errors import Unauthenticated
from vclab.model.people import LOCAL, SignedIn
from vclab.model.tokens import ALL, Kind, Scope
from vclab.service.backend import Backend
from vclab.store import tokens

T = TypeVar("T")
URL = "https://lab.test"
ME = "/api/v1/me"


@dataclass(frozen=True)
class Installation:
    """Users alice, bob, carol and olga, who is an operator."""

    backend: Backend
    app: FastAPI

    def store(self, change: Callable[[Session], T]) -> T:
        """Change the store."""
        return self.backend.store.run(change)

    def client(self, address: str = "192.0.2.7", url: str = URL) -> httpx.AsyncClient:
        """A program that comes from there."""
        transport = httpx.ASGITransport(self.app, client=(address, 4711))
        return httpx.AsyncClient(transport=transport, base_url=url)

    def browser(self, address: str = "192.0.2.7") -> httpx.AsyncClient:
        """A browser: it says from which pages its forms are sent."""
        made = self.client(address)

        async def say_origin(request: httpx.Request) -> None:
            if request.method == "POST":
                request.headers.setdefault("Origin", URL)

        made.event_hooks = {"request": [say_origin]}
        return made

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
    answer = await client.get(ME, headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        raise Unauthenticated(answer.json()["detail"])
    assert answer.status_code == 200, answer.text
    return answer.json()["login"], tuple(answer.json()["roles"])


# --- pages ------------------------------------------------------------------------------------------------------------


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    return {
        name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    }


async def sign_in(browser: httpx.AsyncClient, login: str, password: str, then: str = "", **more: str) -> httpx.Response:
    """As somebody does it with the form."""
    page = await browser.get("/sign-in", params={"then": then} if then else {})
    assert page.status_code == 200, page.text
    return await browser.post("/sign-in", data=form_of(page.text) | {"login": login, "password": password} | more)
