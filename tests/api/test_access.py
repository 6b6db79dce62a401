"""Who may call which route: what the rules refuse is refused over HTTP, for each role, by every route of the document.

What is allowed is not called here: it would be done. ``tests/service/test_rules.py`` walks that without doing it.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cache
from typing import Any

import httpx
import pytest
from fastapi import Request

from tests import openapi
from tests.access import CALLERS, Caller, School, promised, school, sorts
from vclab.api import examples
from vclab.api.app import make_app
from vclab.contract import USE_CASES
from vclab.contract.use_case import Content, UseCase
from vclab.model.ids import new_id
from vclab.model.intents import Outcome
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.store import intents

AnyUseCase = UseCase[Any, Any]
OTHERS = {
    *(("GET", "/api/v1/health/live"), ("GET", "/api/v1/health/ready")),
    *(("POST", "/api/v1/device"), ("POST", "/api/v1/device/token")),
}
"""Routes of the document that are no use cases: load balancers ask, and programs that nobody has let in yet."""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """The school of the walk, which lets everybody ask as fast as they can."""
    made = school(tmp_path_factory.mktemp("school"), {"api": {"limits": {"person_rate": 1e6, "person_burst": 1e6}}})
    yield made
    made.backend.store.close()


@pytest.fixture
async def client(there: School) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the application, as whoever the header names."""
    actors = {caller.login: caller.actor() for caller in CALLERS}

    async def by_name(backend: Backend, request: Request) -> Actor:
        return actors[request.headers["authorization"]]

    transport = httpx.ASGITransport(make_app(there.backend, by_name))
    async with httpx.AsyncClient(transport=transport, base_url="http://api/api/v1") as made:
        yield made


def test_every_route_of_the_document_is_that_of_a_use_case() -> None:
    described = {(method.upper(), path) for path, has in json.loads(openapi.text())["paths"].items() for method in has}
    known = {(each.route.method, f"/api/v1{each.route.path}") for each in USE_CASES.values()}
    assert described == known | OTHERS


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.login)
async def test_what_is_refused_is_refused_over_http(there: School, client: httpx.AsyncClient, caller: Caller) -> None:
    wrong = []
    for use_case in USE_CASES.values():
        for whose in set(sorts(use_case)) - promised(use_case, caller):
            name = there.named(use_case, caller, whose)
            if name is not None:
                answer = await client.send(request(client, use_case, name, caller.login))
                if answer.status_code not in (403, 404) or answer.json()["code"] not in ("forbidden", "not_found"):
                    wrong.append((use_case.name, str(whose), answer.status_code, answer.text))
    assert wrong == []
    with there.backend.store.read() as session:
        kept = [each for each in intents.newest(session, 10_000) if each.actor == caller.login]
    assert {each.outcome for each in kept} <= {Outcome.REFUSED}


@cache
def needed(use_case: AnyUseCase) -> Mapping[str, Any]:
    """An example of each field that a question must have."""
    schema = use_case.question.model_json_schema()
    required = {each: schema["properties"][each] for each in schema.get("required", ())}
    return {each: examples.of(each, of, schema.get("$defs", {})) for each, of in required.items()}


def request(client: httpx.AsyncClient, use_case: AnyUseCase, name: str, login: str) -> httpx.Request:
    """One that asks for this thing, with an example in all other fields that are needed."""
    fields = dict(needed(use_case))
    if field := use_case.rule.field:
        several = use_case.question.model_fields[field].annotation is not str
        fields[field] = [name] if several else name
    route = use_case.route
    path = route.path.format(**{each: fields.pop(each) for each in route.fields if each in fields})
    in_query = route.method == "GET" or use_case.content is Content.SENT
    more: dict[str, Any] = {"params": fields} if in_query else {"json": fields}
    if use_case.name == "acts.reserve":
        fields["reservation"] = new_id()
    return client.build_request(route.method, path.lstrip("/"), headers={"Authorization": login}, **more)
