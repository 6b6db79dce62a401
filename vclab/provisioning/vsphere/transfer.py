"""Disks between a repository and a datastore: streamOptimized VMDKs over HTTP, under a lease (NFC).

vCenter gives a lease with a machine: one is made for an import, and unregistered when its disk has come. The machine
and its directory are named after the copy, so that whoever comes next removes what a killed worker has left.
"""

import http.client
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vclab.library import content, formats
from vclab.library.formats import Format
from vclab.library.pace import paced
from vclab.library.repository import Repository
from vclab.model.errors import CopyLost, Interrupted, NotFound, StepFailed, Unreachable
from vclab.model.revisions import CopyJob
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere import files
from vclab.provisioning.vsphere.api import Ref, vim, vmodl
from vclab.provisioning.vsphere.copying import Copying, own_name
from vclab.provisioning.vsphere.faults import explained, words
from vclab.provisioning.vsphere.folder import machine_folder
from vclab.provisioning.vsphere.machines import Machine, all_machines
from vclab.provisioning.vsphere.properties import find_all, read
from vclab.provisioning.vsphere.session import pinned_connection
from vclab.provisioning.vsphere.site import Host, Site, unusable

log = logging.getLogger(__name__)

CHUNK = 1 << 20
LEASE_SECONDS = 120.0
"""For which a lease is waited for."""
ANSWER_SECONDS = 900.0
"""For which the endpoint may work on a disk that has come."""
ALIVE_SECONDS = 20.0
"""How often a lease is told that somebody is there: it ends after five minutes without a word."""
_Device = vim.vm.device


def received(site: Site, wanted: Copying, job: CopyJob, context: StepContext) -> str:
    """Bring the disk from the repository to the datastore; the path of the complete copy, under a name of its own.

    Raises ``StepFailed``, ``Unreachable`` and ``Interrupted``.
    """
    _sweep(site, wanted, job, context)
    repository = Repository(Path(job.source.repository))
    disk = _disk(repository, job)
    if disk.stat().st_size != job.source.size:
        raise StepFailed(f"{disk} is not as long as {job.wanted}", "`vclab image verify` reads it back")
    with repository.scratch(content.allocated(disk) + (64 << 20)) as scratch:
        sent = scratch / "sent.vmdk"
        formats.from_raw(disk, sent, Format.VMDK, _telling(context, "packing", 0, 40))
        return _imported(site, wanted, job, sent, context)


def _disk(repository: Repository, job: CopyJob) -> Path:
    try:
        return repository.disk(job.wanted.image, job.wanted.revision)
    except NotFound as error:
        raise CopyLost(str(error)) from None


def _telling(context: StepContext, what: str, since: int, until: int) -> Any:
    """Progress in percents of the whole."""

    def told(done: int, size: int) -> None:
        if context.cancelled:
            raise Interrupted("stopped as asked")
        context.progress(f"copied {since + (until - since) * done // max(size, 1)} % ({what})")

    return told


def _imported(site: Site, wanted: Copying, job: CopyJob, sent: Path, context: StepContext) -> str:
    token = uuid.uuid4().hex[:8]
    place = _place(wanted, job, token)
    host = _host(site, wanted.datastore)
    spec = vim.vm.VmImportSpec(configSpec=_definition(job, wanted, place, token))
    with explained(f"making the directory {place}"):
        site.content.fileManager.MakeDirectory(place, site.datacenter, True)
    context.fence()
    try:
        with _lease(site, host.pool.ImportVApp(spec, machine_folder(site), host.ref), context) as info:
            _post(site, info, sent, job.rate, context)
        machine = info.entity
        machine.UnregisterVM()
        made = own_name(wanted)
        manager, center = site.content.virtualDiskManager, site.datacenter
        site.finish(manager.MoveVirtualDisk_Task(f"{place}/disk.vmdk", center, made, center, False))
        return made
    finally:
        with suppress(Unreachable, StepFailed):
            files.delete(site, place)


def _place(wanted: Copying, job: CopyJob, token: str) -> str:
    """The directory of an import, beside those of the copies."""
    above = wanted.directory.rpartition("/")[0]
    return f"{above}/import-{job.wanted.image}.{job.wanted.revision}-{token}"


def _definition(job: CopyJob, wanted: Copying, place: str, token: str) -> Any:
    """A machine that only carries a disk."""
    sharing = _Device.VirtualSCSIController.Sharing.noSharing
    controller = _Device.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus=sharing)
    backing = _Device.VirtualDisk.FlatVer2BackingInfo(
        fileName=f"{place}/disk.vmdk", diskMode="persistent", thinProvisioned=True
    )
    disk = _Device.VirtualDisk(
        key=2000, controllerKey=1000, unitNumber=0, backing=backing, capacityInKB=-(-job.source.size // 1024)
    )
    spec = _Device.VirtualDeviceSpec
    return vim.vm.ConfigSpec(
        name=f"vclab-import-{job.wanted.image}.{job.wanted.revision}-{token}"[-80:],
        guestId="otherLinux64Guest",
        annotation=f"vclab ({job.installation}) brings a copy of {job.wanted} to {wanted.datastore}; do not edit.",
        files=vim.vm.FileInfo(vmPathName=f"{place}/import.vmx"),
        numCPUs=1,
        memoryMB=64,
        deviceChange=[
            spec(operation=spec.Operation.add, device=controller),
            spec(operation=spec.Operation.add, fileOperation=spec.FileOperation.create, device=disk),
        ],
    )


def _host(site: Site, datastore: str) -> Host:
    """A host that has the datastore. Raises ``Unreachable`` when none can be used now."""
    paths = ["name", "datastore", "runtime.connectionState", "runtime.inMaintenanceMode"]
    wanted = site.datastore(datastore).ref._moId
    for _, values in find_all(site.session, vim.HostSystem, paths, site.datacenter):
        if not unusable(values) and any(ref._moId == wanted for ref in values.get("datastore", [])):
            return site.host(values["name"])
    raise Unreachable(f"no host of {site.endpoint.name} that can be used now has the datastore {datastore}")


@contextmanager
def _lease(site: Site, lease: Ref, context: StepContext) -> Iterator[Any]:
    """The lease's facts, once it is ready; completed after the block, or aborted."""
    try:
        yield _ready(site, lease)
        lease.HttpNfcLeaseComplete()
    except BaseException:
        with suppress(Unreachable, vmodl.MethodFault):
            lease.HttpNfcLeaseAbort(None)
        raise


def _ready(site: Site, lease: Ref) -> Any:
    deadline = time.monotonic() + LEASE_SECONDS
    while True:
        seen = read(site.session, lease, ["state", "info", "error"]) or {}
        if seen.get("state") == "ready":
            return seen["info"]
        if seen.get("state") == "error":
            error = seen.get("error")
            raise StepFailed(f"{site.endpoint.name} gives no lease: {words(error) if error else 'no reason given'}")
        if time.monotonic() > deadline:
            raise Unreachable(f"{site.endpoint.name} gives no lease within {LEASE_SECONDS:.0f} s")
        time.sleep(0.2)


def _post(site: Site, info: Any, sent: Path, rate: int, context: StepContext) -> None:
    device = next(each for each in info.deviceUrl if each.disk)
    url = urlsplit(device.url)
    own = urlsplit(site.endpoint.url)
    host = own.hostname if url.hostname in (None, "*") else url.hostname
    connection = pinned_connection(host or "", url.port or 443, device.sslThumbprint or site.endpoint.fingerprint)
    told, size, alive = paced(_telling(context, "sending", 40, 99), rate), sent.stat().st_size, time.monotonic()
    try:
        connection.putrequest("POST", url.path)
        connection.putheader("Content-Length", str(size))
        connection.putheader("Content-Type", "application/x-vnd.vmware-streamVmdk")
        connection.endheaders()
        with sent.open("rb") as file:
            done = 0
            while chunk := file.read(CHUNK):
                connection.send(chunk)
                done += len(chunk)
                told(done, size)
                if time.monotonic() - alive > ALIVE_SECONDS:
                    alive = time.monotonic()
                    info.lease.HttpNfcLeaseProgress(min(99, 100 * done // size))
        connection.sock.settimeout(ANSWER_SECONDS)
        answer = connection.getresponse()
        text = answer.read(1000).decode("utf-8", "replace").strip()
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{host} broke off the transfer of {sent.name}: {error}") from None
    finally:
        connection.close()
    if context.cancelled:
        raise Interrupted("stopped as asked; the disk had just been sent")
    if answer.status >= 300:
        raise StepFailed(f"{host} does not take the disk: {answer.status} {text}")


def _sweep(site: Site, wanted: Copying, job: CopyJob, context: StepContext) -> None:
    """Remove what earlier attempts at this copy have left. One that still goes on fails, and is tried again."""
    mine = _place(wanted, job, "")
    for machine in (m for m in all_machines(site) if m.path.startswith(mine)):
        context.fence()
        log.info("%s: an import that was broken off is removed", machine.name)
        _destroy(site, machine)
    above, _, begins = mine.rpartition("/")
    names = files.listing(site, site.datastore(wanted.datastore), above) or set()
    for name in names:
        if name.startswith(begins):
            context.fence()
            files.delete(site, f"{above}/{name}")


def _destroy(site: Site, machine: Machine) -> None:
    with explained(f"removing {machine.name}"), suppress(vmodl.fault.ManagedObjectNotFound):
        site.finish(machine.ref.Destroy_Task())
