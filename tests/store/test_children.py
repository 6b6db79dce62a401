"""Disks that are children of a copy: a copy that somebody needs is never deleted, and who waits for one gets it."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.store import racers
from tests.store.lab import HOUR, NOW, RULES, image, inventory, reserve, seed
from tests.store.racers import race
from vclab.model.errors import NotFound, Refused
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory
from vclab.model.messages import copy_workflow
from vclab.model.plans import Target
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.revisions import Copied, CopyState, Place, RevisionState, Wanted
from vclab.model.states import Ending
from vclab.store import (
    Store,
    audit,
    awaited_copies,
    catalog,
    children,
    claims,
    copies,
    placement,
    relocation,
    repositories,
    reservations,
    revisions,
)
from vclab.store.models import Copy
from vclab.store.repositories import RepositoryFacts

IMAGE = image("debian-12", 2048)
DS1 = Wanted("debian-12", 1, Place("lab-vcenter", "ds1"))
PATH = "[ds1] vclab/images.of_test/debian-12.1/disk.vmdk"


def placed(store: Store, id: str = "") -> Target:
    outcome = reserve(store, id=id)
    assert isinstance(outcome, Placed), outcome
    return outcome.target


def known(store: Store, *storages: str) -> None:
    store.run(lambda s: copies.seen(s, IMAGE, "lab-vcenter", storages, NOW))


def ours(store: Store) -> None:
    """vclab has made a copy on ds1."""

    def make(session: Session) -> None:
        copies.begin(session, DS1, NOW, kept=True)
        copies.made(session, DS1, Copied(PATH), NOW)

    known(store, "ds9")
    store.run(make)


def state(store: Store) -> CopyState | None:
    with store.read() as session:
        places = copies.of(session, IMAGE)
        return places.storages["lab-vcenter"].get("ds1") if places else None


def rows(store: Store) -> list[tuple[str, int]]:
    with store.read() as session:
        return [(row.computer, row.generation) for row in children.of(session, DS1)]


def looked(store: Store, target: Target, again: bool = False) -> tuple[Placed, str]:
    """What a reservation that waits for its copy is told."""
    return store.run(lambda s: awaited_copies.look(s, target.reservation, again, RULES, NOW))


def finish(store: Store, target: Target, now_later: timedelta = HOUR) -> None:
    def end(session: Session) -> None:
        reservations.ended(session, target.reservation, Ending.DELETED, "", NOW)
        reservations.finished(session, target.reservation, NOW + now_later)

    store.run(end)


def test_a_machine_is_made_from_the_copy_and_is_its_child_until_it_is_gone(lab: Store) -> None:
    ours(lab)
    target = placed(lab)
    assert (target.copy, target.awaits_copy) == (PATH, False)
    assert rows(lab) == [(target.computer, target.generation)]
    with pytest.raises(Refused, match=f"the disks of {target.computer} are made from debian-12/1 on ds1"):
        lab.run(lambda s: copies.leave_use(s, DS1, NOW))
    finish(lab, target)
    assert rows(lab) == []
    lab.run(lambda s: copies.leave_use(s, DS1, NOW))
    assert state(lab) is CopyState.RETIRING


def test_a_machine_that_is_not_verified_gone_keeps_its_copy(lab: Store) -> None:
    ours(lab)
    target = placed(lab)
    lab.run(lambda s: reservations.ended(s, target.reservation, Ending.DELETED, "", NOW))
    lab.run(lambda s: reservations.finished(s, target.reservation, NOW, verified=False, detail="the host is away"))
    assert rows(lab) == [(target.computer, target.generation)]


def test_many_wait_for_one_copy_and_all_are_told(lab: Store) -> None:
    known(lab, "ds9")
    targets = [placed(lab) for _ in range(3)]
    assert all(target.awaits_copy and not target.copy for target in targets)
    assert rows(lab) == [] and state(lab) is CopyState.COPYING
    with lab.read() as session:
        assert len(claims.of(session, copy_workflow(DS1))) == 1, "it has its room once"
        assert copies.is_wanted(session, DS1)
    waiting = lab.run(lambda s: copies.made(s, DS1, Copied(PATH), NOW))
    assert sorted(waiting) == sorted(target.reservation for target in targets)
    with lab.read() as session:
        assert claims.of(session, copy_workflow(DS1)) == []
    for target in targets:
        outcome, why_not = looked(lab, target)
        assert (outcome.target.copy, outcome.target.awaits_copy, why_not) == (PATH, False, "")
    assert len(rows(lab)) == 3
    with lab.read() as session:
        assert copies.waiters(session, DS1) == []


def test_a_copy_that_fails_is_told_and_tried_again(lab: Store) -> None:
    known(lab, "ds9")
    target = placed(lab)
    assert lab.run(lambda s: copies.not_made(s, DS1, "ds1 is full", NOW)) == [target.reservation]
    _, why_not = looked(lab, target)
    assert why_not == "the copy of debian-12/1 on ds1 of lab-vcenter can't be used: ds1 is full"
    outcome, why_not = looked(lab, target, again=True)
    assert (outcome.target.awaits_copy, why_not, state(lab)) == (True, "", CopyState.COPYING)


def test_a_copy_is_wanted_until_its_last_waiter_has_gone(lab: Store) -> None:
    known(lab, "ds9")
    first, second = placed(lab), placed(lab)
    finish(lab, first)
    with lab.read() as session:
        assert copies.is_wanted(session, DS1)
    finish(lab, second)
    with lab.read() as session:
        assert not copies.is_wanted(session, DS1)
    assert lab.run(lambda s: copies.not_made(s, DS1, "", NOW)) == []
    assert state(lab) is None


def test_who_comes_when_a_copy_is_being_given_up_gets_it_all_the_same(lab: Store) -> None:
    known(lab, "ds9")
    finish(lab, placed(lab))
    target = placed(lab)  # nobody wanted it for a moment, and in that moment it was stopped
    for _ in range(2):  # a record may be written twice
        assert lab.run(lambda s: copies.not_made(s, DS1, "", NOW)) == [target.reservation]
    outcome, why_not = looked(lab, target)
    assert (outcome.target.awaits_copy, why_not, state(lab)) == (True, "", CopyState.COPYING)
    with lab.read() as session:
        assert len(claims.of(session, copy_workflow(DS1))) == 1
        assert copies.is_wanted(session, DS1)


def test_no_room_for_the_copy_is_no_room(lab: Store) -> None:
    """The machine alone would fit."""
    known(lab, "ds9")
    outcome = reserve(lab, inventories=(inventory(disk_gb=7),))
    assert isinstance(outcome, Refusal)
    assert "datastore ds1: needs 8 GiB disk, has 7 free" in outcome.text()
    known(lab, "ds1")
    assert isinstance(reserve(lab, inventories=(inventory(disk_gb=7),)), Placed)


def test_where_the_image_is_comes_before_the_best_fit(lab: Store) -> None:
    hosts = (HostFacts("esx1", 16, 4096, datastores=("ds2",)), HostFacts("esx2", 16, 16384, datastores=("ds1",)))
    stores = (DatastoreFacts("ds1", 500, 500), DatastoreFacts("ds2", 20, 20))
    heard = (Inventory("lab-vcenter", NOW, hosts, stores),)
    outcome = reserve(lab, inventories=heard)
    assert isinstance(outcome, Placed) and outcome.target.host == "esx1"
    known(lab, "ds1")
    outcome = reserve(lab, inventories=heard)
    assert isinstance(outcome, Placed) and (outcome.target.host, outcome.target.storage) == ("esx2", "ds1")


def test_disks_that_can_not_be_children_are_dedicated(lab: Store) -> None:
    ours(lab)
    heard = inventory()
    vsan = (DatastoreFacts("ds1", 200, 200, linked=False),)
    outcome = reserve(lab, inventories=(Inventory("lab-vcenter", NOW + HOUR, heard.hosts, vsan),))
    assert isinstance(outcome, Placed) and outcome.target.dedicated
    assert rows(lab) == [(outcome.target.computer, 1)], "it is copied from there"


def test_another_place_has_its_own_child(lab: Store) -> None:
    ours(lab)
    target = placed(lab)
    place = lab.run(lambda s: relocation.find(s, target, (inventory(),), RULES, NOW))
    assert not isinstance(place, Refusal)
    moved = lab.run(lambda s: relocation.relocate(s, target, place, "", 0, RULES, NOW))
    assert moved is not None and moved.target.copy == PATH
    assert rows(lab) == [(moved.target.computer, moved.target.generation)]


def test_a_master_that_vanishes_under_its_children_is_broken_and_may_come_back(lab: Store) -> None:
    known(lab, "ds1")
    target = placed(lab)
    known(lab)
    assert state(lab) is CopyState.BROKEN
    known(lab, "ds1")
    assert state(lab) is CopyState.USABLE
    finish(lab, target)
    known(lab)
    assert state(lab) is None


def test_what_is_needed_is_not_deleted(lab: Store) -> None:
    ours(lab)
    target = placed(lab)
    lab.run(lambda s: catalog.put_image(s, image("debian-12", 2048, revision=2)))
    lab.run(lambda s: revisions.retire(s, "debian-12", 1, NOW))
    with pytest.raises(Refused, match=f"is needed by the reservation {target.reservation}"):
        lab.run(lambda s: revisions.must_be_idle(s, "debian-12", 1))
    finish(lab, target)
    lab.run(lambda s: revisions.must_be_idle(s, "debian-12", 1))
    lab.run(lambda s: copies.leave_use(s, DS1, NOW))
    lab.run(lambda s: copies.gone(s, DS1, NOW))
    lab.run(lambda s: revisions.forget_if_nothing_is_left(s, "debian-12", 1))
    with lab.read() as session:
        assert [state for _, state in catalog.revisions(session, "debian-12")][-1] is RevisionState.PRODUCTION
        assert revisions.one(session, "debian-12", 1).copies == (), "a reservation had it: it stays in the history"


def test_copies_of_retired_revisions_go_when_nobody_has_them(lab: Store) -> None:
    ours(lab)
    target = placed(lab)
    assert lab.run(lambda s: copies.retire_idle(s, NOW)) == [], "it is in production"
    lab.run(lambda s: catalog.put_image(s, image("debian-12", 2048, revision=2)))
    lab.run(lambda s: revisions.retire(s, "debian-12", 1, NOW))
    assert lab.run(lambda s: copies.retire_idle(s, NOW)) == [], "a disk is made from it"
    finish(lab, target)
    assert lab.run(lambda s: copies.retire_idle(s, NOW)) == [DS1]
    with lab.read() as session:
        assert copies.in_state(session, CopyState.RETIRING) == [DS1]
        assert [event.what for event in audit.events(session, "image-debian-12")] == ["copy deleted"]


def test_a_revision_that_nobody_had_is_forgotten(lab: Store) -> None:
    lab.run(lambda s: catalog.put_image(s, image("debian-12", 2048, revision=2), state=RevisionState.TEST))
    lab.run(lambda s: revisions.retire(s, "debian-12", 2, NOW))
    lab.run(lambda s: revisions.forget_if_nothing_is_left(s, "debian-12", 2))
    with pytest.raises(NotFound):
        lab.run(lambda s: revisions.one(s, "debian-12", 2))


def test_placements_and_a_deletion_at_one_moment(store: Store, url: str) -> None:
    """Whoever comes first: no machine is made from a copy that is being deleted."""
    store.run(seed)
    ours(store)
    answers = race(racers.place_or_delete, url)
    held = rows(store)
    if state(store) is CopyState.RETIRING:
        assert held == []
    else:
        assert len(held) == sum(answer == "child" for answer in answers) > 0


def test_eight_first_ones_make_one_copy(store: Store, url: str) -> None:
    store.run(seed)
    known(store, "ds9")
    assert race(racers.place_and_wait, url) == [True] * racers.PROCESSES
    with store.read() as session:
        assert len(copies.waiters(session, DS1)) == racers.PROCESSES
        assert len(claims.of(session, copy_workflow(DS1))) == 1


def test_a_revision_that_is_not_in_production_is_tried(lab: Store) -> None:
    lab.run(lambda s: catalog.put_image(s, image("debian-12", 2048, revision=2), state=RevisionState.TEST))

    def tried(number: int, **more: Any) -> Placed | Refusal:
        request = ReserveRequest(new_id(), "alice", "debian-12", 3600, revision=number, **more)
        return lab.run(lambda s: placement.place(s, request, Author("alice"), (inventory(),), RULES, NOW))

    outcome = tried(2)
    assert isinstance(outcome, Placed) and outcome.target.revision == 2
    for refused, why in (
        (tried(7), "there is no revision 7 of debian-12"),
        (tried(2, start=NOW + HOUR), "a revision that is named is had at once, not for later"),
    ):
        assert isinstance(refused, Refusal) and refused.reason == why
    lab.run(lambda s: revisions.retire(s, "debian-12", 2, NOW))
    refused_now = tried(2)
    assert isinstance(refused_now, Refusal) and refused_now.reason == "revision 2 of debian-12 is retired"


def in_library(store: Store, name: str, used: timedelta) -> Wanted:
    """An image of which vclab has made a copy on ds1, and which a repository holds; last used so long ago."""
    wanted = Wanted(name, 1, DS1.place)

    def make(session: Session) -> None:
        catalog.put_image(session, image(name, 2048))
        repositories.holds(session, "main", name, 1, NOW)
        copies.begin(session, wanted, NOW - used, kept=True)
        copies.made(session, wanted, Copied(f"[ds1] {name}.vmdk"), NOW - used)
        session.execute(sa.update(Copy).where(Copy.image == name).values(kept=False))

    store.run(lambda s: repositories.put(s, RepositoryFacts("main", "default", "/srv/main"), NOW))
    store.run(make)
    return wanted


def test_room_is_made_in_order_and_never_of_what_somebody_needs(lab: Store) -> None:
    """Retired ones first, then the one unused longest; not what is used, or reserved for the next day."""
    known(lab, "ds1")
    in_use, soon = in_library(lab, "in-use", HOUR * 99), in_library(lab, "soon", HOUR * 99)
    old, older, retired = (in_library(lab, name, HOUR * ago) for name, ago in (("old", 5), ("older", 9), ("gone", 1)))
    child = reserve(lab, image="in-use")
    assert isinstance(child, Placed) and child.target.copy
    request = ReserveRequest(new_id(), "alice", "soon", 3600, start=NOW + 5 * HOUR)
    later = lab.run(lambda s: placement.place(s, request, Author("alice", True), (inventory(),), RULES, NOW))
    assert isinstance(later, Placed)
    lab.run(lambda s: catalog.put_image(s, image("gone", 2048, revision=2)))
    lab.run(lambda s: revisions.retire(s, "gone", 1, NOW))
    full = (inventory(disk_gb=7, taken_at=NOW + HOUR),)
    for expected in (retired, older, old):
        refused = reserve(lab, inventories=full)
        assert isinstance(refused, Refusal)
        assert f"the copy of {expected} on ds1 of lab-vcenter is being deleted to make some" in refused.text()
    refused = reserve(lab, inventories=full)
    assert isinstance(refused, Refusal) and "deleted" not in refused.text()
    with lab.read() as session:
        assert set(copies.in_state(session, CopyState.RETIRING)) == {retired, older, old}
        assert {in_use, soon} <= set(copies.in_state(session, CopyState.USABLE))


def test_no_copy_goes_for_a_machine_that_lacks_something_else(lab: Store) -> None:
    known(lab, "ds1")
    in_library(lab, "old", HOUR)
    assert isinstance(reserve(lab, image="big", inventories=(inventory(memory_mb=1024, disk_gb=1),)), Refusal)
    with lab.read() as session:
        assert copies.in_state(session, CopyState.RETIRING) == []
