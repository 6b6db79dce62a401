"""Disks that somebody has moved, or made whole: what is there is recorded, once."""

from dataclasses import replace
from typing import Any

from tests.store.lab import NOW, inventory, reserve
from tests.store.test_children import DS1, PATH, finish, ours, rows
from tests.store.test_spares import FACTS, KEEP
from vclab.model.inventory import DatastoreFacts, Inventory, MachineFacts
from vclab.model.plans import Target
from vclab.model.reservations import Placed
from vclab.model.states import Ending
from vclab.store import Store, audit, claims, copies, disk_moves, reservations, spares

MOVED = "vm01's disk was moved from ds1 to ds2 by somebody, and is a whole disk now"


def two(ds1_linked: bool = True) -> Inventory:
    """ds2 is there, but no host of ours has it, and it has no room."""
    return replace(
        inventory(), datastores=(DatastoreFacts("ds1", 200, 200, linked=ds1_linked), DatastoreFacts("ds2", 1, 1))
    )


def loaded(store: Store, ready: bool = True, **more: Any) -> Target:
    ours(store)
    placed = reserve(store, inventories=(two(**more),))
    assert isinstance(placed, Placed)
    if ready:
        store.run(lambda s: reservations.ready(s, placed.reservation, FACTS, NOW))
    return placed.target


def machine(target: Target, storage: str = "ds1", parent: str = PATH) -> MachineFacts:
    marks = (target.reservation, target.computer, target.generation)
    return MachineFacts("lab-vcenter", target.machine_name, target.instance_uuid, *marks, True, storage, parent)


def look(store: Store, *machines: MachineFacts) -> list[str]:
    """What one round finds and records."""
    with store.read() as session:
        found = disk_moves.suspects(session, machines)
    return [store.run(lambda s, each=each: disk_moves.record(s, each, NOW)) for each in found]  # type: ignore[misc]


def claimed(store: Store, holder: str) -> list[tuple[str, int]]:
    """On datastores."""
    with store.read() as session:
        return [(str(c.pool), c.disk_gb) for c in claims.of(session, holder) if "/datastore/" in (c.pool or "")]


def noted(store: Store, holder: str) -> list[str]:
    with store.read() as session:
        return [event.detail for event in audit.events(session, holder) if event.what.startswith("disk ")]


def test_a_disk_that_was_moved_and_made_whole(lab: Store) -> None:
    """Told once. Its room is claimed where it is, although there is none; its copy is not kept any more."""
    target = loaded(lab)
    assert look(lab, machine(target)) == []
    away = machine(target, "ds2", "")
    assert [look(lab, away) for _ in range(2)] == [[MOVED], []]
    assert noted(lab, target.reservation) == [MOVED]
    assert claimed(lab, target.reservation) == [("lab-vcenter/datastore/ds2", 4)]
    assert rows(lab) == []
    lab.run(lambda s: copies.leave_use(s, DS1, NOW))
    with lab.read() as session:
        row = reservations.view(session, target.reservation)
        assert row is not None and row.state == "reserved"
    finish(lab, target)
    assert claimed(lab, target.reservation) == []


def test_a_disk_that_was_moved_alone_keeps_its_copy(lab: Store) -> None:
    target = loaded(lab)
    assert look(lab, machine(target, "ds2")) == ["vm01's disk was moved from ds1 to ds2 by somebody"]
    assert rows(lab) == [(target.computer, target.generation)]
    assert look(lab, machine(target, "ds2")) == []
    assert look(lab, machine(target)) == ["vm01's disk was moved from ds2 to ds1 by somebody"], "and back"
    assert claimed(lab, target.reservation) == [("lab-vcenter/datastore/ds1", 4)]


def test_a_disk_that_was_made_whole_where_it_is(lab: Store) -> None:
    target = loaded(lab)
    said = "vm01's disk was made a whole disk by somebody: it needs no copy any more"
    assert [look(lab, machine(target, parent="")) for _ in range(2)] == [[said], []]
    assert rows(lab) == []
    assert claimed(lab, target.reservation) == [("lab-vcenter/datastore/ds1", 4)]


def test_what_is_no_news(lab: Store) -> None:
    """What is not known, of an earlier tenure, or on a datastore of which nothing is known yet."""
    target = loaded(lab)
    whole = machine(target, "ds2", "")
    for each in (
        replace(whole, storage=""),
        replace(whole, generation=target.generation - 1),
        replace(whole, computer="vm08"),
        machine(target, "ds7", ""),
    ):
        assert [text for text in look(lab, each) if text] == []
    assert rows(lab) == [(target.computer, target.generation)] and noted(lab, target.reservation) == []


def test_a_machine_that_is_being_loaded_is_left_to_its_load(lab: Store) -> None:
    target = loaded(lab, ready=False)
    assert look(lab, machine(target, "ds2", "")) == []


def test_a_full_copy_has_no_parent(lab: Store) -> None:
    """As on vSAN: its row says what it was copied from."""
    target = loaded(lab, ds1_linked=False)
    assert target.dedicated and rows(lab)
    assert look(lab, machine(target, parent="")) == []


def test_a_spare_that_was_moved_goes(lab: Store) -> None:
    target = loaded(lab)
    lab.run(lambda s: reservations.ended(s, target.reservation, Ending.NOACK, "", NOW))
    assert lab.run(lambda s: reservations.kept(s, target.reservation, KEEP, NOW)) == ""
    with lab.read() as session:
        assert spares.overdue(session, NOW) == []
    assert [look(lab, machine(target, "ds2", "")) for _ in range(2)] == [[MOVED], []]
    holder = spares.holder_of(target.computer)
    assert claimed(lab, holder) == [("lab-vcenter/datastore/ds2", 4)] and noted(lab, holder) == [MOVED]
    with lab.read() as session:
        assert spares.overdue(session, NOW) == [target.computer]
