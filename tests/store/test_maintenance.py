"""Computers that an operator takes out of service, now or when they are free, for good or until a time."""

from datetime import datetime

import pytest

from tests.store.lab import HOUR, NOW, must_reserve
from tests.store.test_spares import keep
from vclab.model.errors import Refused
from vclab.model.reservations import Placed
from vclab.model.states import ComputerState
from vclab.store import Store, computers, maintenance, spares
from vclab.store.models import Computer


def row(store: Store, name: str) -> Computer:
    with store.read() as session:
        return session.get_one(Computer, name)


def state(store: Store, name: str) -> tuple[ComputerState, str]:
    found = row(store, name)
    return found.state, found.why_out_of_service


def placed(store: Store) -> Placed:
    return must_reserve(store)


def take_out(store: Store, name: str, when_free: bool = True, until: datetime | None = None) -> None:
    store.run(lambda s: maintenance.take_out(s, name, "a new fan", when_free, until))


def tend(store: Store, hours: int = 0) -> None:
    store.run(lambda s: maintenance.tend(s, NOW + hours * HOUR))


def give_back(store: Store, one: Placed, not_clean: str = "") -> None:
    store.run(lambda s: computers.give_back(s, one.target, not_clean, NOW))


def test_one_that_is_held_goes_when_it_is_free(lab: Store) -> None:
    """Meanwhile nobody else gets it."""
    held = placed(lab)
    with pytest.raises(Refused, match=f"vm01 is held by {held.reservation}"):
        take_out(lab, "vm01", when_free=False)
    take_out(lab, "vm01")
    tend(lab)
    assert row(lab, "vm01").leaving
    assert state(lab, "vm01") != (ComputerState.MAINTENANCE, "a new fan")
    give_back(lab, held)
    assert placed(lab).target.computer != "vm01"
    tend(lab)
    assert state(lab, "vm01") == (ComputerState.MAINTENANCE, "a new fan")
    tend(lab, 1000)
    assert state(lab, "vm01") == (ComputerState.MAINTENANCE, "a new fan")


def test_one_that_was_to_go_stays_if_it_is_enabled_before(lab: Store) -> None:
    held = placed(lab)
    take_out(lab, "vm01", until=NOW + HOUR)
    lab.run(lambda s: maintenance.put_back(s, "vm01"))
    give_back(lab, held)
    tend(lab)
    assert state(lab, "vm01") == (ComputerState.AVAILABLE, "")
    assert row(lab, "vm01").returns_at is None


def test_one_that_is_free_goes_at_once(lab: Store) -> None:
    take_out(lab, "vm01")
    assert state(lab, "vm01") == (ComputerState.MAINTENANCE, "a new fan")


def test_it_returns_when_its_time_has_come(lab: Store) -> None:
    held = placed(lab)
    take_out(lab, "vm01", until=NOW + HOUR)
    give_back(lab, held)
    tend(lab)
    assert state(lab, "vm01") == (ComputerState.MAINTENANCE, "a new fan")
    tend(lab, 1)
    assert state(lab, "vm01") == (ComputerState.AVAILABLE, "")
    assert row(lab, "vm01").returns_at is None


def test_it_stays_when_its_time_has_come_before_it_was_free(lab: Store) -> None:
    held = placed(lab)
    take_out(lab, "vm01", until=NOW + HOUR)
    tend(lab, 1)
    give_back(lab, held)
    tend(lab, 1)
    assert state(lab, "vm01") == (ComputerState.AVAILABLE, "")


def test_one_that_was_left_unclean_does_not_return_by_itself(lab: Store) -> None:
    held = placed(lab)
    take_out(lab, "vm01", until=NOW + HOUR)
    give_back(lab, held, "its machine is still there")
    for hours in (0, 1):
        tend(lab, hours)
        assert state(lab, "vm01")[0] is ComputerState.MAINTENANCE
        assert "its machine is still there" in state(lab, "vm01")[1]


def test_a_spare_on_it_is_removed(lab: Store) -> None:
    held = placed(lab)
    take_out(lab, "vm01")
    assert keep(lab, held) == ""
    assert placed(lab).target.computer != "vm01"
    with lab.read() as session:
        assert spares.overdue(session, NOW) == ["vm01"]
