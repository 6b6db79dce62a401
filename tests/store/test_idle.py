"""Computers that nobody has: which are switched off, by policy, and that they can be had all the same."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW, OLGA, RULES, image, inventory, reserve
from tests.store.test_background_loads import want
from vclab.model.catalog import AfterUse, Computer, Endpoint
from vclab.model.errors import Refused
from vclab.model.ids import new_id
from vclab.model.intents import VCLAB
from vclab.model.inventory import HostFacts, Inventory
from vclab.model.messages import Reload
from vclab.model.plans import Facts
from vclab.model.power import PowerAddress, PowerOrder, PowerSeen, PowerVerb, Switch
from vclab.model.reservations import OtherPlace, Placed, Refusal, ReserveRequest
from vclab.model.states import ComputerState, Ending, Purpose
from vclab.store import (
    Store,
    background_loads,
    catalog,
    idle,
    locks,
    placement,
    power,
    relocation,
    reservations,
    scheduling,
    tenures,
)

METAL = replace(image("metal", 1024), module="fake-metal", module_data="")
LATER = NOW + HOUR
HEARD = (
    inventory(),
    Inventory("room", NOW, (HostFacts("m1", 0, 0),)),
    Inventory("labs", NOW, (HostFacts("pc07", 0, 0),)),
)


def put_group(name: str, module: str, after_use: AfterUse) -> Callable[[Session], None]:
    return lambda s: catalog.put_endpoint(s, Endpoint(name, module, "", "", "", "", after_use=after_use))


@pytest.fixture
def room(lab: Store) -> Store:
    """A computer that its endpoint switches and that holds its image, and a lab machine that can be woken."""

    def fill(session: Session) -> None:
        put_group("room", "fake-metal", AfterUse.OFF)(session)
        put_group("labs", "standalone", AfterUse.OFF)(session)
        catalog.put_image(session, METAL)
        catalog.put_image(session, replace(METAL, name="pc", module="standalone"))
        catalog.put_lab_computer(session, "m1", "", "room", "10.0.0.1")
        catalog.put_lab_computer(session, "pc07", "", "labs", "10.0.1.7")
        power.set_address(session, "pc07", PowerAddress("wol://02-76-63-99-00-08@10.0.1.7/10.0.1.255"))
        row = locks.computer(session, "m1")
        row.image, row.revision = "metal", 1

    lab.run(fill)
    return lab


def due(store: Store, now: datetime = LATER) -> list[str]:
    with store.read() as session:
        return idle.to_switch_off(session, RULES, now)


def change(store: Store, name: str = "m1", **values: Any) -> None:
    def set_(session: Session) -> None:
        row = locks.computer(session, name)
        for key, value in values.items():
            setattr(row, key, value)

    store.run(set_)


def computer(store: Store, name: str = "m1") -> Computer:
    with store.read() as session:
        return catalog.computer(session, name)


def begin_off(store: Store, name: str = "m1", now: datetime = LATER) -> PowerOrder:
    asked = Switch(name, PowerVerb.OFF, soft_seconds=120)
    return store.run(lambda s: power.begin(s, asked, VCLAB, RULES, now))


def switch_off(store: Store, name: str = "m1", seen: str = "off") -> None:
    order = begin_off(store, name)
    store.run(lambda s: power.end(s, order, PowerSeen(seen), "", LATER))


def test_idle_ones_of_such_groups_only(room: Store) -> None:
    assert due(room) == ["m1", "pc07"]
    room.run(put_group("room", "fake-metal", AfterUse.ON))
    assert due(room) == ["pc07"]
    room.run(put_group("room", "fake-metal", AfterUse.UNLOADED))
    change(room, image="", revision=0)
    assert due(room) == ["m1", "pc07"], "as it is"
    room.run(put_group("room", "fake-metal", AfterUse.OFF))
    assert due(room) == ["pc07"], "it is brought back to its image first"


@pytest.mark.parametrize(
    "values",
    [
        {"state": ComputerState.MAINTENANCE},
        {"state": ComputerState.FAILED},
        {"leaving": True},
        {"off_since": NOW},
        {"power": "none"},
        {"removed_at": NOW},
    ],
    ids=str,
)
def test_what_stays_as_it_is(room: Store, values: dict[str, Any]) -> None:
    change(room, **values)
    assert due(room) == ["pc07"]


def test_one_that_an_operator_wants_loaded(room: Store) -> None:
    want(room, "m1", "metal")
    assert due(room) == ["pc07"]


def test_somebody_had_it_lately_or_is_to_have_it_soon(room: Store) -> None:
    """Its claim begins with its preload: by then it may be off, and is switched on."""
    room.run(lambda s: tenures.take(s, "m1", "r7", Purpose.RESERVATION, LATER, NOW))
    assert due(room) == ["pc07"]
    room.run(lambda s: tenures.release(s, "m1", 1, LATER))
    lately = timedelta(seconds=RULES.idle.off_after)
    assert due(room, LATER + lately - timedelta(seconds=1)) == ["pc07"]
    assert due(room, LATER + lately) == ["m1", "pc07"]
    later = ReserveRequest(new_id(), "alice", "metal", 3600, start=NOW + 5 * HOUR)
    placed = room.run(lambda s: placement.place(s, later, OLGA, HEARD, RULES, NOW))
    assert isinstance(placed, Placed) and placed.preload_at is not None
    assert due(room, placed.preload_at - lately - timedelta(seconds=1)) == ["m1", "pc07"]
    assert due(room, placed.preload_at - lately) == ["pc07"]


def test_switched_off_under_a_tenure_of_its_own(room: Store) -> None:
    """The endpoint's switch is given a target of this generation. Twice is the same; nobody else asks for it so."""
    order = begin_off(room)
    assert order == begin_off(room)
    assert order.target is not None
    assert (order.generation, order.target.generation, order.target.computer) == (1, 1, "m1")
    assert (order.target.module, order.target.spare != "") == ("fake-metal", True)
    room.run(lambda s: power.end(s, order, PowerSeen("off"), "", LATER))
    assert (computer(room).off_since, computer(room).holder) == (LATER, "")
    with pytest.raises(Refused, match="m1 is not switched off: somebody had it lately"):
        begin_off(room)
    for switch in (Switch("pc07", PowerVerb.ON), Switch("pc07", PowerVerb.OFF, forced=True)):
        with pytest.raises(Refused, match="no recorded intent"):
            room.run(lambda s, switch=switch: power.begin(s, switch, VCLAB, RULES, LATER))  # type: ignore[misc]


def test_one_that_does_not_obey_is_tried_again_later(room: Store) -> None:
    order = begin_off(room, "pc07")
    room.run(lambda s: power.end(s, order, PowerSeen(), "it can't be shut down", LATER))
    assert computer(room, "pc07").off_since is None
    assert due(room, LATER) == ["m1"]
    assert "pc07" in due(room, LATER + timedelta(seconds=RULES.idle.off_after))


def test_so_many_of_a_site_at_one_moment(room: Store) -> None:
    def more(session: Session) -> None:
        for number in range(10, 30):
            catalog.put_lab_computer(session, f"m{number}", "", "room", f"10.0.0.{number}")
            row = locks.computer(session, f"m{number}")
            row.image, row.revision = "metal", 1

    room.run(more)
    assert len(due(room)) == idle.AT_ONCE
    for name in due(room)[:3]:
        begin_off(room, name)
    assert len(due(room)) == idle.AT_ONCE - 3


def test_where_off_is_only_silence(room: Store) -> None:
    switch_off(room, "pc07", seen="unknown")
    assert computer(room, "pc07").off_since == LATER


def test_one_that_is_off_can_be_had(room: Store) -> None:
    """It is remembered that it held the image: it need not be loaded. Whoever has it says what it is from now on."""
    switch_off(room)
    placed = reserve(room, image="metal", inventories=HEARD, now=LATER)
    assert isinstance(placed, Placed), placed
    assert (placed.target.computer, placed.target.kept) == ("m1", True)
    assert (computer(room).off_since, computer(room).image) == (None, "")
    room.run(lambda s: reservations.ended(s, placed.reservation, Ending.DELETED, "", LATER))


@pytest.mark.parametrize("values", [{"revision": 2}, {"image": "other"}, {"tainted": True}], ids=str)
def test_one_that_holds_something_else_is_not_kept(room: Store, values: dict[str, Any]) -> None:
    change(room, **values)
    placed = reserve(room, image="metal", inventories=HEARD, now=LATER)
    assert isinstance(placed, Placed) and not placed.target.kept


@pytest.mark.parametrize("values", [{}, {"image": ""}, {"tainted": True}], ids=str)
def test_the_other_computer_of_a_load_that_failed_is_not_taken_for_the_first(
    room: Store, values: dict[str, Any]
) -> None:
    """What the first one held says nothing of what the other one holds."""
    room.run(lambda s: catalog.put_lab_computer(s, "m2", "", "room", "10.0.0.2"))
    change(room, name="m2", **{"image": "metal", "revision": 1, **values})
    heard = (*HEARD[::2], Inventory("room", NOW, (HostFacts("m1", 0, 0), HostFacts("m2", 0, 0))))
    first = reserve(room, image="metal", inventories=heard, now=LATER)
    assert isinstance(first, Placed) and (first.target.computer, first.target.kept) == ("m1", True)
    place = room.run(lambda s: relocation.find(s, first.target, heard, RULES, LATER))
    assert isinstance(place, OtherPlace) and place.computer == "m2"
    moved = room.run(lambda s: relocation.relocate(s, first.target, place, "", 0.0, RULES, LATER))
    assert moved is not None and (moved.target.computer, moved.target.kept) == ("m2", not values)


def test_who_comes_while_it_is_switched_waits(room: Store) -> None:
    """That takes minutes; the computer is theirs."""
    order = begin_off(room)
    placed = reserve(room, image="metal", inventories=HEARD, now=LATER)
    assert isinstance(placed, Placed), placed
    assert (placed.target.computer, placed.held, placed.loaded_by) == ("m1", False, None)
    early = room.run(lambda s: scheduling.begin(s, placed.reservation, HEARD, RULES, LATER))
    assert isinstance(early, Refusal) and "is held by power-m1" in early.text()
    room.run(lambda s: power.end(s, order, PowerSeen("off"), "", LATER))
    begun = room.run(lambda s: scheduling.begin(s, placed.reservation, HEARD, RULES, LATER + HOUR / 60))
    assert isinstance(begun, Placed)
    assert (begun.target.computer, begun.target.kept, begun.target.generation) == ("m1", True, 2)


def test_an_operator_s_switch_is_remembered(room: Store) -> None:
    """Of one that nobody has; what is forced says nothing of what its holder does then."""
    asked = Switch("m1", PowerVerb.OFF, intent="a1")
    order = room.run(lambda s: power.begin(s, asked, OLGA, RULES, NOW))
    room.run(lambda s: power.end(s, order, PowerSeen("off"), "", NOW))
    assert computer(room).off_since == NOW
    order = room.run(lambda s: power.begin(s, replace(asked, verb=PowerVerb.ON), OLGA, RULES, NOW))
    room.run(lambda s: power.end(s, order, PowerSeen("on"), "", NOW))
    assert computer(room).off_since is None
    room.run(lambda s: tenures.take(s, "m1", "r7", Purpose.RESERVATION, LATER, NOW))
    order = room.run(lambda s: power.begin(s, replace(asked, forced=True), OLGA, RULES, NOW))
    room.run(lambda s: power.end(s, order, PowerSeen("off"), "", NOW))
    assert computer(room).off_since is None


def test_a_load_leaves_it_on(room: Store) -> None:
    switch_off(room)
    want(room, "m1", "metal")
    target = room.run(lambda s: background_loads.begin(s, Reload("m1"), VCLAB, RULES, LATER))
    assert not target.kept
    room.run(lambda s: background_loads.finished(s, target, Facts(), LATER))
    assert computer(room).off_since is None
