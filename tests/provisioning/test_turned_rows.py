"""A writer of the database turns an entry to itself: its address, its certificate. No password comes there.

Whoever answers there is real, and knows the same password: it would let in whoever sends it.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from activities.drivers import Drivers
from tests.power import nodes
from tests.power.nodes import Context
from tests.secret_store import secret_store
from tests.store.lab import seed
from tests.vcsim import VcsimProcess
from vclab.model.catalog import Endpoint
from vclab.model.errors import Refused
from vclab.model.power import PowerAddress
from vclab.power.address import parse
from vclab.power.base import Bmc, PowerState
from vclab.secrets.references import Destination
from vclab.secrets.store import SecretStore, destination_of
from vclab.settings import Settings
from vclab.store import catalog, models, power
from vclab.store.engine import Store, open_store
from worker import real_drivers


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A database with a small lab."""
    store = open_store(f"sqlite:///{tmp_path}/vclab.db")
    store.migrate()
    store.run(seed)
    yield store
    store.close()


@pytest.fixture
def secrets(tmp_path: Path) -> SecretStore:
    """The site's."""
    return secret_store(tmp_path / "secrets")


@pytest.fixture
def drivers(tmp_path: Path, store: Store, secrets: SecretStore) -> Iterator[Drivers]:
    """Those of a real worker."""
    here = {
        "database": f"sqlite:///{tmp_path}/vclab.db",
        "secrets_dir": tmp_path / "secrets",
        "ssh_key": tmp_path / "id",
    }
    made = real_drivers(Settings.model_validate(here), store, secrets)
    yield made
    made.close()


def test_a_vcenters_password_stays_with_the_vcenter(
    tmp_path: Path, store: Store, secrets: SecretStore, drivers: Drivers
) -> None:
    real, attacker = (VcsimProcess(tmp_path / name).start() for name in ("real", "attacker"))
    vsphere = drivers.modules["vsphere"]
    try:
        entry = Endpoint("lab-vcenter", "vsphere", real.url, real.user, "endpoint/lab-vcenter", real.fingerprint)
        store.run(lambda session: catalog.put_endpoint(session, entry))
        secrets.put(entry.password_ref, real.password, destination_of(entry))
        assert vsphere.survey(entry.name).hosts

        turned = replace(entry, url=attacker.url, fingerprint=attacker.fingerprint)
        turn(store, turned)
        with pytest.raises(Refused, match=f"was entered for {real.url} .*; it is not given to {attacker.url}"):
            vsphere.survey(entry.name)
        other = replace(turned, password_ref="endpoint/of-another")
        secrets.put(other.password_ref, real.password, destination_of(entry))
        turn(store, other)
        with pytest.raises(Refused, match="was entered for"):
            vsphere.survey(entry.name)

        turn(store, turned)
        secrets.put(entry.password_ref, real.password, destination_of(turned))  # an administrator enters it for there
        assert vsphere.survey(entry.name).hosts, "the one that it was turned to takes the password, if it gets it"
    finally:
        real.stop()
        attacker.stop()


def turn(store: Store, entry: Endpoint) -> None:
    """Without a use case: as who writes to the database would."""
    values = {"url": entry.url, "fingerprint": entry.fingerprint, "password_ref": entry.password_ref}
    store.run(lambda s: s.execute(sa.update(models.Endpoint).where(models.Endpoint.name == entry.name).values(values)))


@pytest.mark.parametrize("kind", ["ipmi", "redfish"])
def test_a_bmcs_password_stays_with_the_bmc(
    tmp_path: Path, store: Store, secrets: SecretStore, drivers: Drivers, kind: str
) -> None:
    assert drivers.power is not None
    with nodes.running(tmp_path / "real", kind) as real, nodes.running(tmp_path / "attacker", kind) as attacker:
        at, there = (PowerAddress(str(b.address), "power/m1/x", b.fingerprint) for b in (real.bmc(), attacker.bmc()))
        store.run(lambda session: catalog.put_lab_computer(session, "m1"))
        secrets.put(at.password_ref, nodes.PASSWORD, Destination(at.address, at.fingerprint))
        assert drivers.power.status(switched(store, at), Context()).state is PowerState.OFF
        with pytest.raises(Refused, match="was entered for") as refusal:
            drivers.power.status(switched(store, there), Context())
        assert nodes.PASSWORD not in f"{refusal.value} {refusal.value.hint}"
        with pytest.raises(Refused, match="no password of a BMC"):
            drivers.power.status(switched(store, replace(there, password_ref="endpoint/vc")), Context())
        secrets.put(there.password_ref, nodes.PASSWORD, Destination(there.address, there.fingerprint))
        assert drivers.power.status(switched(store, there), Context()).state is PowerState.OFF, "it takes the password"


def switched(store: Store, at: PowerAddress) -> Bmc:
    """As its row says now, which is turned first."""
    row = {"power": at.address, "power_password_ref": at.password_ref, "power_fingerprint": at.fingerprint}
    store.run(lambda s: s.execute(sa.update(models.Computer).where(models.Computer.name == "m1").values(row)))
    with store.read() as session:
        found = power.address(session, "m1")
    return Bmc("m1", parse(found.address), found.password_ref, found.fingerprint)
