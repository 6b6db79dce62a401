"""What endpoints said last: one row each, in an epoch of the endpoint's entry."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from activities.inventories import StoreInventories
from activities.provisioning import Survey
from tests.store.lab import HOUR, NOW, inventory
from vclab.model.catalog import Endpoint
from vclab.model.errors import Unreachable
from vclab.model.inventory import Answered, DatastoreFacts, HostFacts, Inventory
from vclab.store import Store, audit, catalog, inventories, models
from vclab.temporal.converter import CONVERTER

VC = Endpoint("lab-vcenter", "vsphere", "https://127.0.0.1/sdk", "u", "endpoint/vc", "00")


def keep(store: Store, said: Inventory) -> tuple[Answered, ...]:
    """As the activity that asks does."""
    kept = StoreInventories(store)
    return kept.keep((said,), kept.epochs())


def read(store: Store, *answers: Answered) -> tuple[Inventory, ...]:
    with store.read() as session:
        return inventories.read(session, answers, NOW)


def test_an_answer_is_read_as_it_was_said(store: Store) -> None:
    said = inventory()
    assert read(store, *keep(store, said)) == (said,)


def test_only_the_newest_answer_is_kept(store: Store) -> None:
    first, second = inventory(memory_mb=1024), inventory(memory_mb=2048, taken_at=NOW + HOUR)
    earlier = keep(store, first)
    assert read(store, *keep(store, second), *earlier) == (second, second)
    keep(store, first)  # one that was asked earlier, and took longer
    assert read(store, *earlier) == (second,)
    with store.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(models.Inventory)) == 1


def test_what_was_asked_before_a_change_is_not_believed(store: Store) -> None:
    kept = StoreInventories(store)
    store.run(lambda s: catalog.put_endpoint(s, VC))
    asked, answers = kept.epochs(), keep(store, inventory())
    store.run(lambda s: catalog.put_endpoint(s, replace(VC, url="https://127.0.0.2/sdk")))
    assert [one.error for one in read(store, *answers)] == ["it was changed after it was asked; try again"]
    with pytest.raises(Unreachable, match="lab-vcenter: changed while it was asked"):
        kept.keep((inventory(),), asked)
    assert read(store, *keep(store, inventory())) == (inventory(),)


def test_one_that_did_not_answer_says_why_and_replaces_nothing(store: Store) -> None:
    answers = keep(store, inventory())
    (silent,) = keep(store, Inventory("lab-vcenter", NOW, error="it does not answer"))
    assert read(store, silent) == (Inventory("lab-vcenter", NOW, error="it does not answer"),)
    assert read(store, *answers) == (inventory(),)


def test_an_answer_that_is_lost_is_asked_for_again(store: Store) -> None:
    (lost,) = read(store, Answered("lab-vcenter", 3))
    assert "try again" in lost.error


def test_a_survey_of_a_large_endpoint_is_a_small_message(store: Store) -> None:
    """1,000 hosts, 50 datastores, all on each host: what a workflow carries does not grow with them."""
    stores = tuple(f"datastore-with-a-usual-name-{number:02}" for number in range(50))
    hosts = tuple(HostFacts(f"esx{n:04}.lab.example.org", 128, 1 << 20, datastores=stores) for n in range(1000))
    said = Inventory("lab-vcenter", NOW, hosts, tuple(DatastoreFacts(name, 9000, 9000) for name in stores))
    answers = keep(store, said)
    assert read(store, *answers) == (said,)
    carried, before = (CONVERTER.payload_converter.to_payload(one).data for one in (Survey(answers), said))
    assert len(carried) < 200 < 1_500_000 < len(before), (len(carried), len(before))


FULL = DatastoreFacts("ds1", 50, 7, False, "only 4 % of it are free", filled=True)


def alarms(store: Store) -> tuple[list[str], list[str]]:
    """The datastores that have filled, and what the audit says of it."""
    with store.read() as session:
        filled = [f"{endpoint}/{each.name}" for endpoint, each in inventories.filled(session)]
        return filled, [event.detail for event in audit.events(session, "endpoint-lab-vcenter")]


def test_a_datastore_that_fills_is_noted_once(store: Store) -> None:
    """Each time that it fills, not with each answer; nor by one that is not kept."""
    store.run(lambda s: catalog.put_endpoint(s, VC))
    roomy, told = inventory(), "ds1: only 4 % of it are free"
    keep(store, roomy)
    assert alarms(store) == ([], [])
    for minute in range(3):
        at = NOW + HOUR + minute * HOUR / 60
        keep(store, replace(roomy, taken_at=at, datastores=(replace(FULL, why_not=f"{FULL.why_not}{minute}"),)))
    assert alarms(store) == (["lab-vcenter/ds1"], [f"{told}0"])
    keep(store, replace(roomy, taken_at=NOW + 2 * HOUR))
    keep(store, replace(roomy, taken_at=NOW + HOUR, datastores=(FULL,)))  # it took longer
    assert alarms(store) == ([], [f"{told}0"])
    keep(store, replace(roomy, taken_at=NOW + 3 * HOUR, datastores=(FULL,)))
    assert alarms(store) == (["lab-vcenter/ds1"], [f"{told}0", told])


def test_when_each_answered_last(store: Store) -> None:
    keep(store, inventory())
    with store.read() as session:
        assert inventories.taken(session) == {"lab-vcenter": NOW}
    store.run(lambda s: catalog.put_endpoint(s, VC))
    with store.read() as session:
        assert inventories.taken(session) == {}
