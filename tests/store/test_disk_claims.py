"""What a machine's disk claims: a child a share of its size, by its image or the site; a full copy all of it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW, RULES, image, inventory
from vclab.model.catalog import Image
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory
from vclab.model.plans import Facts, Target
from vclab.model.reservations import OtherPlace, Placed, Refusal, ReserveRequest
from vclab.model.revisions import RevisionState
from vclab.model.rules import Rules
from vclab.model.states import Ending
from vclab.store import Store, catalog, claims, extension, placement, relocation, reservations, scheduling, spares

QUARTER = replace(RULES, child_factor=0.25)
IMAGE = image("debian-12", 2048, disk_gb=10)
OPERATOR = Author("alice", operator=True)
START = NOW + 10 * HOUR


@pytest.fixture(autouse=True)
def ten(lab: Store) -> None:
    """The image's disk has 10 GiB."""
    lab.run(lambda s: catalog.put_image(s, IMAGE))


def asked(store: Store, heard: Inventory, rules: Rules = QUARTER, **more: object) -> Placed | Refusal:
    request = replace(ReserveRequest(new_id(), "alice", "debian-12", 3600), **more)  # type: ignore[arg-type]
    return store.run(lambda s: placement.place(s, request, OPERATOR, (heard,), rules, NOW))


def must(outcome: Placed | Refusal | None) -> Placed:
    assert isinstance(outcome, Placed), outcome
    return outcome


def disks(store: Store, holder: str) -> dict[str, int]:
    """GiB that it claims, by datastore."""
    with store.read() as session:
        return {c.pool.rpartition("/")[2]: c.disk_gb for c in claims.of(session, holder) if c.pool and c.disk_gb}


def kept(store: Store, placed: Placed) -> None:
    """Its machine becomes a spare."""

    def keep(session: Session) -> str:
        reservations.ready(session, placed.reservation, Facts("10.77.0.9", "203.0.113.9", "ssh-ed25519 AAAA", "b"), NOW)
        reservations.ended(session, placed.reservation, Ending.NOACK, "", NOW)
        return reservations.kept(session, placed.reservation, 1800.0, NOW)

    assert store.run(keep) == ""


@pytest.mark.parametrize(
    ("site", "own", "dedicated", "linked", "gib"),
    [
        (1.0, 0.0, False, True, 10),
        (0.25, 0.0, False, True, 3),
        (0.25, 0.5, False, True, 5),
        (1.0, 0.05, False, True, 1),
        (0.1, 0.0, False, True, 1),
        (0.25, 0.5, True, True, 10),
        (0.25, 0.5, False, False, 10),
    ],
)
def test_what_a_disk_claims(lab: Store, site: float, own: float, dedicated: bool, linked: bool, gib: int) -> None:
    lab.run(lambda s: catalog.put_image(s, replace(IMAGE, child_factor=own, dedicated=dedicated)))
    heard = replace(inventory(), datastores=(DatastoreFacts("ds1", 200, 200, linked=linked),))
    placed = must(asked(lab, heard, replace(RULES, child_factor=site)))
    assert disks(lab, placed.reservation) == {"ds1": gib}
    assert placed.target.claimed_gb == gib


def test_what_a_lab_machine_has_is_not_counted() -> None:
    metal = Image("metal", "Metal", 1, "standalone", "linux", 0, 0, 0)
    assert QUARTER.claimed_gb(metal) == 0
    assert replace(RULES, child_factor=0.1).claimed_gb(replace(IMAGE, disk_gb=30)) == 3, "no rounding error"


def test_more_children_than_whole_disks_fit_and_what_does_not_says_what_it_needs(lab: Store) -> None:
    small = inventory(disk_gb=7)
    for _ in range(2):
        must(asked(lab, small))
    refused = asked(lab, small)
    assert isinstance(refused, Refusal) and "datastore ds1: needs 3 GiB disk, has 1 free" in refused.text()
    assert refused.earliest == NOW + HOUR + timedelta(seconds=300)
    whole = asked(lab, small, dedicated=True)
    assert isinstance(whole, Refusal) and "needs 10 GiB disk, has 1 free" in whole.text()
    assert whole.earliest is None, "it never fits there"


def test_where_disks_can_not_be_children_more_room_is_needed(lab: Store) -> None:
    hosts = (HostFacts("esx1", 16, 16384, datastores=("vsan", "vmfs")),)
    stores = (DatastoreFacts("vsan", 9, 9, linked=False), DatastoreFacts("vmfs", 4, 4))
    assert must(asked(lab, Inventory("lab-vcenter", NOW, hosts, stores))).target.storage == "vmfs"


def test_a_spare_and_an_extension_claim_the_same(lab: Store) -> None:
    heard = inventory(disk_gb=3)
    placed = must(asked(lab, heard))
    kept(lab, placed)
    assert disks(lab, spares.holder_of(placed.target.computer)) == {"ds1": 3}
    again = must(asked(lab, heard))
    assert (again.target.spare, again.target.claimed_gb) == (placed.target.instance_uuid, 3)
    later = again.end + HOUR
    assert lab.run(lambda s: extension.extend(s, again.reservation, later, OPERATOR, QUARTER, NOW)) == later
    assert disks(lab, again.reservation) == {"ds1": 3}


def test_a_spare_makes_way_for_what_it_claims(lab: Store) -> None:
    heard = inventory(disk_gb=3)
    spare = must(asked(lab, heard))
    kept(lab, spare)
    lab.run(lambda s: catalog.put_image(s, image("other", 2048, disk_gb=12)))
    placed = must(asked(lab, heard, image="other"))
    assert disks(lab, placed.reservation) == {"ds1": 3}


def moved(store: Store, target: Target, heard: Inventory) -> Placed:
    place = store.run(lambda s: relocation.find(s, target, (heard,), QUARTER, NOW))
    assert isinstance(place, OtherPlace), place
    return must(store.run(lambda s: relocation.relocate(s, target, place, "", 0.0, QUARTER, NOW)))


@pytest.mark.parametrize(("linked", "dedicated", "gib"), [(True, False, 3), (False, False, 10), (True, True, 10)])
def test_another_place_claims_what_a_disk_claims_there(lab: Store, linked: bool, dedicated: bool, gib: int) -> None:
    hosts = (HostFacts("esx1", 16, 4096, datastores=("ds1",)), HostFacts("esx2", 16, 16384, datastores=("ds2",)))
    stores = (DatastoreFacts("ds1", 50, 50), DatastoreFacts("ds2", 50, 50, linked=linked))
    heard = Inventory("lab-vcenter", NOW, hosts, stores)
    placed = must(asked(lab, heard, dedicated=dedicated))
    assert placed.target.storage == "ds1"
    new = moved(lab, placed.target, heard)
    assert (new.target.storage, new.target.claimed_gb, new.target.dedicated) == ("ds2", gib, dedicated)
    assert disks(lab, placed.reservation) == {"ds2": gib}


def test_a_reservation_for_later_gets_the_newest_revision_that_claims_no_more(lab: Store) -> None:
    heard = inventory()
    first, second = (must(asked(lab, heard, start=START)) for _ in range(2))

    def newest(revision: int, factor: float) -> None:
        new = replace(image("debian-12", 2048, revision, disk_gb=20), child_factor=factor)
        lab.run(lambda s: catalog.put_image(s, new, state=RevisionState.PRODUCTION))

    def begun(placed: Placed) -> Target:
        return must(lab.run(lambda s: scheduling.begin(s, placed.reservation, (heard,), QUARTER, START))).target

    newest(2, 0.5)
    assert begun(first).revision == 1, "the newest one claims 10 GiB"
    newest(3, 0.15)
    assert begun(second).revision == 3


def test_a_reservation_can_have_a_full_copy(lab: Store) -> None:
    heard = inventory()
    now, later = must(asked(lab, heard, dedicated=True)), must(asked(lab, heard, dedicated=True, start=START))
    assert now.target.dedicated and not must(asked(lab, heard)).target.dedicated
    begun = must(lab.run(lambda s: scheduling.begin(s, later.reservation, (heard,), QUARTER, START)))
    assert begun.target.dedicated and disks(lab, later.reservation) == {"ds1": 10}
    with lab.read() as session:
        view = reservations.view(session, now.reservation)
    assert view is not None and view.dedicated


def test_a_full_copy_is_not_a_spare_that_is_a_child(lab: Store) -> None:
    heard = inventory()
    child = must(asked(lab, heard))
    kept(lab, child)
    whole = must(asked(lab, heard, dedicated=True))
    assert whole.target.spare == ""
    kept(lab, whole)
    with_child = must(asked(lab, heard))
    assert with_child.target.spare == child.target.instance_uuid
    with_copy = must(asked(lab, heard, dedicated=True))
    assert (with_copy.target.spare, with_copy.target.dedicated) == (whole.target.instance_uuid, True)
    kept(lab, with_copy)
    any_will_do = must(asked(lab, heard)).target
    assert (any_will_do.spare, any_will_do.dedicated, any_will_do.claimed_gb) == (
        with_copy.target.instance_uuid,
        True,
        10,
    )


def test_what_has_no_copies_has_no_dedicated_disk(lab: Store) -> None:
    metal = Image("metal", "Metal", 1, "standalone", "linux", 0, 0, 0)
    lab.run(lambda s: catalog.put_image(s, metal, lent=True))
    refused = asked(lab, inventory(), image="metal", dedicated=True)
    assert isinstance(refused, Refusal)
    assert refused.reason == (
        "metal can't have a dedicated disk: the module standalone makes no disks from copies of an image"
    )
