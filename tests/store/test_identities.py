"""No identity is promised twice, though two endpoints have no pool in common that could be locked."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from threading import Event

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW, OLGA, RULES, inventory, seed
from vclab.model.catalog import Endpoint
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.store import Store, catalog, extension, placement
from vclab.store.models import Claim, Tenure

Act = Callable[[Session], object]
SECONDS = 60.0


@pytest.fixture
def two(store: Store, backend: str) -> Store:
    """Two endpoints and two identities."""
    if backend == "sqlite":
        pytest.skip("SQLite has one writer at a time")

    def lay_down(session: Session) -> None:
        seed(session, identities=2)
        for number in (1, 2):
            at = f"https://127.0.0.{number}:8989"
            catalog.put_endpoint(session, Endpoint(f"vc{number}", "vsphere", at, "u", "endpoint/vc", "ab" * 32))

    store.run(lay_down)
    return store


def place(user: str, endpoint: str, start: datetime | None = None) -> Callable[[Session], Placed | Refusal]:
    """At that endpoint, for an hour."""
    request = ReserveRequest(new_id(), user, "debian-12", 3600.0, start=start)
    heard = replace(inventory(hosts=1), endpoint=endpoint)
    return lambda session: placement.place(session, request, Author(user, operator=True), (heard,), RULES, NOW)


def extend(placed: Placed | Refusal) -> Act:
    """By an hour."""
    assert isinstance(placed, Placed), placed
    end = placed.end + HOUR
    return lambda session: extension.extend(session, placed.reservation, end, OLGA, RULES, NOW)


def at_one_moment(store: Store, one: Act, other: Act) -> list[object]:
    """What each answers. The first one's transaction stays open until the second has ended, or waits for the first."""
    second: list[Future[object]] = []
    begun = Event()

    def first(session: Session) -> object:
        answer = one(session)
        begun.set()
        until = time.monotonic() + SECONDS
        while not (second and (second[0].done() or _waits(store))):
            assert time.monotonic() < until
            time.sleep(0.01)
        return answer

    with ThreadPoolExecutor(2) as threads:
        answer = threads.submit(store.run, first)
        assert begun.wait(SECONDS)
        second.append(threads.submit(store.run, other))
        return [answer.result(), second[0].result()]


def _waits(store: Store) -> bool:
    """Somebody waits for a lock."""
    with store.read() as session:
        return bool(session.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def check(store: Store, answers: list[object]) -> None:
    """One of two got the last identity, and no more are promised at any moment than there are."""
    assert sum(isinstance(answer, Refusal) for answer in answers) == 1, answers
    with store.read() as session:
        promised = session.scalars(sa.select(Claim).where(Claim.cpus > 0, Claim.released.is_(False))).all()
        held = session.scalars(sa.select(Tenure.computer).where(Tenure.released_at.is_(None))).all()
    assert len(held) == len(set(held))
    for moment in {claim.starts for claim in promised}:
        assert sum(claim.starts <= moment < claim.ends for claim in promised) <= 2


def test_two_places_at_one_moment(two: Store) -> None:
    assert isinstance(two.run(place("carol", "vc1")), Placed)
    check(two, at_one_moment(two, place("alice", "vc1"), place("bob", "vc2")))


def test_now_and_for_later(two: Store) -> None:
    assert isinstance(two.run(place("carol", "vc1")), Placed)
    soon = NOW + HOUR / 2
    check(two, at_one_moment(two, place("alice", "vc1"), place("bob", "vc2", soon)))


def test_two_for_later(two: Store) -> None:
    assert isinstance(two.run(place("carol", "vc1")), Placed)
    soon = NOW + HOUR / 2
    check(two, at_one_moment(two, place("alice", "vc1", soon), place("bob", "vc2", soon)))


def test_two_extensions(two: Store) -> None:
    """Another one has a promise for the next hour: there is one for only one of them."""
    one, other = two.run(place("alice", "vc1")), two.run(place("bob", "vc2"))
    assert isinstance(two.run(place("carol", "vc1", NOW + 2 * HOUR)), Placed)
    check(two, at_one_moment(two, extend(one), extend(other)))
