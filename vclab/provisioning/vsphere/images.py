"""Copies of images on an endpoint's datastores: made, found, deleted. Machines' disks are their children.

    [ds1] vclab/images.of_INSTALLATION/IMAGE.REVISION/disk.vmdk

The folder's name says whose they are. A disk has its name only when it is whole (``copying.py``).
"""

from vclab.model.errors import Interrupted, StepFailed
from vclab.model.revisions import Copied, CopyJob
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere import carriers, chains, files
from vclab.provisioning.vsphere.copying import Copying, copy, rename, tidy
from vclab.provisioning.vsphere.data import ImageData
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.site import Site
from vclab.provisioning.vsphere.transfer import received

DISK = "disk"


def make_copy(site: Site, job: CopyJob, context: StepContext) -> Copied:
    """Have the copy in place, whole.

    Raises ``StepFailed`` when there is no space or nothing to copy from, ``Interrupted`` when it was stopped: then
    nothing of it is left.
    """
    wanted = _copying(job)
    with explained(f"copying {job.wanted} to {job.wanted.place}"):
        names = _prepared(site, wanted)
        try:
            if job.source.repository and f"{DISK}.vmdk" not in names:
                tidy(site, wanted, context)
                rename(site, wanted, received(site, wanted, job, context), context)
            else:
                copy(site, wanted, names, context)
        except Interrupted:
            if f"{DISK}.vmdk" not in wanted.names(site):  # a newer attempt may have made it, and disks be made from it
                files.delete(site, wanted.directory)
            raise
    return Copied(wanted.disk)


def remove_copy(site: Site, job: CopyJob, context: StepContext) -> None:
    """Delete a copy, and verify it; harmless when it is gone.

    By its directory: some endpoints refuse for ever to delete a disk that has had children. Most protect a parent only
    while a child is switched on, so each machine's chain of disks is looked at first, and the disks that lie about in
    our folders. Raises ``StepFailed`` when something needs it.
    """
    wanted = job.wanted
    place = directory(job.installation, wanted.place.storage, wanted.image, wanted.revision)
    with explained(f"deleting the copy of {wanted} on {wanted.place}"):
        datastore = site.datastore(wanted.place.storage)
        if files.listing(site, datastore, place) is None:
            return
        carriers.sweep(site, carriers.of_export(job.installation, wanted.place.storage, wanted), context)
        if user := chains.child_of(site, wanted.place.storage, place):
            raise StepFailed(f"{user} is made from {wanted} on {wanted.place}; it is not deleted")
        files.delete_directory(site, datastore, place, context)


def directory(installation: str, datastore: str, image: str, revision: int) -> str:
    """The directory of a copy: it holds nothing else."""
    return f"{carriers.home(installation, datastore)}/{image}.{revision}"


def source_of(job: CopyJob) -> str:
    """The disk on a datastore that it is made from, or read; empty: it comes from a repository. Raises
    ``StepFailed``."""
    data = ImageData.of(job.image_data, f"the image {job.wanted.image}, revision {job.wanted.revision},")
    return job.source.path or (data.master(job.source.storage) if job.source.storage else "")


def _copying(job: CopyJob) -> Copying:
    wanted = job.wanted
    where = directory(job.installation, wanted.place.storage, wanted.image, wanted.revision)
    return Copying(source_of(job), f"the copy of {wanted}", wanted.place.storage, where, DISK, job.disk_gb)


def _prepared(site: Site, wanted: Copying) -> set[str]:
    """Make the directory; return what is in it."""
    names = files.listing(site, site.datastore(wanted.datastore), wanted.directory)
    return files.make(site, wanted.directory) if names is None else names
