"""Spares: kept, handed out first, evicted as few as needed, removed when they are too old."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW, RULES, image, inventory, must_reserve, reserve
from tests.store.test_scheduling import begin, later
from vclab.model.catalog import Computer
from vclab.model.inventory import MachineFacts
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, Refusal
from vclab.model.states import ComputerState, Ending
from vclab.store import Store, catalog, claims, orphans, reservations, scheduling, spares, tenures
from vclab.store.models import Spare

KEEP = 1800.0
FACTS = Facts("10.77.0.9", "203.0.113.9", "ssh-ed25519 AAAA", "b1")
SOON = NOW + timedelta(minutes=1)


def computer(store: Store, name: str) -> Computer:
    with store.read() as session:
        return catalog.computer(session, name)


def keep(store: Store, placed: Placed, now: datetime = NOW, ending: Ending = Ending.NOACK) -> str:
    """Ready, ended, verified clean."""

    def change(session: Session) -> str:
        reservations.ready(session, placed.reservation, FACTS, now)
        reservations.ended(session, placed.reservation, ending, "", now)
        return reservations.kept(session, placed.reservation, KEEP, now)

    return store.run(change)


def a_spare(store: Store, image: str = "debian-12", user: str = "alice") -> Placed:
    placed = must_reserve(store, user, image)
    assert keep(store, placed) == ""
    return placed


def test_a_spare_is_kept_and_handed_out(lab: Store) -> None:
    """The same machine for the next reservation of its image, with what is known of it; and its room only once."""
    first = a_spare(lab)
    found = computer(lab, first.target.computer)
    assert (found.state, found.image, found.revision, found.holder) == ("available", "debian-12", 1, "")
    with lab.read() as session:
        view = reservations.view(session, first.reservation)
        assert view is not None and view.state == "complete"
        assert spares.machines(session) == {(first.target.computer, first.target.generation)}
    second = must_reserve(lab, "bob")
    old, new = first.target, second.target
    assert (new.computer, new.host, new.generation) == (old.computer, old.host, old.generation + 1)
    assert new.instance_uuid == old.instance_uuid == new.spare
    assert new.machine_name != old.machine_name
    with lab.read() as session:
        assert spares.facts(session, new) == Facts("10.77.0.9", host_key="ssh-ed25519 AAAA")
        assert spares.machines(session) == set()
        assert spares.handed_out(session) == {old.instance_uuid}
        pool = claims.host_pool("lab-vcenter", new.host)
        assert len(claims.bookings(session, [pool], SOON, SOON + HOUR)[pool]) == 1
    assert keep(lab, second) == ""
    third = must_reserve(lab, "carol")
    assert third.target.instance_uuid == old.instance_uuid, "again and again"


def test_the_second_record_changes_nothing(lab: Store) -> None:
    placed = a_spare(lab)
    assert lab.run(lambda s: reservations.kept(s, placed.reservation, KEEP, SOON)) == ""
    lab.run(lambda s: reservations.finished(s, placed.reservation, SOON))
    assert computer(lab, placed.target.computer).image == "debian-12"
    with lab.read() as session:
        assert session.query(Spare).one().until == NOW + timedelta(seconds=KEEP)


def test_why_it_is_not_kept(lab: Store) -> None:
    """An old revision, a failure, no room any more: nothing has changed then, and it is removed as ever."""
    placed = must_reserve(lab)
    assert "its ending is failed" in keep(lab, placed, ending=Ending.FAILED)
    other = must_reserve(lab, "bob")
    lab.run(lambda s: catalog.put_image(s, image("debian-12", 2048, revision=2)))
    assert "no longer in production" in keep(lab, other)
    assert computer(lab, other.target.computer).holder == other.reservation
    lab.run(lambda s: reservations.finished(s, other.reservation, NOW))
    assert computer(lab, other.target.computer).image == ""


def test_room_that_was_given_away_meanwhile(lab: Store) -> None:
    placed = must_reserve(lab, image="big")
    lab.run(lambda s: reservations.ready(s, placed.reservation, FACTS, NOW))
    lab.run(lambda s: reservations.ended(s, placed.reservation, Ending.NOACK, "", NOW))
    must_reserve(lab, "bob", "big")
    must_reserve(lab, "carol", "big")
    assert "no room" in lab.run(lambda s: reservations.kept(s, placed.reservation, KEEP, NOW))


def test_only_what_a_load_would_make_is_handed_out(lab: Store) -> None:
    """Another image, another size, a host in maintenance: then a machine of its own is made."""
    first, heard = a_spare(lab), inventory(hosts=3)
    other = reserve(lab, "bob", "big", inventories=(heard,))
    assert isinstance(other, Placed) and other.target.spare == ""
    lab.run(lambda s: catalog.put_image(s, replace(image("debian-12", 2048), memory_mb=4096)))
    assert must_reserve(lab, "bob").target.spare == ""
    lab.run(lambda s: catalog.put_image(s, image("debian-12", 2048)))
    away = tuple(replace(h, usable=h.name != first.target.host, why_not="in maintenance") for h in heard.hosts)
    outcome = reserve(lab, "carol", inventories=(replace(heard, hosts=away),))
    assert isinstance(outcome, Placed) and outcome.target.spare == ""
    assert must_reserve(lab, "olga").target.spare == first.target.instance_uuid


def test_a_spare_in_the_way_is_evicted(lab: Store) -> None:
    """One: the newcomer takes its computer, and removes its machine before it makes its own."""
    first = a_spare(lab)
    one = must_reserve(lab, "bob", "big")
    two = must_reserve(lab, "carol", "big")
    assert {one.target.host, two.target.host} == {"esx1", "esx2"}
    assert two.target.computer == first.target.computer and two.target.spare == "" and two.evicted == ()
    with lab.read() as session:
        assert spares.machines(session) == set()
    assert isinstance(reserve(lab, "olga", "big"), Refusal), "nobody else is evicted"


def test_as_many_as_needed_are_evicted(lab: Store) -> None:
    """Others get a tenure for their removal, and the load waits for it."""
    placed = [must_reserve(lab, user) for user in ("alice", "bob", "carol")]
    for each in placed:
        assert keep(lab, each) == ""
    heard = (inventory(hosts=1),)
    outcome = reserve(lab, "olga", "big", inventories=heard)
    assert isinstance(outcome, Placed), outcome
    assert len(outcome.evicted) == 2
    names = {each.target.computer for each in placed}
    assert {outcome.target.computer, *(gone.computer for gone in outcome.evicted)} == names
    gone = outcome.evicted[0]
    uuids = {each.target.computer: each.target.instance_uuid for each in placed}
    assert gone.instance_uuid == uuids[gone.computer]
    assert computer(lab, gone.computer).state == ComputerState.RELOADING
    with lab.read() as session:
        assert tenures.held(session, gone.computer, gone.generation)
        assert spares.overdue(session, NOW) == [], "its reservation looks after it"
    again = reserve(lab, "olga", "big", id=outcome.reservation, inventories=heard)
    assert again == outcome
    for _ in range(2):
        lab.run(lambda s: spares.removed(s, gone.computer, gone.generation, NOW))
    found = computer(lab, gone.computer)
    assert (found.state, found.holder, found.image) == ("available", "", "")
    lab.run(lambda s: reservations.ended(s, outcome.reservation, Ending.DELETED, "", NOW))
    with lab.read() as session:
        assert spares.overdue(session, NOW) == [outcome.evicted[1].computer], "then nobody else does"


def test_no_identity_but_that_of_a_spare(lab: Store) -> None:
    """The last free one is taken from it, and its machine removed by the load."""
    first = a_spare(lab)
    lab.run(lambda s: catalog.put_image(s, image("tiny", 64)))
    others = [must_reserve(lab, "bob", "tiny") for _ in range(7)]
    assert first.target.computer not in [each.target.computer for each in others]
    last = must_reserve(lab, "carol", "tiny")
    assert (last.target.computer, last.target.spare, last.evicted) == (first.target.computer, "", ())
    assert isinstance(reserve(lab, "olga", "tiny"), Refusal)


def test_a_preload_has_one_too(lab: Store) -> None:
    """At any host: its claims go there. Put off, nothing of it is left in what is promised."""
    placed = later(lab, NOW + timedelta(minutes=40), user="bob")
    assert isinstance(placed, Placed)
    first = a_spare(lab)
    begun = begin(lab, placed.reservation, now=NOW + timedelta(minutes=5))
    assert isinstance(begun, Placed)
    assert begun.target.instance_uuid == first.target.instance_uuid and begun.target.host == first.target.host
    with lab.read() as session:
        assert spares.facts(session, begun.target) == Facts("10.77.0.9", host_key="ssh-ed25519 AAAA")
        assert spares.machines(session) == set()
        pool = claims.host_pool("lab-vcenter", first.target.host)
        assert len(claims.bookings(session, [pool], SOON, SOON + HOUR)[pool]) == 1
    again = lab.run(lambda s: scheduling.put_off(s, placed.reservation, "failed", "", RULES, SOON))
    assert (again.target.spare, again.target.generation, again.target.computer) == ("", 0, "")


def test_too_old(lab: Store) -> None:
    """Its removal takes a tenure; it can't be handed out any more, and afterwards the computer is anybody's."""
    placed = a_spare(lab)
    name, late = placed.target.computer, NOW + timedelta(seconds=KEEP)
    with lab.read() as session:
        assert spares.overdue(session, SOON) == []
        assert spares.overdue(session, late) == [name]
    assert lab.run(lambda s: spares.leave(s, name, SOON)) is None
    target = lab.run(lambda s: spares.leave(s, name, late))
    assert target is not None and target == lab.run(lambda s: spares.leave(s, name, late))
    assert (target.generation, target.instance_uuid) == (placed.target.generation + 1, placed.target.instance_uuid)
    assert must_reserve(lab, "bob").target.computer != name
    lab.run(lambda s: spares.removed(s, name, target.generation, late))
    assert computer(lab, name).state == ComputerState.AVAILABLE
    assert lab.run(lambda s: spares.leave(s, name, late)) is None


def test_an_old_revision_goes_at_once(lab: Store) -> None:
    placed = a_spare(lab)
    lab.run(lambda s: catalog.put_image(s, image("debian-12", 2048, revision=2)))
    with lab.read() as session:
        assert spares.overdue(session, SOON) == [placed.target.computer]
    assert must_reserve(lab, "bob").target.spare == ""


def test_old_revisions_go_a_few_at_a_time(lab: Store) -> None:
    placed = [must_reserve(lab, user) for user in ("alice", "bob", "carol") * 2]
    for each in placed:
        assert keep(lab, each) == ""
    lab.run(lambda s: catalog.put_image(s, image("debian-12", 2048, revision=2)))
    names = sorted(each.target.computer for each in placed)
    with lab.read() as session:
        assert spares.overdue(session, SOON) == names[: spares.OLD_AT_ONCE]
        assert spares.overdue(session, NOW + timedelta(seconds=KEEP)) == names, "their time is over"


def test_a_spare_is_no_stray(lab: Store) -> None:
    """Neither while nobody holds it, nor while its next reservation has not marked it yet."""
    target = a_spare(lab).target
    machine = MachineFacts(
        "lab-vcenter", target.machine_name, target.instance_uuid, target.reservation, target.computer,
        target.generation, True,
    )  # fmt: skip
    assert lab.run(lambda s: orphans.seen(s, "lab-vcenter", [machine], NOW, 120)) == []
    must_reserve(lab, "bob")
    assert lab.run(lambda s: orphans.seen(s, "lab-vcenter", [machine], NOW, 120)) == []
    stray = replace(machine, instance_uuid="other")
    assert len(lab.run(lambda s: orphans.seen(s, "lab-vcenter", [stray], NOW, 120))) == 1


def test_one_in_maintenance_is_left_alone(lab: Store) -> None:
    """Not handed out; removed when its time is over, and still in maintenance then."""
    name = a_spare(lab).target.computer
    lab.run(lambda s: catalog.set_computer(s, name, ComputerState.MAINTENANCE))
    assert must_reserve(lab, "bob").target.computer != name
    late = NOW + timedelta(seconds=KEEP)
    target = lab.run(lambda s: spares.leave(s, name, late))
    assert target is not None
    lab.run(lambda s: spares.removed(s, name, target.generation, late))
    assert computer(lab, name).state == ComputerState.MAINTENANCE
