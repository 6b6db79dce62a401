"""Who may call which route: what the rules refuse is refused over HTTP, for each role, by every route of the document;
what they allow is let through. What that would do is not done here.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Request

from tests import openapi
from tests.access import CALLERS, OVER_ALL, USER, Caller, School, Whose, promised, school, sorts
from tests.asgi import Application
from vclab.api import examples
from vclab.api.app import make_app
from vclab.contract import USE_CASES
from vclab.contract.use_case import Content, UseCase
from vclab.model.access import Role
from vclab.model.errors import Refused
from vclab.model.ids import new_id
from vclab.model.intents import Outcome
from vclab.model.people import LOCAL, SignedIn
from vclab.model.tokens import ALL, Kind, Scope, make
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.use_case import Call
from vclab.store import intents, tokens
from vclab.store.table_base import Base

AnyUseCase = UseCase[Any, Any]
OTHERS = {
    *(("GET", "/api/v1/health/live"), ("GET", "/api/v1/health/ready"), ("GET", "/api/v1/events")),
    *(("POST", "/api/v1/device"), ("POST", "/api/v1/device/token")),
}
"""Routes of the document that are no use cases: load balancers ask, and programs that nobody has let in yet;
and the stream, of which ``test_who_hears_what_happens``."""


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


# --- what is allowed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.login)
async def test_what_is_allowed_is_let_through(
    there: School, client: httpx.AsyncClient, caller: Caller, reached: list[str]
) -> None:
    """Up to what does it, with one thing of those that the table of roles promises."""
    wrong, wanted = [], []
    for use_case in USE_CASES.values():
        for whose in sorted(promised(use_case, caller), key=list(Whose).index)[:1]:
            if (name := there.named(use_case, caller, whose)) is not None:
                wanted.append(use_case.name)
                answer = await client.send(request(client, use_case, name, caller.login))
                if answer.status_code != 409 or NOT_DONE not in answer.json()["detail"]:
                    wrong.append((use_case.name, str(whose), answer.status_code, answer.text))
    assert wrong == [] and reached == wanted


# --- scopes of tokens -----------------------------------------------------------------------------------------------

READS, ACTS = frozenset({Scope.READ}), frozenset({Scope.READ, Scope.ACT})
LOOKED_AFTER = [OVER_ALL[Role.OPERATOR], OVER_ALL[Role.ADMINISTRATOR]]


@pytest.fixture
async def by_token(there: School) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the application as it is: with the tokens that it knows."""
    transport = Application(make_app(there.backend))
    async with httpx.AsyncClient(transport=transport, base_url="http://api/api/v1") as made:
        yield made


@pytest.mark.parametrize("caller", LOOKED_AFTER, ids=lambda caller: caller.login)
async def test_a_token_that_may_only_read_does_nothing(
    there: School, by_token: httpx.AsyncClient, caller: Caller
) -> None:
    """Whatever its person may."""
    token, before = bearer(there, caller, READS), rows(there)
    for use_case in USE_CASES.values():
        if use_case.acts:
            answer = await by_token.send(request(by_token, use_case, first_name(there, use_case, caller), token))
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), use_case.name
    assert rows(there) == before


@pytest.mark.parametrize("caller", LOOKED_AFTER, ids=lambda caller: caller.login)
async def test_a_token_without_the_roles_of_its_person_is_a_users(
    there: School, by_token: httpx.AsyncClient, caller: Caller
) -> None:
    token, before, user, wrong = bearer(there, caller, ACTS), rows(there), Caller(caller.login), []
    for use_case in USE_CASES.values():
        for whose in set(sorts(use_case)) - promised(use_case, user):
            if (name := there.named(use_case, user, whose)) is not None:
                answer = await by_token.send(request(by_token, use_case, name, token))
                if answer.status_code not in (403, 404) or answer.json()["code"] not in ("forbidden", "not_found"):
                    wrong.append((use_case.name, str(whose), answer.status_code, answer.text))
    assert wrong == [] and rows(there) == before


@pytest.mark.parametrize("scopes", [READS, ACTS, ALL], ids=lambda scopes: "-".join(sorted(scopes)))
async def test_a_token_is_let_through_as_far_as_its_scopes_reach(
    there: School, by_token: httpx.AsyncClient, scopes: frozenset[Scope], reached: list[str]
) -> None:
    """An operator's: to everything that the role permits with all of them, else to what a user may."""
    caller = OVER_ALL[Role.OPERATOR]
    token = bearer(there, caller, scopes)
    as_whom = caller if Scope.ADMIN in scopes else Caller(caller.login)
    allowed = [
        each for each in USE_CASES.values() if promised(each, as_whom) and (Scope.ACT in scopes or not each.acts)
    ]
    for use_case in allowed:
        answer = await by_token.send(request(by_token, use_case, first_name(there, use_case, as_whom), token))
        assert answer.status_code == 409 and NOT_DONE in answer.json()["detail"], (use_case.name, answer.text)
    assert reached == [each.name for each in allowed]


async def test_who_hears_what_happens(there: School, by_token: httpx.AsyncClient) -> None:
    """Whoever is let in, with any token; it reaches what its person sees (``test_feed.py``)."""
    for token, status in ((bearer(there, USER, READS), 200), ("Bearer vct_x", 401), ("", 401)):
        headers = {"Authorization": token} if token else {}
        async with by_token.stream("GET", "events", headers=headers) as answer:
            assert answer.status_code == status


async def test_who_gets_to_temporals_own_pages(there: School, by_token: httpx.AsyncClient) -> None:
    """Operators only, with a token that has their role: it passes requests on to nothing here."""
    for caller in CALLERS:
        if caller.user:
            for scopes in (READS, ACTS, ALL):
                operates = caller == OVER_ALL[Role.OPERATOR] and scopes == ALL
                headers = {"Authorization": bearer(there, caller, scopes)}
                answer = await by_token.get("http://api/temporal/", headers=headers)
                assert (answer.status_code == 403) is not operates, (caller, scopes, answer.text)
    assert (await by_token.get("http://api/temporal/")).status_code == 401


def bearer(there: School, caller: Caller, scopes: frozenset[Scope]) -> str:
    """What the header says with a token of theirs."""
    secret, now = make(Kind.PERSONAL), datetime.now(UTC)
    who, until = SignedIn(caller.login, LOCAL), now + timedelta(hours=1)
    there.backend.store.run(lambda s: tokens.put(s, secret, Kind.PERSONAL, who, "test", scopes, "", now, until))
    return f"Bearer {secret}"


def rows(there: School) -> dict[str, list[str]]:
    """All that is stored, but for what was tried, and by whom, and which tokens there are."""
    kept = [each for each in Base.metadata.sorted_tables if each.name not in ("intents", "tokens")]
    with there.backend.store.read() as session:
        return {each.name: sorted(map(repr, session.execute(sa.select(each)))) for each in kept}


def first_name(there: School, use_case: AnyUseCase, caller: Caller) -> str:
    """Of something with which they may call it."""
    names = (there.named(use_case, caller, whose) for whose in Whose if whose in promised(use_case, caller))
    return next((name for name in names if name is not None), "nowhere")


# --- how it is asked ------------------------------------------------------------------------------------------------

NOT_DONE = "it would be done now"


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the use cases that were let through. They refuse, and do nothing."""
    found: list[str] = []

    def doing_nothing(use_case: AnyUseCase) -> Callable[[Call, Any], Awaitable[Any]]:
        async def refuse(call: Call, question: Any) -> Any:
            found.append(use_case.name)
            raise Refused(NOT_DONE)

        return refuse

    monkeypatch.setattr("vclab.service.use_case.implementation", doing_nothing)
    return found


@cache
def needed(use_case: AnyUseCase) -> Mapping[str, Any]:
    """An example of each field that a question must have, or that makes sense with it."""
    schema = use_case.question.model_json_schema()
    return examples.question(use_case, schema, schema.get("$defs", {}))


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
