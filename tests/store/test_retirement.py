"""What an administrator disables is used by nothing new; what is in use can't be removed."""

from dataclasses import replace

import pytest

from tests.store.lab import HOUR, NOW, OLGA, RULES, image, inventory, must_reserve, reserve, seed
from tests.store.test_lab_machines import labs, placed
from vclab.model.catalog import Endpoint, IdentityPool, Thing, User
from vclab.model.errors import NotFound, Refused
from vclab.model.ids import new_id
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.states import ComputerState, Ending
from vclab.store import (
    Store,
    catalog,
    host_rests,
    maintenance,
    placement,
    reservations,
    retirement,
    scheduling,
    spares,
)

__all__ = ["labs"]

EACH = [(Thing.USER, "alice"), (Thing.IMAGE, "debian-12"), (Thing.ENDPOINT, "lab-vcenter")]


def disable(store: Store, thing: Thing, name: str, why: str = "on holiday") -> None:
    store.run(lambda s: retirement.disable(s, thing, name, why, NOW))


def enable(store: Store, thing: Thing, name: str) -> None:
    store.run(lambda s: retirement.enable(s, thing, name))


def remove(store: Store, thing: Thing, name: str) -> None:
    store.run(lambda s: retirement.remove(s, thing, name, NOW))


def finish(store: Store, id: str) -> None:
    store.run(lambda s: reservations.ended(s, id, Ending.DELETED, "", NOW))
    store.run(lambda s: reservations.finished(s, id, NOW))


@pytest.mark.parametrize(("thing", "name"), EACH)
def test_nothing_new_uses_what_is_disabled(lab: Store, thing: Thing, name: str) -> None:
    """It is listed still, with the reason; what uses it goes on, and enabled it is used again."""
    there = must_reserve(lab)
    for _ in range(2):
        disable(lab, thing, name)
    refused = reserve(lab)
    assert isinstance(refused, Refusal)
    if thing is not Thing.ENDPOINT:
        assert refused.reason == f"the {thing} {name} is disabled: on holiday"
    with lab.read() as session:
        assert catalog.user(session, "alice").disabled_at == (NOW if thing is Thing.USER else None)
        assert catalog.image(session, "debian-12").disabled_at == (NOW if thing is Thing.IMAGE else None)
        assert catalog.endpoint(session, "lab-vcenter").disabled_at == (NOW if thing is Thing.ENDPOINT else None)
        assert reservations.view(session, there.reservation, NOW) is not None
    enable(lab, thing, name)
    assert isinstance(reserve(lab), Placed)


def test_a_refusal_names_the_disabled_endpoint(lab: Store) -> None:
    disable(lab, Thing.ENDPOINT, "lab-vcenter", "it gets new disks")
    refused = reserve(lab)
    assert isinstance(refused, Refusal)
    assert "the endpoint lab-vcenter is disabled: it gets new disks" in refused.text()


@pytest.mark.parametrize(("thing", "name"), EACH)
def test_what_was_reserved_before_begins_all_the_same(lab: Store, thing: Thing, name: str) -> None:
    """Its promise is kept."""
    start = NOW + 3 * HOUR
    request = ReserveRequest(new_id(), "alice", "debian-12", 3600, start=start)
    later = lab.run(lambda s: placement.place(s, request, OLGA, (inventory(),), RULES, NOW))
    assert isinstance(later, Placed) and later.preload_at is not None
    disable(lab, thing, name)
    begun = lab.run(lambda s: scheduling.begin(s, request.id, (inventory(),), RULES, start))
    assert isinstance(begun, Placed) and begun.held, begun


@pytest.mark.parametrize(("thing", "name"), EACH)
def test_what_is_changed_stays_disabled(lab: Store, thing: Thing, name: str) -> None:
    disable(lab, thing, name)
    lab.run(lambda s: catalog.put_user(s, replace(catalog.user(s, "alice"), zone="UTC", disabled_at=None)))
    lab.run(lambda s: catalog.put_image(s, image("debian-12", 2048, revision=2)))
    lab.run(lambda s: catalog.put_endpoint(s, replace(catalog.endpoint(s, "lab-vcenter"), disabled_at=None)))
    assert isinstance(reserve(lab), Refusal)


@pytest.mark.parametrize(("thing", "name"), EACH)
def test_what_is_in_use_is_not_removed(lab: Store, thing: Thing, name: str) -> None:
    """It is refused with what uses it. What the history refers to is hidden, and its name stays taken."""
    one = must_reserve(lab)
    with pytest.raises(Refused, match=f"the {thing} {name} can't be removed: it is used by {one.reservation}"):
        remove(lab, thing, name)
    finish(lab, one.reservation)
    remove(lab, thing, name)
    with pytest.raises(NotFound):
        remove(lab, thing, name)
    assert isinstance(reserve(lab), Refusal)
    with lab.read() as session:
        listed = {
            Thing.USER: [user.login for user in catalog.users(session)],
            Thing.IMAGE: [image.name for image in catalog.images(session)],
            Thing.ENDPOINT: [endpoint.name for endpoint in catalog.endpoints(session)],
        }
        assert name not in listed[thing]
        view = reservations.view(session, one.reservation, NOW)
        assert view is not None and (view.user, view.image) == ("alice", "debian-12")
        assert (host_rests.known_hosts(session) == []) == (thing is Thing.ENDPOINT)


def test_a_uid_in_the_history_belongs_to_nobody_else(lab: Store) -> None:
    finish(lab, must_reserve(lab).reservation)
    remove(lab, Thing.USER, "alice")
    with pytest.raises(Refused, match="belongs to alice"):
        lab.run(lambda s: catalog.put_user(s, User("dora", 2001)))
    lab.run(lambda s: catalog.put_user(s, User("alice", 2001)))
    assert isinstance(reserve(lab), Placed), "she is back"


def test_what_nothing_refers_to_leaves_no_trace(lab: Store) -> None:
    for thing, name in ((Thing.IMAGE, "big"), (Thing.COMPUTER, "vm08")):
        remove(lab, thing, name)
    with lab.read() as session:
        assert [each.name for each in catalog.computers(session)] == [f"vm0{n}" for n in range(1, 8)]
        with pytest.raises(NotFound):
            catalog.image(session, "big")
    lab.run(lambda s: catalog.put_pool(s, IdentityPool("vm", 8)))
    with lab.read() as session:
        assert len(catalog.computers(session)) == 8


def test_a_spare_goes_when_its_image_is_disabled(lab: Store) -> None:
    """Until it has gone, neither the image nor the endpoint can be removed."""
    one = must_reserve(lab)
    lab.run(lambda s: reservations.ended(s, one.reservation, Ending.DELETED, "", NOW))
    assert lab.run(lambda s: reservations.kept(s, one.reservation, 3600, NOW)) == ""
    with lab.read() as session:
        assert spares.overdue(session, NOW) == []
    for thing, name in EACH[1:]:
        with pytest.raises(Refused, match="spare-vm01"):
            remove(lab, thing, name)
        disable(lab, thing, name)
        with lab.read() as session:
            assert spares.overdue(session, NOW) == ["vm01"]
        enable(lab, thing, name)


def test_a_promised_identity_is_not_removed(store: Store) -> None:
    """It is promised to nobody in particular, but the one that is left is not enough for two."""
    store.run(lambda s: seed(s, identities=2))
    start = NOW + 3 * HOUR
    for user in ("alice", "bob"):
        request = ReserveRequest(new_id(), user, "debian-12", 3600, start=start)
        outcome = store.run(lambda s, r=request: placement.place(s, r, OLGA, (inventory(),), RULES, NOW))  # type: ignore[misc]
        assert isinstance(outcome, Placed)
    with pytest.raises(Refused, match="all identities are promised at"):
        remove(store, Thing.COMPUTER, "vm02")
    finish(store, request.id)
    remove(store, Thing.COMPUTER, "vm02")


def test_lab_machines_and_their_group(labs: Store) -> None:
    """A machine that somebody has can't be taken out of service; the group goes after its machines."""
    one = placed(labs)
    with pytest.raises(Refused, match=one.reservation):
        remove(labs, Thing.COMPUTER, "lab01")
    with pytest.raises(Refused, match=one.reservation):
        labs.run(lambda s: maintenance.take_out(s, "lab01", "", False, None))
    finish(labs, one.reservation)
    labs.run(lambda s: maintenance.take_out(s, "lab01", "new memory", False, None))
    with labs.read() as session:
        found = catalog.computer(session, "lab01")
    assert (found.state, found.why_out_of_service) == (ComputerState.MAINTENANCE, "new memory")
    labs.run(lambda s: maintenance.put_back(s, "lab01"))
    with labs.read() as session:
        found = catalog.computer(session, "lab01")
    assert (found.state, found.why_out_of_service) == (ComputerState.AVAILABLE, "")
    with pytest.raises(Refused, match="the lab machines lab01, lab02 belong to it"):
        remove(labs, Thing.ENDPOINT, "labs")
    for name in ("lab01", "lab02"):
        remove(labs, Thing.COMPUTER, name)
    with labs.read() as session:
        assert catalog.group(session, "labs") == []
    with pytest.raises(Refused, match="are only there"):
        labs.run(lambda s: catalog.put_image(s, replace(catalog.image(s, "lab-debian"), endpoint="labs")))
        remove(labs, Thing.ENDPOINT, "labs")


def test_no_host_of_a_removed_endpoint_rests(lab: Store) -> None:
    lab.run(lambda s: host_rests.order(s, "lab-vcenter", "esx1", "new memory", "olga", NOW))
    remove(lab, Thing.ENDPOINT, "lab-vcenter")
    with lab.read() as session:
        assert host_rests.resting(session) == {}


def test_an_endpoint_that_was_never_used(lab: Store) -> None:
    lab.run(
        lambda s: catalog.put_endpoint(s, Endpoint("vc2", "vsphere", "https://vc2", "u", "endpoint/vc2", "ab" * 32))
    )
    remove(lab, Thing.ENDPOINT, "vc2")
    with lab.read() as session:
        assert [each.name for each in catalog.endpoints(session)] == ["lab-vcenter"]
