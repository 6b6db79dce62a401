"""A machine is placed only where its image's master is; of what nothing is known, anywhere."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.store.lab import HOUR, NOW, RULES, image, inventory, reserve, seed
from vclab.model.catalog import Endpoint, Thing
from vclab.model.inventory import DatastoreFacts, Inventory, Policies, Policy
from vclab.model.plans import Target
from vclab.model.reservations import OtherPlace, Placed, Refusal
from vclab.model.revisions import CopyState
from vclab.store import Store, catalog, copies, relocation, retirement

IMAGE = image("debian-12", 2048)
SECOND = Endpoint("second", "vsphere", "https://127.0.0.2/sdk", "u", "endpoint/second", "00")


def answers() -> tuple[Inventory, Inventory]:
    """Of two vCenters with the same hosts; the first one's are the best fit, so all went there. Two datastores."""
    first = inventory(2, 2048)
    stores = (DatastoreFacts("ds1", 50, 50), DatastoreFacts("ds2", 500, 500))
    hosts = tuple(replace(host, datastores=("ds1", "ds2")) for host in inventory(2, 16384).hosts)
    return first, Inventory("second", NOW, hosts, stores)


@pytest.fixture
def two(lab: Store) -> Store:
    lab.run(lambda s: catalog.put_endpoint(s, SECOND))
    return lab


def placed(store: Store) -> Target:
    """Where it is placed."""
    outcome = reserve(store, inventories=answers())
    assert isinstance(outcome, Placed), outcome
    return outcome.target


def saw(store: Store, endpoint: str, *storages: str) -> None:
    store.run(lambda s: copies.seen(s, IMAGE, endpoint, storages, NOW))


def test_of_what_nothing_is_known_machines_go_anywhere(two: Store) -> None:
    assert placed(two).endpoint == "lab-vcenter"


def test_a_machine_goes_to_the_endpoint_that_has_the_master(two: Store) -> None:
    """Today's best fit is where it is not: the load would fail there, and again in another place of it."""
    saw(two, "second", "ds2")
    assert placed(two).endpoint == "second"


def test_a_machine_goes_to_the_datastore_that_has_the_master(two: Store) -> None:
    saw(two, "second", "ds1")
    target = placed(two)
    assert (target.endpoint, target.storage) == ("second", "ds1"), "ds2 has more room"


def test_an_endpoints_policy_is_known_by_its_answer(lab: Store) -> None:
    hosts = (replace(inventory(1).hosts[0], datastores=("ds1", "ds2")),)
    heard = Inventory("lab-vcenter", NOW, hosts, (DatastoreFacts("ds1", 50, 50), DatastoreFacts("ds2", 500, 500)))
    for policy, storage in ((Policy.SPREAD, "ds2"), (Policy.BEST_FIT, "ds1")):
        said = replace(heard, policies=Policies(datastores=policy))
        outcome = reserve(lab, inventories=(said,))
        assert isinstance(outcome, Placed) and outcome.target.storage == storage


def test_another_place_is_one_that_has_the_master_too(two: Store) -> None:
    saw(two, "second", "ds2")
    target = placed(two)
    place = two.run(lambda s: relocation.find(s, target, answers(), RULES, NOW + timedelta(minutes=1)))
    assert isinstance(place, OtherPlace) and place.endpoint == "second"
    assert place.host != target.host and place.storage == "ds2"


def test_a_master_on_a_disabled_endpoint_only_says_so(two: Store) -> None:
    saw(two, "second", "ds1")
    two.run(lambda s: retirement.disable(s, Thing.ENDPOINT, "second", "being moved", NOW))
    outcome = reserve(two, inventories=answers())
    assert isinstance(outcome, Refusal)
    assert "the endpoint second is disabled: being moved" in outcome.text()


def test_what_an_endpoint_has_now_replaces_what_it_had(two: Store) -> None:
    saw(two, "second", "ds1", "ds2")
    saw(two, "lab-vcenter", "ds1")
    saw(two, "second", "ds2")
    with two.read() as session:
        places = copies.of(session, IMAGE)
        assert places and places.storages == {
            "second": {"ds2": CopyState.USABLE},
            "lab-vcenter": {"ds1": CopyState.USABLE},
        }
        assert copies.of(session, replace(IMAGE, revision=2)) is None
    saw(two, "second")
    saw(two, "lab-vcenter")
    with two.read() as session:
        assert copies.of(session, IMAGE) is None


def test_endpoints_and_images_can_be_removed_with_what_was_known(two: Store) -> None:
    saw(two, "second", "ds1")
    two.run(lambda s: retirement.remove(s, Thing.ENDPOINT, "second", NOW))
    with two.read() as session:
        assert copies.of(session, IMAGE) is None
    saw(two, "lab-vcenter", "ds1")
    two.run(lambda s: retirement.remove(s, Thing.IMAGE, "debian-12", NOW + HOUR))
    two.run(seed)
    with two.read() as session:
        assert copies.of(session, IMAGE) is None
