"""What the tests of the vSphere module work with: a simulated vCenter, targets, a step context, foreign machines."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.vcsim import VcsimProcess
from vclab.model.catalog import Endpoint
from vclab.model.errors import Fenced
from vclab.model.plans import Facts, StepInput, Target
from vclab.provisioning.vsphere import TRAITS
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import EndpointData, ImageData
from vclab.provisioning.vsphere.machines import Machine, all_machines
from vclab.provisioning.vsphere.module import VSphere
from vclab.provisioning.vsphere.properties import find_all
from vclab.provisioning.vsphere.session import Session
from vclab.provisioning.vsphere.site import Site, open_site

STEPS = ("vsphere.remove_previous", "vsphere.copy_disk", "vsphere.create_vm", "vsphere.power_on")
LINKED_STEPS = ("vsphere.remove_previous", "vsphere.create_vm", "vsphere.power_on")
MASTER = "vclab-images/debian-12/1/disk.vmdk"
_numbers = itertools.count(1)


@dataclass
class FakeContext:
    """A step's runner: keeps what it is told."""

    remembered: Mapping[str, str] = field(default_factory=dict)
    cancelled: bool = False
    told: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    fences: int = 0
    allowed: int = 1_000_000  #: so many times the fence lets pass
    cancel_when: str = ""  #: ask to stop when such progress is told

    def progress(self, text: str) -> None:
        """Note it; perhaps ask to stop."""
        self.told.append(text)
        if self.cancel_when and self.cancel_when in text:
            self.cancelled = True

    def remember(self, **details: str) -> None:
        """Keep it for the next attempt."""
        self.kept.update(details)

    def fence(self) -> None:
        """Pass, or not."""
        self.fences += 1
        if self.fences > self.allowed:
            raise Fenced("the tenure is not ours any more")


class Bench:
    """A vCenter with two hosts, two datastores and one image, and our module."""

    def __init__(self, folder: Path, keep_parents: bool = False) -> None:
        stores = {"ds1": 2000, "ds2": 2000}
        self.simulator = VcsimProcess(folder, datastores=stores, keep_parents=keep_parents).start()
        self.simulator.master("ds1", MASTER, 8)
        self.password = self.simulator.password
        self.leases = folder / "leases"
        self.endpoint = Endpoint(
            name="lab-vcenter",
            module="vsphere",
            url=self.simulator.url,
            username=self.simulator.user,
            password_ref="endpoint/lab-vcenter",
            fingerprint=self.simulator.fingerprint,
        )
        self.module = self.new_module()
        self._session = Session(self.endpoint, lambda entry: self.password, 4)

    def new_module(self, installation: str = "vclab", data: EndpointData | None = None, **endpoint: Any) -> VSphere:
        """Another module, with a session of its own, as another worker would have."""
        entry = Endpoint(**{**self.endpoint.__dict__, **endpoint})
        if data is not None:
            entry = replace(entry, module_data=data.encoded())
        return VSphere(lambda name: entry, lambda entry: self.password, installation, 4, self.leases)

    def close(self) -> None:
        """End it all."""
        self.module.close()
        self._session.close()
        self.simulator.stop()

    def target(self, **fields: Any) -> Target:
        """A computer with a name, MACs and a disk of its own, to be made on esx1 and ds1."""
        number = next(_numbers)
        values: dict[str, Any] = {
            "reservation": f"r{number}",
            "computer": f"vm{number:04}",
            "generation": 3,
            "installation": "vclab",
            "module": "vsphere",
            "guest": "linux",
            "endpoint": "lab-vcenter",
            "host": "esx1",
            "storage": "ds1",
            "image": "debian-12",
            "revision": 1,
            "cpus": 2,
            "memory_mb": 1024,
            "disk_gb": 8,
            "private_mac": f"02:76:63:00:{number // 256:02x}:{number % 256:02x}",
            "public_mac": f"02:76:63:01:{number // 256:02x}:{number % 256:02x}",
            "traits": TRAITS,
            "dedicated": True,
            "image_data": ImageData(master_path=MASTER).encoded(),
        }
        return Target(**{**values, **fields})

    def run(
        self, step: str, target: Target, context: FakeContext | None = None, module: VSphere | None = None
    ) -> Facts:
        """Run one step once."""
        step_input = StepInput(step, step, target, Facts())
        return (module or self.module).steps()[step](context or FakeContext(), step_input)

    def load(self, target: Target) -> None:
        """All steps up to power on."""
        for step in STEPS if target.dedicated else LINKED_STEPS:
            self.run(step, target)

    def site(self) -> Site:
        """An own look at the endpoint."""
        return open_site(self._session, "vclab")

    def machines(self, computer: str = "") -> list[Machine]:
        """The machines on the endpoint, with or without marks."""
        return [m for m in all_machines(self.site()) if computer in ("", m.computer)]

    def folders(self) -> list[tuple[Any, dict[str, Any]]]:
        """All folders on the endpoint, with their names."""
        return find_all(self.site().session, vim.Folder, ["name"])

    def directory(self, target: Target) -> Path:
        """The target's directory on the real disk."""
        return self.simulator.datastore(target.storage) / "vclab" / target.machine_name

    def files(self, target: Target) -> list[str]:
        """What is in it, the mark left out."""
        directory = self.directory(target)
        return sorted(p.name for p in directory.iterdir() if p.is_file()) if directory.exists() else []

    def disks(self, target: Target) -> list[str]:
        """The disks' descriptors in it."""
        return [name for name in self.files(target) if name.endswith(".vmdk") and "-flat" not in name]

    def foreign(self, name: str, path: str = "", on: bool = False, **spec: Any) -> Machine:
        """A machine that somebody else made."""
        site = self.site()
        host = site.host("esx1")
        extra = [vim.option.OptionValue(key=k, value=v) for k, v in spec.pop("marks", {}).items()]
        config = vim.vm.ConfigSpec(
            name=name,
            files=vim.vm.FileInfo(vmPathName=path or f"[ds1] {name}/{name}.vmx"),
            extraConfig=extra,
            **spec,
        )
        ref = site.finish(site.vm_folder.CreateVM_Task(config, host.pool, host.ref))
        if on:
            site.finish(ref.PowerOnVM_Task(None))
        return next(m for m in all_machines(site) if m.ref._moId == ref._moId)
