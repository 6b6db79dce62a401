"""Whatever needs the room of a spare gets it, not only what begins now; and no sooner than it is needed."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW, OLGA, RULES, image, inventory, must_reserve, reserve, seed
from tests.store.test_relocation import find, must_find
from tests.store.test_scheduling import begin, later, move, must, refused
from tests.store.test_spares import KEEP, a_spare, computer
from vclab.model.reservations import Placed, Refusal
from vclab.model.states import ComputerState, Ending
from vclab.store import Store, catalog, extension, locks, needs_help, relocation, reservations, spares
from vclab.store.models import Spare

MINUTE = timedelta(minutes=1)
ONE = inventory(hosts=1)


@pytest.fixture
def tight(lab: Store) -> Store:
    """With an image of which two fill a host."""
    lab.run(lambda s: catalog.put_image(s, image("half", 8192)))
    return lab


def until(store: Store, spare: Placed) -> datetime | None:
    """How long the spare is kept; None when it is to be removed now."""
    with store.read() as session:
        row = session.get_one(Spare, spare.target.computer)
        return None if row.removal else row.until


def extend(store: Store, placed: Placed, end: datetime, now: datetime) -> datetime | Refusal:
    return store.run(lambda s: extension.extend(s, placed.reservation, end, OLGA, RULES, now))


def beside_a_spare(store: Store) -> tuple[Placed, Placed]:
    """One that ends at 10:15, a spare until 10:30, and from 10:21 on one for later: on one host, for two."""
    one = must(reserve(store, "alice", "half", 0.25, inventories=(ONE,)))
    kept = a_spare(store, "half", "bob")
    assert (one.target.host, kept.target.host) == ("esx1", "esx1")
    must(later(store, NOW + 56 * MINUTE, image="half", user="carol", heard=ONE))
    assert until(store, kept) == NOW + timedelta(seconds=KEEP)
    return one, kept


def test_an_extension_needs_its_room_only_later(tight: Store) -> None:
    """It stays a spare until a removal's time before; then the reconciler removes it as any that is too old."""
    one, kept = beside_a_spare(tight)
    end = NOW + 45 * MINUTE
    assert extend(tight, one, end, NOW + MINUTE) == end
    assert until(tight, kept) == NOW + 15 * MINUTE
    with tight.read() as session:
        assert spares.overdue(session, NOW + 14 * MINUTE) == []
        assert spares.overdue(session, NOW + 15 * MINUTE) == [kept.target.computer]


def test_no_spare_goes_in_vain(tight: Store) -> None:
    """Where the place is promised to people, the spares stay."""
    one, kept = beside_a_spare(tight)
    must(later(tight, NOW + 66 * MINUTE, image="half", user="olga", heard=ONE))
    refusal = extend(tight, one, NOW + HOUR, NOW + MINUTE)
    assert isinstance(refusal, Refusal) and "latest possible end is 2026-08-01 12:26 CEST" in refusal.text()
    assert until(tight, kept) == NOW + timedelta(seconds=KEEP)


def test_time_that_is_given_back(tight: Store) -> None:
    one, kept = beside_a_spare(tight)

    def give(session: Session) -> str:
        return extension.credit(session, locks.reservation(session, one.reservation), 1800, RULES, NOW)

    assert "the end is now 2026-08-01 12:45 CEST" in tight.run(give)
    assert until(tight, kept) == NOW + 15 * MINUTE


def test_what_begins_soon(lab: Store) -> None:
    """Its load begins at once: the spare goes, and the load waits for it."""
    kept = a_spare(lab, "big")
    placed = must(later(lab, NOW + 20 * MINUTE, image="big", user="bob", heard=ONE))
    assert until(lab, kept) is None
    with lab.read() as session:
        assert spares.overdue(session, NOW) == [kept.target.computer], "until its load begins"
    begun = must(begin(lab, placed.reservation, ONE, NOW))
    assert [gone.computer for gone in begun.evicted] == [kept.target.computer]
    assert begun.target.computer != kept.target.computer
    with lab.read() as session:
        assert spares.overdue(session, NOW) == []


def test_what_begins_later(lab: Store) -> None:
    """It stays a spare until then."""
    kept = a_spare(lab, "big")
    must(later(lab, NOW + HOUR, image="big", user="bob", heard=ONE))
    assert until(lab, kept) == NOW + 20 * MINUTE
    with lab.read() as session:
        assert spares.overdue(session, NOW) == []


def test_moved_to_where_a_spare_is(lab: Store) -> None:
    """At its own place."""
    placed = must(later(lab, image="big", heard=ONE))
    kept = a_spare(lab, "big", "bob")
    assert kept.target.host == "esx1"
    moved = must(move(lab, placed.reservation, NOW + HOUR))
    assert moved.target.host == "esx1"
    assert until(lab, kept) == NOW + 20 * MINUTE


def test_another_place_at_the_preload(lab: Store) -> None:
    """The promised host can't be used, and the other one is full of spares: their first computer is taken."""
    placed = must(later(lab, NOW + 40 * MINUTE, image="big"))
    away = "esx2" if placed.target.host == "esx1" else "esx1"
    kept = a_spare(lab, "big", "bob")
    assert kept.target.host == away
    heard = inventory()
    hosts = tuple(replace(h, usable=h.name == away, why_not="in maintenance") for h in heard.hosts)
    begun = must(begin(lab, placed.reservation, replace(heard, hosts=hosts), NOW + 5 * MINUTE))
    assert (begun.target.host, begun.target.computer, begun.evicted) == (away, kept.target.computer, ())


def test_the_identity_of_a_spare_at_the_preload(store: Store) -> None:
    """All others are held."""
    store.run(lambda s: seed(s, identities=2))
    placed = must(later(store, NOW + 61 * MINUTE))
    kept = a_spare(store, user="bob")
    store.run(lambda s: catalog.put_image(s, image("tiny", 64)))
    must_reserve(store, "carol", "tiny", 0.2)
    begun = must(begin(store, placed.reservation, now=NOW + 26 * MINUTE))
    assert begun.target.computer == kept.target.computer


def test_another_place_for_a_load_that_failed(lab: Store) -> None:
    """Found again, it is the same; what was evicted for nothing is left to the reconciler."""
    target = must_reserve(lab, image="big").target
    kept = a_spare(lab, "big", "bob")
    place = must_find(lab, target)
    assert place.host == kept.target.host == "esx2"
    assert [gone.computer for gone in place.evicted] == [kept.target.computer]
    assert find(lab, target) == place
    assert computer(lab, kept.target.computer).state is ComputerState.RELOADING
    with lab.read() as session:
        assert spares.overdue(session, NOW) == [], "its reservation removes it"
    lab.run(lambda s: needs_help.begin(s, target, 7200, "esx2 refuses too", NOW))
    with lab.read() as session:
        assert spares.overdue(session, NOW) == [kept.target.computer]
    lab.run(lambda s: relocation.abandon(s, target, NOW))


def test_a_refusal_names_the_time_without_spares(lab: Store) -> None:
    """They make way, so nobody has to wait for their time to be over."""
    first = must_reserve(lab, image="big", hours=0.25)
    a_spare(lab, "big", "bob")
    lab.run(lambda s: reservations.ended(s, first.reservation, Ending.DELETED, "", NOW))
    must(reserve(lab, "carol", "big", 1))
    must(reserve(lab, "carol", "big", 0.1))
    text = refused(reserve(lab, "olga", "big", 1))
    assert "there is room from 2026-08-01 12:12 CEST on" in text
