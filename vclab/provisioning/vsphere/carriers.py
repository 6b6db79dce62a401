"""Machines that only carry a disk while it comes, or is read. Each has a directory of its own, named after what it is
for, so that whoever comes next removes what a killed worker has left:

    [ds1] vclab/images.of_INSTALLATION/import-IMAGE.REVISION-TOKEN/           a copy comes
    [ds1] vclab/images.of_INSTALLATION/export-IMAGE.REVISION_READER_TOKEN/    a copy is read
    [ds1] vclab/images.of_INSTALLATION/read-CAPTURE_TOKEN/                    a disk of a capture is read
"""

import logging
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from vclab.model.errors import StepFailed, Unreachable
from vclab.model.revisions import Wanted
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere import files, nfc
from vclab.provisioning.vsphere.api import Ref, vim, vmodl
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.machines import all_machines
from vclab.provisioning.vsphere.properties import find_all
from vclab.provisioning.vsphere.site import Host, Site, unusable

log = logging.getLogger(__name__)

_BUSY_SECONDS = 5.0
"""For which a machine may still be held by a lease that was just given back."""
_Device = vim.vm.device


@dataclass(frozen=True)
class Carrier:
    """One of them."""

    datastore: str
    begins: str  #: how its directory and those of earlier attempts begin
    token: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def directory(self) -> str:
        """It holds nothing else."""
        return f"{self.begins}{self.token}"

    @property
    def disk(self) -> str:
        """Its disk."""
        return f"{self.directory}/disk.vmdk"

    @property
    def name(self) -> str:
        """That of the machine, at most 80 characters."""
        return f"vclab-{self.directory.rpartition('/')[2]}"[-80:]


def home(installation: str, datastore: str) -> str:
    """The directory that holds an installation's copies, and its carriers."""
    return f"[{datastore}] {files.ROOT}/images.of_{installation}"


def of_import(installation: str, datastore: str, wanted: Wanted) -> Carrier:
    """One for a copy that comes."""
    above = home(installation, datastore)
    return Carrier(datastore, f"{above}/import-{wanted.image}.{wanted.revision}-")


def of_export(installation: str, datastore: str, wanted: Wanted, reader: str = "") -> Carrier:
    """One for a copy that is read; without a ``reader``: how those of all readers begin. No name has a "_"."""
    above = home(installation, datastore)
    return Carrier(datastore, f"{above}/export-{wanted.image}.{wanted.revision}_{f'{reader}_' if reader else ''}")


def of_capture(installation: str, datastore: str, capture: str) -> Carrier:
    """One for a disk of a capture that is read back. No id has a "_"."""
    return Carrier(datastore, f"{home(installation, datastore)}/read-{capture}_")


def definition(carrier: Carrier, note: str, size: int = 0, parent: str = "") -> Any:
    """What the endpoint is given: a machine with a new disk of so many bytes, or with an empty child of a parent."""
    sharing = _Device.VirtualSCSIController.Sharing.noSharing
    controller = _Device.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus=sharing)
    backing = _Device.VirtualDisk.FlatVer2BackingInfo(
        fileName=carrier.disk, diskMode="persistent", thinProvisioned=True
    )
    if parent:
        backing.parent = _Device.VirtualDisk.FlatVer2BackingInfo(fileName=parent, diskMode="persistent")
    disk = _Device.VirtualDisk(
        key=2000, controllerKey=1000, unitNumber=0, backing=backing, capacityInKB=-(-size // 1024)
    )
    spec = _Device.VirtualDeviceSpec
    return vim.vm.ConfigSpec(
        name=carrier.name,
        guestId="otherLinux64Guest",
        annotation=note,
        files=vim.vm.FileInfo(vmPathName=f"{carrier.directory}/carrier.vmx"),
        numCPUs=1,
        memoryMB=64,
        deviceChange=[
            spec(operation=spec.Operation.add, device=controller),
            spec(operation=spec.Operation.add, fileOperation=spec.FileOperation.create, device=disk),
        ],
    )


def host(site: Site, datastore: str) -> Host:
    """A host that has the datastore. Raises ``Unreachable`` when none can be used now."""
    paths = ["name", "datastore", "runtime.connectionState", "runtime.inMaintenanceMode"]
    wanted = site.datastore(datastore).ref._moId
    for _, values in find_all(site.session, vim.HostSystem, paths, site.datacenter):
        if not unusable(values) and any(ref._moId == wanted for ref in values.get("datastore", [])):
            return site.host(values["name"])
    raise Unreachable(f"no host of {site.endpoint.name} that can be used now has the datastore {datastore}")


def prepare(site: Site, carrier: Carrier) -> None:
    """Make its directory."""
    with explained(f"making the directory {carrier.directory}"):
        site.content.fileManager.MakeDirectory(carrier.directory, site.datacenter, True)


def discard(site: Site, carrier: Carrier, machine: Ref | None) -> None:
    """Delete it, without asking for its disk's parents. What can't be deleted now is swept by whoever comes next."""
    try:
        if machine is not None:
            unregister(machine)
        files.delete(site, carrier.directory)
    except (Unreachable, StepFailed) as error:
        log.info("%s stays for now: %s", carrier.directory, error)


def unregister(machine: Ref) -> None:
    """Have the endpoint forget the machine, not its files; harmless when it has. Its lease is given back."""
    deadline = time.monotonic() + _BUSY_SECONDS
    with explained("forgetting a machine that carried a disk"), suppress(vmodl.fault.ManagedObjectNotFound):
        while True:
            try:
                machine.UnregisterVM()
                return
            except vim.fault.TaskInProgress:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def sweep(site: Site, carrier: Carrier, context: StepContext) -> None:
    """Remove what earlier attempts at the same have left. One that still goes on loses its lease, and fails.

    Raises ``Unreachable`` when something can't be removed yet.
    """
    nfc.abort_earlier(site, context)
    for machine in (m for m in all_machines(site) if m.path.startswith(carrier.begins)):
        context.fence()
        log.info("%s was left by an attempt that was cut off; it is removed", machine.name)
        unregister(machine.ref)
    above, _, begins = carrier.begins.rpartition("/")
    for name in files.listing(site, site.datastore(carrier.datastore), above) or set():
        if name.startswith(begins):
            context.fence()
            files.delete(site, f"{above}/{name}")
