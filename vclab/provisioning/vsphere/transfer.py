"""Disks from a repository to a datastore: streamOptimized VMDKs over HTTP, under a lease.

vCenter gives a lease with a machine: one is made for an import, and unregistered when its disk has come.
"""

from pathlib import Path
from typing import Any

from vclab.library import content, formats
from vclab.library.formats import Format
from vclab.library.pace import paced
from vclab.library.repository import Repository
from vclab.model.errors import CopyLost, Interrupted, NotFound, StepFailed
from vclab.model.revisions import CopyJob
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere import carriers, nfc
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.copying import Copying, own_name
from vclab.provisioning.vsphere.folder import machine_folder
from vclab.provisioning.vsphere.site import Site


def received(site: Site, wanted: Copying, job: CopyJob, context: StepContext) -> str:
    """Bring the disk from the repository to the datastore; the path of the complete copy, under a name of its own.

    Raises ``StepFailed``, ``Unreachable`` and ``Interrupted``.
    """
    carriers.sweep(site, carriers.of_import(job.installation, wanted.datastore, job.wanted), context)
    repository = Repository(Path(job.source.repository))
    repository.sweep()
    disk = _disk(repository, job)
    if disk.stat().st_size != job.source.size:
        raise StepFailed(f"{disk} is not as long as {job.wanted}", "`vclab image verify` reads it back")
    with repository.scratch(content.allocated(disk) + (64 << 20)) as scratch:
        sent = scratch / "sent.vmdk"
        formats.from_raw(disk, sent, Format.VMDK, nfc.telling(context, "packing", 0, 40))
        return _imported(site, wanted, job, sent, context)


def _disk(repository: Repository, job: CopyJob) -> Path:
    try:
        return repository.disk(job.wanted.image, job.wanted.revision)
    except NotFound as error:
        raise CopyLost(str(error)) from None


def _imported(site: Site, wanted: Copying, job: CopyJob, sent: Path, context: StepContext) -> str:
    carrier = carriers.of_import(job.installation, wanted.datastore, job.wanted)
    note = f"vclab ({job.installation}) brings a copy of {job.wanted} to {wanted.datastore}; do not edit."
    host = carriers.host(site, wanted.datastore)
    spec = vim.vm.VmImportSpec(configSpec=carriers.definition(carrier, note, size=job.source.size))
    carriers.prepare(site, carrier)
    context.fence()
    try:
        with nfc.lease(site, host.pool.ImportVApp(spec, machine_folder(site), host.ref), context) as info:
            _post(site, info, sent, job.rate, context)
        carriers.unregister(info.entity)
        made = own_name(wanted)
        manager, center = site.content.virtualDiskManager, site.datacenter
        site.finish(manager.MoveVirtualDisk_Task(carrier.disk, center, made, center, False))
        return made
    finally:
        carriers.discard(site, carrier, None)


def _post(site: Site, info: Any, sent: Path, rate: int, context: StepContext) -> None:
    told, size = paced(nfc.telling(context, "sending", 40, 99), rate), sent.stat().st_size
    with nfc.transfer(site, info, context) as over, sent.open("rb") as file:
        over.connection.putrequest("POST", over.path)
        over.connection.putheader("Content-Length", str(size))
        over.connection.putheader("Content-Type", "application/x-vnd.vmware-streamVmdk")
        over.connection.endheaders()
        done = 0
        while chunk := file.read(nfc.CHUNK):
            over.connection.send(chunk)
            done += len(chunk)
            told(done, size)
            over.percent = min(99, 100 * done // size)
        over.wait_at_most(nfc.ANSWER_SECONDS)
        answer = over.connection.getresponse()
        text = answer.read(1000).decode("utf-8", "replace").strip()
    if context.cancelled:
        raise Interrupted("stopped as asked; the disk had just been sent")
    if answer.status >= 300:
        raise StepFailed(f"{over.host} does not take the disk: {answer.status} {text}")
