"""Checks of idle computers: which are due, that nobody gets one meanwhile, and what follows."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.store.lab import HOUR, NOW, OLGA, RULES, reserve
from tests.store.test_idle import HEARD, LATER, METAL, change, computer, put_group, room
from vclab.model.catalog import AfterUse, Endpoint
from vclab.model.computer_checks import CheckOrder, Repair, Verdict
from vclab.model.errors import NotFound, Refused
from vclab.model.ids import new_id
from vclab.model.power import PowerAddress
from vclab.model.reservations import Placed, ReserveRequest
from vclab.model.states import ComputerState, Purpose
from vclab.store import Store, audit, catalog, computer_checks, idle, placement, power, tenures

__all__ = ["room"]
EVERY = timedelta(seconds=RULES.health.check_computers_every)


@pytest.fixture
def entered(room: Store) -> Store:
    """The same; all was entered at NOW, and is left on."""
    room.run(put_group("room", "fake-metal", AfterUse.ON))
    for name in ("m1", "pc07"):
        change(room, name, checked_at=NOW, host_key="ssh-ed25519 AAAA")
    return room


def due(store: Store, now: datetime = NOW + EVERY) -> list[str]:
    with store.read() as session:
        return computer_checks.due(session, RULES, now)


def begin(store: Store, name: str = "m1", now: datetime = LATER) -> CheckOrder:
    return store.run(lambda s: computer_checks.begin(s, name, RULES, now))


def end(store: Store, order: CheckOrder, verdict: Verdict, now: datetime = LATER) -> None:
    store.run(lambda s: computer_checks.end(s, order, verdict, now))


def events(store: Store, name: str = "m1") -> list[tuple[str, str]]:
    with store.read() as session:
        return [(each.what, each.detail) for each in audit.events(session, f"computer-{name}")]


def test_idle_ones_as_often_as_the_setting_says(entered: Store) -> None:
    """Counted from the last check, or from when somebody had it last."""
    assert due(entered, NOW + EVERY - timedelta(seconds=1)) == []
    assert due(entered) == ["m1", "pc07"]
    with entered.read() as session:
        never = replace(RULES, health=replace(RULES.health, check_computers_every=0))
        assert computer_checks.due(session, never, NOW + 1000 * EVERY) == []
    end(entered, begin(entered), Verdict("it answers"))
    assert due(entered, LATER + EVERY / 2) == ["pc07"]
    assert due(entered, LATER + EVERY) == ["pc07", "m1"], "the one that is overdue longest first"
    entered.run(lambda s: tenures.take(s, "pc07", "r7", Purpose.RESERVATION, LATER, LATER))
    assert due(entered, LATER + EVERY) == ["m1"]
    entered.run(lambda s: tenures.release(s, "pc07", 1, LATER + EVERY / 2))
    assert due(entered, LATER + EVERY) == ["m1"]


@pytest.mark.parametrize(
    "values",
    [
        {"state": ComputerState.MAINTENANCE},
        {"image": "", "revision": 0},  # it is loaded first
        {"load_intent": "a1"},
        {"leaving": True},
    ],
    ids=str,
)
def test_what_is_not_checked(entered: Store, values: dict[str, Any]) -> None:
    change(entered, **values)
    assert due(entered) == ["pc07"]
    with pytest.raises(Refused, match=r"not idle|loaded first"):
        begin(entered)


def test_so_many_of_a_site_at_one_moment(entered: Store) -> None:
    for number in range(20):
        entered.run(lambda s, number=number: catalog.put_lab_computer(s, f"pc{number}", "", "labs", f"10.0.2.{number}"))  # type: ignore[misc]
        change(entered, f"pc{number}", checked_at=NOW)
    assert len(due(entered)) == idle.AT_ONCE
    for name in due(entered)[:3]:
        begin(entered, name)
    assert len(due(entered)) == idle.AT_ONCE - 3


def test_one_that_somebody_is_to_have_soon(entered: Store) -> None:
    later = ReserveRequest(new_id(), "alice", "metal", 3600, start=NOW + 5 * HOUR)
    placed = entered.run(lambda s: placement.place(s, later, OLGA, HEARD, RULES, NOW))
    assert isinstance(placed, Placed) and placed.preload_at is not None
    assert due(entered, placed.preload_at - timedelta(minutes=6)) == ["m1", "pc07"]
    assert due(entered, placed.preload_at - timedelta(minutes=4)) == ["pc07"]


def test_held_while_it_is_looked_at(entered: Store) -> None:
    """Twice is the same. Who comes meanwhile waits. A workflow that was terminated does not keep it."""
    order = begin(entered)
    assert order == begin(entered)
    assert (order.target.generation, order.target.image, order.target.guest) == (1, "metal", METAL.guest)
    assert order.power is not None and order.power.generation == 1 and order.power.target is not None
    assert order.power.target.generation == 1
    assert (order.off, order.may_be_off, order.reloads) == (False, False, True)
    waiting = reserve(entered, image="metal", inventories=HEARD, now=LATER)
    assert isinstance(waiting, Placed) and not waiting.held
    entered.run(lambda s: power.release_lost(s, LATER + computer_checks.LONGEST))
    assert computer(entered).holder == ""
    end(entered, order, Verdict("it is dead", Repair.MAINTENANCE))
    assert computer(entered).state is ComputerState.AVAILABLE, "it may be somebody else's by now"
    with pytest.raises(NotFound):
        begin(entered, "vm01")


def test_a_lab_machine_by_any_image_that_it_can_be_lent_with(entered: Store) -> None:
    order = begin(entered, "pc07")
    assert (order.target.image, order.target.guest, order.reloads) == ("pc", METAL.guest, False)
    assert order.power is not None and order.power.at.address.startswith("wol://") and order.may_be_off
    change(entered, "pc07", power="")
    end(entered, order, Verdict("it answers"))
    assert begin(entered, "pc07", LATER + EVERY).power is None


def test_all_well(entered: Store) -> None:
    """It is written down; the same again is no news."""
    for hours in range(3):
        end(entered, begin(entered, now=LATER + hours * HOUR), Verdict("it answers"), LATER + hours * HOUR)
    found = computer(entered)
    assert (found.checked_at, found.check_found, found.check_repair) == (LATER + 2 * HOUR, "it answers", "")
    assert (found.state, found.holder, found.image) == ("available", "", "metal")
    assert events(entered) == [("checked", "it answers")]


def test_to_be_loaded_anew(entered: Store) -> None:
    """Not twice in a row: what a load did not mend, somebody looks at; unless it was used in between."""
    order = begin(entered)
    end(entered, order, Verdict("it does not answer", Repair.RELOAD))
    found = computer(entered)
    assert (found.state, found.image, found.holder, found.check_repair) == ("available", "", "", "reload")
    assert events(entered) == [("checked: reload", "it does not answer")]
    change(entered, image="metal", revision=1)
    order = begin(entered)
    assert not order.reloads
    end(entered, order, Verdict("it answers"))
    assert begin(entered, now=LATER + HOUR).reloads


def test_used_in_between(entered: Store) -> None:
    end(entered, begin(entered), Verdict("it does not answer", Repair.RELOAD))
    reserve(entered, image="metal", inventories=HEARD, now=LATER)
    assert computer(entered).check_repair == ""


def test_out_of_service(entered: Store) -> None:
    end(entered, begin(entered), Verdict("its clock is 75 s slow", Repair.MAINTENANCE))
    found = computer(entered)
    assert (found.state, found.why_out_of_service) == (ComputerState.MAINTENANCE, "its check: its clock is 75 s slow")
    assert due(entered, LATER + EVERY) == ["pc07"]


@pytest.mark.parametrize(("off", "since"), [(True, LATER), (None, None)])
def test_one_that_is_off(entered: Store, off: bool | None, since: datetime | None) -> None:
    entered.run(
        lambda s: catalog.put_endpoint(s, Endpoint("room", "fake-metal", "", "", "", "", after_use=AfterUse.OFF))
    )
    order = begin(entered)
    assert not order.off and order.may_be_off
    end(entered, order, Verdict("it is off already", off=off))
    assert computer(entered).off_since == since
    if off:
        order = begin(entered, now=LATER + EVERY)
        assert order.off
        end(entered, order, Verdict("it is off"), LATER + EVERY)
        assert computer(entered).off_since == since
        end(entered, begin(entered, now=LATER + EVERY), Verdict("it is on", off=False), LATER + EVERY)
        assert computer(entered).off_since is None


def test_off_in_a_group_that_is_left_on(entered: Store) -> None:
    """The policy was another one: it is looked at as one that is on."""
    change(entered, off_since=NOW)
    order = begin(entered)
    assert not order.off
    end(entered, order, Verdict("it is off: switched on; it answers", Repair.SWITCH_ON))
    assert computer(entered).off_since is None


def test_the_password_of_its_bmc_is_a_reference(entered: Store) -> None:
    at = PowerAddress("ipmi://vclab@10.9.0.11", "power/pc07/1")
    entered.run(lambda s: power.set_address(s, "pc07", at))
    order = begin(entered, "pc07")
    assert order.power is not None and order.power.at == at
