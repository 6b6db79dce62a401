"""Fences: of two attempts that work on one computer, the older one is refused, whatever the order they come in."""

import itertools
from datetime import timedelta

import pytest

from tests.store.lab import HOUR, NOW
from vclab.model.attempts import ActivityAttempt
from vclab.model.errors import Fenced
from vclab.model.states import Purpose
from vclab.store import Store, catalog, fences, tenures

MINUTE = timedelta(minutes=1)


def attempt(run: str, activity: int, number: int, minutes: int = 0) -> ActivityAttempt:
    return ActivityAttempt(run, activity, number, NOW + minutes * MINUTE, "vsphere.copy_disk")


OLDEST_FIRST = [
    attempt("a", 9, 1),
    attempt("a", 9, 2),
    attempt("a", 10, 1, -60),  # the server's clock was set back: within a run it does not count
    attempt("b", 1, 1, 5),
    attempt("b", 1, 2, 5),
    attempt("c", 1, 1, 6),
]


@pytest.fixture
def held(store: Store) -> Store:
    """A computer that is held in generation 1."""
    store.run(lambda s: catalog.put_lab_computer(s, "lab1"))
    store.run(lambda s: tenures.take(s, "lab1", "r1", Purpose.RESERVATION, NOW + HOUR, NOW))
    return store


def passes(store: Store, one: ActivityAttempt, generation: int = 1, begins: bool = False) -> bool:
    try:
        store.run(lambda s: (fences.begin if begins else fences.check)(s, "lab1", generation, one))
    except Fenced:
        return False
    return True


def test_only_the_newest_that_has_begun_passes(held: Store) -> None:
    """In each order in which three attempts can come: those older than the newest one so far are refused."""
    for number, some in enumerate(itertools.permutations(OLDEST_FIRST, 3), start=1):
        begun = -1
        for one in some:
            place = OLDEST_FIRST.index(one)
            assert passes(held, one, number, begins=True) is (place >= begun), some
            begun = max(begun, place)
        for place, one in enumerate(OLDEST_FIRST):
            assert passes(held, one, number) is (place >= begun), some
        held.run(lambda s, number=number: tenures.release(s, "lab1", number, NOW))  # type: ignore[misc]
        held.run(lambda s: tenures.take(s, "lab1", "r1", Purpose.RESERVATION, NOW + HOUR, NOW))


def test_an_attempt_may_begin_twice(held: Store) -> None:
    assert passes(held, OLDEST_FIRST[0], begins=True)
    assert passes(held, OLDEST_FIRST[0], begins=True)


def test_a_computer_that_is_not_held_in_that_generation(held: Store) -> None:
    one = OLDEST_FIRST[0]
    with pytest.raises(Fenced, match=r"given to r1 \(generation 1, not 2\)"):
        held.run(lambda s: fences.begin(s, "lab1", 2, one))
    held.run(lambda s: tenures.release(s, "lab1", 1, NOW))
    with pytest.raises(Fenced, match="not held in generation 1"):
        held.run(lambda s: fences.begin(s, "lab1", 1, one))
    with pytest.raises(Fenced, match="not held in generation 1"):
        held.run(lambda s: fences.check(s, "lab1", 1, one))


def test_a_refusal_says_who_works_on_it(held: Store) -> None:
    held.run(lambda s: fences.begin(s, "lab1", 1, OLDEST_FIRST[1]))
    with pytest.raises(Fenced, match=r"worked on by attempt 2 of vsphere.copy_disk; this is attempt 1 of .* older"):
        held.run(lambda s: fences.check(s, "lab1", 1, OLDEST_FIRST[0]))
