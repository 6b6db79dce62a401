"""Tenures: one holder at a time, a new generation each time, and a fence that notices."""

from datetime import datetime

import pytest
from sqlalchemy.exc import IntegrityError

from tests.store.lab import HOUR, NOW
from vclab.model.errors import Fenced, NotFound
from vclab.model.states import Purpose
from vclab.store import Store, catalog, tenures
from vclab.store.models import Tenure
from vclab.store.tenures import TenureHeld


@pytest.fixture
def machine(store: Store) -> Store:
    """One lab machine."""
    store.run(lambda s: catalog.put_lab_computer(s, "lab1"))
    return store


def take(store: Store, holder: str, purpose: Purpose = Purpose.RESERVATION) -> int:
    return store.run(lambda s: tenures.take(s, "lab1", holder, purpose, NOW + HOUR, NOW))


def release(store: Store, generation: int, now: datetime = NOW) -> None:
    store.run(lambda s: tenures.release(s, "lab1", generation, now))


def test_generations_go_up_by_one(machine: Store) -> None:
    for generation in (1, 2, 3):
        assert take(machine, f"r{generation}") == generation
        release(machine, generation)


def test_held_names_the_holder_and_the_expected_end(machine: Store) -> None:
    take(machine, "r1")
    with pytest.raises(TenureHeld, match="lab1 is held by r1, probably until 2026-08-01 11:00 UTC") as held:
        take(machine, "r2")
    assert (held.value.holder, held.value.expected_end) == ("r1", NOW + HOUR)
    with pytest.raises(TenureHeld):
        take(machine, "r1", purpose=Purpose.REMOVAL)


def test_the_holder_takes_it_again_and_nothing_changes(machine: Store) -> None:
    assert take(machine, "r1") == take(machine, "r1") == 1


def test_release_is_harmless_twice_and_never_touches_a_newer_one(machine: Store) -> None:
    take(machine, "r1")
    release(machine, 1)
    release(machine, 1)
    take(machine, "r2")
    release(machine, 1)
    with machine.read() as session:
        tenures.check(session, "lab1", 2)


def test_the_fence(machine: Store) -> None:
    take(machine, "r1")
    with machine.read() as session:
        tenures.check(session, "lab1", 1)
        assert tenures.held(session, "lab1", 1)
    release(machine, 1)
    with machine.read() as session:
        assert not tenures.held(session, "lab1", 1)
        with pytest.raises(Fenced, match="not held in generation 1"):
            tenures.check(session, "lab1", 1)
    take(machine, "r2")
    with machine.read() as session, pytest.raises(Fenced, match=r"given to r2 \(generation 2, not 1\)"):
        tenures.check(session, "lab1", 1)


def test_the_expected_end_moves(machine: Store) -> None:
    take(machine, "r1")
    machine.run(lambda s: tenures.expect(s, "lab1", 1, NOW + 3 * HOUR))
    with pytest.raises(TenureHeld, match="13:00"):
        take(machine, "r2")


def test_an_unknown_computer(machine: Store) -> None:
    with pytest.raises(NotFound, match="no computer nowhere"):
        machine.run(lambda s: tenures.take(s, "nowhere", "r", Purpose.RESERVATION, NOW, NOW))


@pytest.mark.parametrize("generation", [1, 2])
def test_the_database_refuses_by_itself(machine: Store, generation: int) -> None:
    take(machine, "r1")
    if generation == 1:  # a generation is given once, even after its release
        release(machine, 1)
    row = Tenure(
        computer="lab1", generation=generation, holder="x", purpose=Purpose.LOAD, taken_at=NOW, expected_end=NOW
    )
    with pytest.raises(IntegrityError):
        machine.run(lambda s: s.add(row))
