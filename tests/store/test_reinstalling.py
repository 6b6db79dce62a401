"""A computer that is brought back to its image: the same place, another tenure, the disk of another revision."""

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import NOW, RULES, image
from tests.store.test_children import PATH, ours, placed, rows
from vclab.model.errors import Refused
from vclab.model.intents import Author
from vclab.model.plans import Facts, Target
from vclab.model.revisions import Copied, RevisionState
from vclab.model.states import Ending, ReservationState
from vclab.store import Store, catalog, children, claims, copies, reinstalling, reservations, revisions, tenures

ALICE, OLGA = Author("alice", act="a1"), Author("olga", operator=True, act="a2")


def in_use(store: Store) -> Target:
    ours(store)
    target = placed(store)
    store.run(lambda s: reservations.ready(s, target.reservation, Facts("10.0.0.9", host_key="k"), NOW))
    store.run(lambda s: reservations.acknowledged(s, target.reservation, ("203.0.113.1",), ALICE, NOW))
    store.run(lambda s: reservations.connected(s, target.reservation, NOW))
    return target


def ask(store: Store, target: Target, revision: int = 0, by: Author = ALICE) -> int:
    return store.run(lambda s: reinstalling.asked(s, target.reservation, revision, by, NOW))


def begin(store: Store, target: Target, revision: int) -> Target:
    found = store.run(lambda s: reinstalling.begin(s, target, revision, RULES, NOW))
    assert found is not None
    return found.target


def second(store: Store, memory_mb: int = 2048) -> None:
    made = image("debian-12", memory_mb, revision=2)
    store.run(lambda s: catalog.put_image(s, made, state=RevisionState.TEST))


def claimed(session: Session, target: Target) -> list[tuple[str | None, int, int]]:
    return [(claim.pool, claim.memory_mb, claim.disk_gb) for claim in claims.of(session, target.reservation)]


def test_it_is_taken_anew_in_the_same_place(lab: Store) -> None:
    target = in_use(lab)
    before = lab.run(
        lambda s: [(claim.pool, claim.memory_mb, claim.disk_gb) for claim in claims.of(s, target.reservation)]
    )
    assert ask(lab, target) == 1
    new = begin(lab, target, 1)
    assert begin(lab, target, 1) == new, "repeated, it is the same"
    assert (new.computer, new.host, new.storage) == (target.computer, target.host, target.storage)
    assert (new.generation, new.copy) == (target.generation + 1, PATH)
    assert new.instance_uuid != target.instance_uuid
    assert rows(lab) == [(new.computer, new.generation)]
    with lab.read() as session:
        view = reservations.view(session, target.reservation)
        assert view is not None and (view.state, view.host_key) == (ReservationState.NEW, "")
        assert not tenures.held(session, target.computer, target.generation)
        assert [
            (claim.pool, claim.memory_mb, claim.disk_gb) for claim in claims.of(session, target.reservation)
        ] == before


def test_another_revision_waits_for_its_copy(lab: Store) -> None:
    target = in_use(lab)
    second(lab)
    lab.run(lambda s: copies.seen(s, image("debian-12", 2048, revision=2), "lab-vcenter", ["ds9"], NOW))
    with pytest.raises(Refused, match="only operators, and who reserves for imaging"):
        ask(lab, target, 2)
    assert ask(lab, target, 2, OLGA) == 2
    new = begin(lab, target, 2)
    assert (new.revision, new.awaits_copy) == (2, True)
    assert rows(lab) == [], "nothing of the first one is needed any more"
    lab.run(lambda s: copies.made(s, new.made_from, Copied("[ds1] x.vmdk"), NOW))
    held = lab.run(lambda s: children.hold(s, new, NOW))
    assert held.copy == "[ds1] x.vmdk"


def test_the_one_in_production_is_what_is_meant(lab: Store) -> None:
    target = in_use(lab)
    second(lab)
    lab.run(lambda s: revisions.promote(s, "debian-12", 2))
    assert ask(lab, target) == 2
    assert ask(lab, target, 1) == 1, "its own it may have again"


def test_what_can_not_be_reinstalled(lab: Store) -> None:
    target = in_use(lab)
    with pytest.raises(Refused, match="there is no revision 7"):
        ask(lab, target, 7, OLGA)
    second(lab, memory_mb=4096)
    with pytest.raises(Refused, match="has another size"):
        ask(lab, target, 2, OLGA)
    lab.run(lambda s: revisions.retire(s, "debian-12", 2, NOW))
    with pytest.raises(Refused, match="is retired"):
        ask(lab, target, 2, OLGA)
    lab.run(lambda s: reservations.ended(s, target.reservation, Ending.RELEASED, "", NOW))
    with pytest.raises(Refused, match="is not in use"):
        ask(lab, target)
    assert lab.run(lambda s: reinstalling.begin(s, target, 1, RULES, NOW)) is None
