"""Two datacenters of one vCenter, as govmomi's own simulator has them: each image lands where it is."""

import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session as Transaction

from tests.provisioning.bench import FakeContext
from tests.store.lab import NOW, RULES, seed
from tests.vcsim import VcsimProcess
from vclab.lab import tools
from vclab.model.catalog import Endpoint, Image
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.plans import Facts, StepInput, Target
from vclab.model.reservations import Placed, ReserveRequest
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import EndpointData, ImageData
from vclab.provisioning.vsphere.enquiry import ask
from vclab.provisioning.vsphere.module import VSphere
from vclab.provisioning.vsphere.session import Session
from vclab.provisioning.vsphere.site import open_site
from vclab.store import Store, catalog, copies, placement
from vclab.store.engine import open_store

NETWORK, STORE = "VM Network", "LocalDS_0"
GIB = 1 << 30


@dataclass(frozen=True)
class Center:
    """A vCenter, as an endpoint for each of its datacenters: east and west."""

    endpoints: dict[str, Endpoint]
    password: str

    def made(self, endpoint: str, path: str) -> None:
        """Have an image's master made there, by the vSphere API."""
        session = Session(self.endpoints[endpoint], lambda _: self.password, 1)
        site = open_site(session, RULES.installation)
        folder = path.rpartition("/")[0]
        site.content.fileManager.MakeDirectory(f"[{STORE}] {folder}", site.datacenter, True)
        spec = vim.VirtualDiskManager.FileBackedVirtualDiskSpec(
            diskType="thin", adapterType="lsiLogic", capacityKb=GIB >> 10
        )
        manager = site.content.virtualDiskManager
        site.finish(manager.CreateVirtualDisk_Task(f"[{STORE}] {path}", site.datacenter, spec))
        session.close()

    def machines(self, endpoint: str) -> list[str]:
        """The names of the machines in one datacenter."""
        module = self.module()
        found = [machine.name for machine in module.machines(endpoint).machines]
        module.close()
        return found

    def module(self) -> VSphere:
        """Our driver."""
        return VSphere(lambda name: self.endpoints[name], lambda _: self.password, RULES.installation, 4)


@pytest.fixture(scope="module")
def center(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Center]:
    ours = VcsimProcess(tmp_path_factory.mktemp("upstream"))  # for its port, its password, and its certificate
    command = [str(tools.upstream_vcsim()), "-listen", f"{ours.address}:{ours.port}", "-user", ours.user]
    command += ["-password-file", str(ours.folder / "password"), "-cert", str(ours.folder / "cert.pem")]
    process = subprocess.Popen([*command, "-key", str(ours.folder / "key.pem")])
    _until_it_answers(ours)
    data = {
        name: EndpointData(
            folder=f"vclab-{name}", datacenter=center, private_network=NETWORK, public_network=NETWORK, free_floor=0
        )
        for name, center in (("east", "DC0"), ("west", "DC1"))
    }
    entry = Endpoint("", "vsphere", ours.url, ours.user, "", ours.fingerprint)
    yield Center(
        {name: replace(entry, name=name, module_data=its.encoded()) for name, its in data.items()}, ours.password
    )
    process.terminate()
    process.wait(20)


def _until_it_answers(ours: VcsimProcess) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            ssl.get_server_certificate((ours.address, ours.port))
            return
        except OSError:
            assert time.monotonic() < deadline, "the simulator does not answer"
            time.sleep(0.05)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Some people and identities, but no place of the lab's."""
    made = open_store(f"sqlite:///{tmp_path}/vclab.db")
    made.migrate()
    made.run(seed)
    yield made
    made.close()


def image(name: str) -> Image:
    data = ImageData(master_path=f"images/{name}/disk.vmdk").encoded()
    return Image(name, name, 1, "vsphere", "linux", 1, 512, 1, module_data=data)


def entered(store: Store, center: Center, images: list[Image]) -> None:
    """What an administrator does: adds both endpoints and the images, and has them looked at."""

    def enter(session: Transaction) -> None:
        for endpoint in center.endpoints.values():
            catalog.put_endpoint(session, endpoint)
        for each in images:
            catalog.put_image(session, each)
            for endpoint in center.endpoints.values():
                found = ask(endpoint, center.password, RULES.installation, [each]).masters[each.name]
                copies.seen(session, each, endpoint.name, found, NOW)

    store.run(enter)


def placed(store: Store, center: Center, name: str) -> Target:
    module = center.module()
    heard = tuple(module.survey(each) for each in center.endpoints)
    module.close()
    request = ReserveRequest(new_id(), "alice", name, 3600)
    outcome = store.run(lambda s: placement.place(s, request, Author("alice", True), heard, RULES, NOW))
    assert isinstance(outcome, Placed), outcome
    return outcome.target


def test_each_image_lands_where_it_is(store: Store, center: Center) -> None:
    images = [image("eastern"), image("western")]
    center.made("east", "images/eastern/disk.vmdk")
    center.made("west", "images/western/disk.vmdk")
    entered(store, center, images)
    module = center.module()
    for name, where in (("western", "west"), ("eastern", "east"), ("western", "west")):
        target = placed(store, center, name)
        assert target.endpoint == where
        for step in ("vsphere.remove_previous", "vsphere.create_vm"):
            module.steps()[step](FakeContext(), StepInput(step, step, target, Facts()))
        assert target.machine_name in center.machines(where)
    module.close()
    assert (len(center.machines("east")), len(center.machines("west"))) == (1, 2)
