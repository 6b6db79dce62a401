"""Who had which computer and address when: kept for good, whatever came after."""

from datetime import timedelta

from tests.store.lab import HOUR, NOW, must_reserve, reserve
from vclab.model.plans import Facts
from vclab.model.reservations import Placed
from vclab.model.states import Ending, Purpose
from vclab.store import Store, history, reservations, tenures
from vclab.store.history import Stay, plain_address

MINUTE = timedelta(minutes=1)
FIRST = Facts("10.77.0.5", "203.0.113.5", "ssh-ed25519 AAAA", "boot-1")
SECOND = Facts("10.77.0.5", "203.0.113.9", "ssh-ed25519 AAAA", "boot-2")


def stays(store: Store, **which: object) -> list[Stay]:
    with store.read() as session:
        return history.stays(session, **which)  # type: ignore[arg-type]


def live(store: Store, placed: Placed, *facts: Facts) -> None:
    """A whole life: each of the facts a minute after the other, ended after an hour, verified gone a minute later."""
    id = placed.reservation
    for number, each in enumerate(facts, 1):
        store.run(lambda s, e=each, n=number: reservations.ready(s, id, e, NOW + n * MINUTE))  # type: ignore[misc]
    store.run(lambda s: reservations.ended(s, id, Ending.EOR, "", NOW + HOUR))
    store.run(lambda s: reservations.finished(s, id, NOW + HOUR + MINUTE))


def test_a_whole_life(lab: Store) -> None:
    placed = must_reserve(lab)
    live(lab, placed, FIRST)
    (stay,) = stays(lab)
    assert (stay.user, stay.computer, stay.generation) == ("alice", placed.target.computer, 1)
    assert (stay.image, stay.revision, stay.host) == ("debian-12", 1, placed.target.host)
    assert (stay.holder, stay.ending) == (placed.reservation, Ending.EOR)
    assert (stay.taken_at, stay.ready_at) == (NOW, NOW + MINUTE)
    assert (stay.ended_at, stay.released_at) == (NOW + HOUR, NOW + HOUR + MINUTE)
    (span,) = stay.addresses
    assert (span.private_address, span.public_address) == ("10.77.0.5", "203.0.113.5")
    assert (span.since, span.until) == (NOW + MINUTE, stay.released_at)


def test_an_address_that_changed_is_not_lost(lab: Store) -> None:
    live(lab, must_reserve(lab), FIRST, SECOND, SECOND)
    (stay,) = stays(lab)
    assert [(a.public_address, a.since, a.until) for a in stay.addresses] == [
        ("203.0.113.5", NOW + MINUTE, NOW + 2 * MINUTE),
        ("203.0.113.9", NOW + 2 * MINUTE, NOW + HOUR + MINUTE),
    ]


def test_who_had_an_address_at_a_time(lab: Store) -> None:
    live(lab, must_reserve(lab), FIRST, SECOND)
    later = NOW + 2 * HOUR
    bobs = reserve(lab, "bob", now=later)
    assert isinstance(bobs, Placed)
    lab.run(lambda s: reservations.ready(s, bobs.reservation, FIRST, later + MINUTE))

    def who(address: str, minutes: float) -> list[str]:
        return [stay.user for stay in stays(lab, address=address, at=NOW + minutes * MINUTE)]

    assert who("203.0.113.5", 0.9) == []
    assert who("203.0.113.5", 1) == who("203.0.113.5", 1.9) == ["alice"]
    assert who("203.0.113.5", 2) == []
    assert who("203.0.113.9", 2) == who("203.0.113.9", 60.9) == ["alice"]
    assert who("203.0.113.9", 61) == []
    assert who("10.77.0.5", 30) == ["alice"]
    assert who("203.0.113.5", 121) == who("10.77.0.5", 100000) == ["bob"]
    assert [stay.user for stay in stays(lab, address="10.77.0.5")] == ["bob", "alice"]
    assert stays(lab, address="203.0.113.200") == stays(lab, address="no address") == []


def test_by_computer_by_user_and_at_a_time(lab: Store) -> None:
    first = must_reserve(lab, "alice")
    live(lab, first, FIRST)
    later = NOW + 2 * HOUR
    second = reserve(lab, "bob", now=later)
    assert isinstance(second, Placed)
    assert second.target.computer == first.target.computer
    both = stays(lab, computer=first.target.computer)
    assert [(s.user, s.generation) for s in both] == [("bob", 2), ("alice", 1)]
    assert [s.user for s in stays(lab, user="bob")] == ["bob"]
    assert [s.user for s in stays(lab, at=NOW + MINUTE)] == ["alice"]
    assert [s.user for s in stays(lab, at=later)] == ["bob"]
    assert stays(lab, user="bob", at=NOW) == stays(lab, computer="vm99") == stays(lab, at=NOW + 90 * MINUTE) == []
    assert [s.user for s in stays(lab, limit=1)] == ["bob"]


def test_what_else_held_a_computer_is_told_too(lab: Store) -> None:
    lab.run(lambda s: tenures.take(s, "vm03", "computer-vm03", Purpose.LOAD, NOW + HOUR, NOW))
    (stay,) = stays(lab, computer="vm03")
    assert (stay.holder, stay.purpose, stay.user, stay.released_at) == ("computer-vm03", "load", "", None)


def test_ipv6_has_one_form() -> None:
    assert plain_address(" 2001:DB8:0::0001 ") == "2001:db8::1"
    assert plain_address("no address") == "no address"


def test_nothing_known_is_no_address(lab: Store) -> None:
    placed = must_reserve(lab)
    lab.run(lambda s: reservations.ready(s, placed.reservation, Facts(), NOW))
    assert stays(lab)[0].addresses == ()
