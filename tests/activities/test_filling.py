"""A datastore that fills is seen by the reconciler, also while nobody reserves."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.reconcile import SiteInput, SiteReconciler
from tests.fakes import FakeModule, World
from vclab.model.catalog import Endpoint
from vclab.model.inventory import DatastoreFacts, Inventory
from vclab.settings import ReconcileSettings
from vclab.store import audit, catalog, inventories, open_store

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
VC = Endpoint("vc", "vsphere", "https://127.0.0.1/sdk", "u", "endpoint/vc", "00")


class Filling(FakeModule):
    """Its datastore is full."""

    now, asked = NOON, 0

    def survey(self, endpoint: str) -> Inventory:
        """As it is now."""
        self.asked += 1
        full = DatastoreFacts("ds1", 500, 5, False, "only 1 % of it are free", filled=True)
        return Inventory(endpoint, self.now, datastores=(full,))


async def test_an_endpoint_is_asked_when_nobody_has_for_some_minutes(tmp_path: Path) -> None:
    module, store = Filling(World()), open_store(f"sqlite:///{tmp_path}/vclab.db")
    store.migrate()
    store.run(lambda s: catalog.put_endpoint(s, VC))
    with ThreadPoolExecutor(1) as executor:
        reconcile = SiteReconciler(store, {"vsphere": module}, lambda: [VC], ReconcileSettings(), executor)
        for minute in range(10):
            environment, module.now = ActivityEnvironment(), NOON + timedelta(minutes=minute)
            environment.info = dataclasses.replace(environment.info, current_attempt_scheduled_time=module.now)
            found = await environment.run(reconcile.reconcile_site, SiteInput("default"))
            assert found.not_asked == ()
    assert module.asked == 2, "in the rounds 0 and 5"
    with store.read() as session:
        assert [found.name for _, found in inventories.filled(session)] == ["ds1"]
        assert [event.what for event in audit.events(session, "endpoint-vc")] == ["datastore filled"]
    store.close()
