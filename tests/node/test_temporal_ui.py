"""The API shows Temporal's web UI to operators, and to nobody else; what they do there is theirs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request

from tests.node.test_temporal_roles import Server, begun, server
from vclab.api.app import make_app
from vclab.api.temporal_ui import OPERATOR, PATH
from vclab.model.catalog import User
from vclab.model.errors import Refused
from vclab.model.intents import Sender
from vclab.service.actor import Actor, Authentication, Role
from vclab.service.backend import Backend
from vclab.settings import Settings
from vclab.temporal.senders import sender

__all__ = ["server"]
Ask = Callable[..., Awaitable[httpx.Response]]


async def by_name(backend: Backend, request: Request) -> Actor:
    """Who asks is who they say they are; olga is the operator."""
    login = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not login:
        raise Refused("nobody has signed in")
    roles = {Role.USER, *([Role.OPERATOR] if login == "olga" else [])}
    return Actor(login, frozenset(roles), Authentication.ACCOUNT, user=User(login, 20001))


@pytest.fixture
async def ask(server: Server, tmp_path: Path) -> AsyncIterator[Ask]:
    """``await ask("olga", "GET", "/namespaces")``, without a network to the API, and by TLS to the UI."""
    api = {"temporal_ui": f"https://{server.ui}"}
    temporal = server.settings("api").model_dump(exclude_unset=True)
    settings = Settings.model_validate({"database": f"sqlite:///{tmp_path}/none.db", "temporal": temporal, "api": api})
    backend = Backend(settings)
    backend.store.migrate()  # for the grants
    transport = httpx.ASGITransport(make_app(backend, by_name))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:

        async def asking(who: str, method: str, path: str, headers: dict[str, str], **more: Any) -> httpx.Response:
            named = {"Authorization": f"Bearer {who}"} if who else {}
            return await client.request(method, PATH + path, headers=named | headers, **more)

        yield asking


async def test_an_operator_sees_it_and_acts_under_their_own_name(server: Server, ask: Ask) -> None:
    worker = await server.client("worker")
    there = await begun(worker)
    page = await ask("olga", "GET", "/namespaces/default/workflows", {})
    assert page.status_code == 200 and f'"{PATH}/_app/' in page.text
    path = f"/api/v1/namespaces/default/workflows/{there.id}"
    shown = await ask("olga", "GET", path, {"Accept-Encoding": "gzip"})
    assert shown.json()["workflowExecutionInfo"]["execution"]["workflowId"] == there.id
    # A browser that was told to name somebody else, with the cookie that the UI itself has set.
    words = {"Cookie": "_csrf=abc; vclab-session=secret", "X-CSRF-Token": "abc", OPERATOR: "mallory"}
    sent = await ask("olga", "POST", f"{path}/signal/extend", words, json={"signalName": "extend"})
    assert sent.status_code == 200, sent.text
    assert await sender(worker, there.id, there.first_execution_run_id or "", "extend", 1) == Sender("olga", "ui")


async def test_nobody_else_does(server: Server, ask: Ask) -> None:
    there = await begun(await server.client("worker"))
    paths = (
        "/",
        "/namespaces",
        "/api/v1/namespaces/default/workflows",
        f"/api/v1/namespaces/default/workflows/{there.id}",
    )
    for who in ("alice", ""):
        for path in paths:
            answer = await ask(who, "GET", path, {OPERATOR: "olga"})
            assert answer.status_code >= 400 and there.id not in answer.text.replace(path, "")
        end = await ask(who, "POST", f"{paths[-1]}/terminate", {OPERATOR: "olga"}, json={})
        assert end.status_code >= 400
    assert (await there.describe()).status is not None and (await there.describe()).close_time is None
