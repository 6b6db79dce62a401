"""A round of the reconciler finds the disks that somebody has moved."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.reconcile import SiteInput, SiteReconciler
from tests.fakes import FakeModule, World
from tests.store.lab import seed
from tests.store.test_disk_moves import MOVED, loaded, machine
from vclab.model.catalog import Endpoint
from vclab.model.inventory import MachineFacts, Machines
from vclab.settings import ReconcileSettings
from vclab.store import open_store

ENDPOINT = Endpoint("lab-vcenter", "vsphere", "https://127.0.0.1/sdk", "u", "endpoint/lab-vcenter", "00")


class Has(FakeModule):
    """One machine."""

    def __init__(self, machine: MachineFacts) -> None:
        super().__init__(World())
        self.machine = machine

    def machines(self, endpoint: str) -> Machines:
        """That one."""
        return Machines(endpoint, (self.machine,))


async def test_it_is_found_once(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/vclab.db")
    store.migrate()
    store.run(seed)
    module = Has(machine(loaded(store), "ds2", ""))
    with ThreadPoolExecutor(1) as executor:
        reconcile = SiteReconciler(store, {"vsphere": module}, lambda: [ENDPOINT], ReconcileSettings(), executor)
        rounds = [await ActivityEnvironment().run(reconcile.reconcile_site, SiteInput("default")) for _ in range(2)]
    assert [found.moved for found in rounds] == [(MOVED,), ()]
    assert not any(found.not_asked or found.reported for found in rounds)
    store.close()
