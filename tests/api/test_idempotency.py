"""The same key never does an act twice."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.api.conftest import Ask
from tests.service.conftest import NOW, Lab
from tests.store.lab import RULES, inventory
from vclab.api import idempotency
from vclab.model.errors import Refused, Unreachable
from vclab.model.intents import Author
from vclab.model.reservations import ReserveRequest
from vclab.store import placement
from vclab.store.api_tables import KeyedAct

WANTED = {"image": "debian-12", "seconds": 3600}
KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


@pytest.fixture(autouse=True)
def placing(lab: Lab) -> None:
    """Requests find a place."""

    def place(request: object) -> None:
        if isinstance(request, ReserveRequest):
            by, heard = Author(request.user, act=request.intent), [inventory(taken_at=NOW)]
            lab.store.run(lambda s: placement.place(s, request, by, heard, RULES, NOW))

    lab.workflows.does = place


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody waits for another's answer."""
    monkeypatch.setattr(idempotency, "PATIENCE", 0.0)
    yield


async def reserve(ask: Ask, who: str = "alice", **more: Any) -> Any:
    return await ask(who, "POST", "/reservations", json=more or WANTED, headers=KEY)


async def test_who_lost_the_answer_gets_it_again(ask: Ask, lab: Lab) -> None:
    first, again = await reserve(ask), await reserve(ask)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content and again.headers["idempotency-replayed"] == "true"
    assert len(lab.workflows.sent) == 1


async def test_a_refusal_is_an_answer_too(ask: Ask, lab: Lab) -> None:
    def refuse(message: object) -> None:
        raise Refused("no place")

    lab.workflows.does = refuse
    first, again = await reserve(ask), await reserve(ask)
    assert first.status_code == again.status_code == 409 and first.content == again.content
    assert again.headers["content-type"] == "application/problem+json"
    assert len(lab.workflows.sent) == 1


async def test_two_at_once_make_one_reservation(ask: Ask, lab: Lab) -> None:
    answers = await asyncio.gather(*(reserve(ask) for _ in range(5)))
    assert {each.status_code for each in answers} == {200} and len({each.json()["id"] for each in answers}) == 1
    assert len(lab.workflows.sent) == 1


async def test_what_nothing_answered_is_asked_again_under_the_same_ids(ask: Ask, lab: Lab) -> None:
    """It may have been done: the same ids make a repeat harmless."""
    does = lab.workflows.does

    def silent(message: object) -> None:
        raise Unreachable("no answer")

    made = lab.reserved()
    lab.workflows.does = silent
    path = f"/reservations/{made.id}/extend"
    first = await ask("alice", "POST", path, json={"by": 60}, headers=KEY)
    lab.workflows.does = does
    again = await ask("alice", "POST", path, json={"by": 60}, headers=KEY)
    assert (first.status_code, again.status_code) == (503, 200)
    (_, one), (_, other) = lab.workflows.sent
    assert one.intent == other.intent


async def test_what_a_killed_server_had_begun_is_done_under_the_same_ids(ask: Ask, lab: Lab) -> None:
    """It was killed after it had asked for the place, and before it had kept an answer."""
    made = (await reserve(ask)).json()["id"]
    past = datetime.now(UTC) - timedelta(seconds=1)
    lab.store.run(lambda s: s.execute(sa.update(KeyedAct).values(status=0, answer="", held_until=past)) and None)
    assert (await reserve(ask)).json()["id"] == made
    (_, one), (_, other) = lab.workflows.sent
    assert (one.id, one.intent) == (other.id, other.intent)


async def entitle(ask: Ask, tag: str, title: str = "new") -> Any:
    more = {"json": {"title": title}, "headers": KEY | {"If-Match": tag}}
    return await ask("olga", "PATCH", "/images/debian-12", **more)


async def test_a_repeat_is_not_compared_with_what_it_has_changed_itself(ask: Ask, lab: Lab) -> None:
    """Neither when the answer was lost, nor when its server was killed before it had kept it."""
    tag = (await ask("olga", "GET", "/images/debian-12")).headers["etag"]
    first, again = await entitle(ask, tag), await entitle(ask, tag)
    assert (first.status_code, again.status_code) == (200, 200), again.text
    assert again.content == first.content and again.headers["idempotency-replayed"] == "true"
    past = datetime.now(UTC) - timedelta(seconds=1)
    lab.store.run(lambda s: s.execute(sa.update(KeyedAct).values(status=0, answer="", held_until=past)) and None)
    assert (await entitle(ask, tag)).content == first.content


async def test_what_had_changed_can_be_asked_again_by_who_has_read_it_again(ask: Ask, lab: Lab) -> None:
    told = await entitle(ask, '"old"')
    assert (told.status_code, told.json()["code"]) == (412, "changed")
    shown = await ask("olga", "GET", "/images/debian-12")
    assert shown.json()["title"] != "new"
    assert (await entitle(ask, shown.headers["etag"])).json()["title"] == "new"


async def test_what_is_under_way_is_told(ask: Ask, lab: Lab, impatient: None) -> None:
    await reserve(ask)
    soon = datetime.now(UTC) + timedelta(seconds=20)
    lab.store.run(lambda s: s.execute(sa.update(KeyedAct).values(status=0, answer="", held_until=soon)) and None)
    told = await reserve(ask)
    assert (told.status_code, told.json()["code"]) == (409, "in_progress") and told.headers["retry-after"]


async def test_a_key_is_for_one_thing(ask: Ask, lab: Lab) -> None:
    await reserve(ask)
    told = await reserve(ask, image="debian-12", seconds=7200)
    assert (told.status_code, told.json()["code"]) == (422, "key_reused")
    assert len(lab.workflows.sent) == 1


async def test_anothers_key_is_another_key(ask: Ask, lab: Lab) -> None:
    first, other = await reserve(ask), await reserve(ask, "bob")
    assert first.json()["id"] != other.json()["id"]


@pytest.mark.parametrize("key", ["", "x" * 201, "caf\u00e9".encode()])
async def test_what_can_be_no_key(ask: Ask, lab: Lab, key: Any) -> None:
    told = await ask("alice", "POST", "/reservations", json=WANTED, headers={"Idempotency-Key": key})
    assert (told.status_code, told.json()["code"]) == (422, "invalid") and lab.workflows.sent == []


async def test_no_password_is_kept(ask: Ask, lab: Lab) -> None:
    """Neither one that is asked for, nor a hash of one that is sent."""
    made = lab.reserved()
    await ask("alice", "POST", f"/reservations/{made.id}/password", headers=KEY)
    with lab.store.read() as session:
        assert session.scalars(sa.select(KeyedAct)).all() == []
    for password in ("one", "two"):
        sent = {"module": "toy", "password": password}
        assert (await ask("olga", "PUT", "/endpoints/vc9", json=sent, headers=KEY)).json()["code"] != "key_reused"


async def test_the_id_of_anothers_reservation_tells_nothing(ask: Ask, lab: Lab) -> None:
    """Ids are made by clients. Nothing is asked of the workflow that has it."""
    made = lab.reserved("bob")
    told = await ask("alice", "POST", "/reservations", json={**WANTED, "reservation": made.id})
    assert (told.status_code, told.json()["code"]) == (409, "refused")
    assert "bob" not in told.text and lab.workflows.sent == []
