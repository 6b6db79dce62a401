"""A round of the reconciler has the provisioning network forget machines that are no computers any more."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from activities.reconcile import SiteInput, SiteReconciler
from tests.store.lab import seed
from vclab.netboot.dnsmasq import Network
from vclab.netboot.nodes import Nodes, prepare
from vclab.netboot.values import Node
from vclab.settings import ReconcileSettings
from vclab.store import catalog, locks, open_store

NETWORK = Network("eno2", "10.78.0.1/24")
STAYS, LEAVES = "52:54:00:00:00:01", "52:54:00:00:00:02"


async def test_a_card_that_no_computer_has_is_forgotten(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/vclab.db")
    store.migrate()
    store.run(seed)
    root = tmp_path / "netboot"
    root.mkdir(0o750)
    prepare(root)
    for name, mac, address in (("metal0", STAYS, "10.78.0.11"), ("metal1", LEAVES, "10.78.0.12")):
        store.run(partial(catalog.put_lab_computer, name=name, private_mac=mac))
        Nodes(root).enlist(NETWORK, Node(mac, name, address))
    with ThreadPoolExecutor(1) as executor:
        reconcile = SiteReconciler(store, {}, list, ReconcileSettings(), executor, network=root)

        async def known_after_a_round() -> list[str]:
            found = await ActivityEnvironment().run(reconcile.reconcile_site, SiteInput("default"))
            assert not found.not_asked
            return Nodes(root).known()

        assert await known_after_a_round() == [STAYS, LEAVES]
        store.run(lambda s: setattr(locks.computer(s, "metal1"), "removed_at", datetime.now(UTC)))
        assert await known_after_a_round() == [STAYS]
    assert [file.name for file in (root / "hosts").iterdir()] == [STAYS.replace(":", "-")]
    store.close()
