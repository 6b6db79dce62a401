"""The application on the installation of the service tests, asked without a network."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import Request

from tests.service.conftest import Lab, lab, seeded
from vclab.api.app import make_app
from vclab.model.errors import Unauthenticated
from vclab.service.actor import Actor
from vclab.service.authentication import Account, authenticate
from vclab.service.backend import Backend

__all__ = ["lab", "seeded"]

Ask = Callable[..., Awaitable[httpx.Response]]


async def by_name(backend: Backend, request: Request) -> Actor:
    """Who asks is who they say they are."""
    login = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not login:
        raise Unauthenticated("who are you?")
    return await authenticate(backend, Account("root"), login)


@pytest.fixture
async def ask(lab: Lab) -> AsyncIterator[Ask]:
    """``await ask("alice", "GET", "/me")``."""
    transport = httpx.ASGITransport(make_app(lab.backend, by_name))
    async with httpx.AsyncClient(transport=transport, base_url="http://api/api/v1") as client:

        async def asking(who: str, method: str, path: str, **more: Any) -> httpx.Response:
            headers = {"Authorization": f"Bearer {who}"} if who else {}
            headers |= more.pop("headers", {})
            return await client.request(method, path.lstrip("/"), headers=headers, **more)

        yield asking
