"""Copying a disk within an endpoint: adopted when it still runs, stopped when asked, complete by name.

A copy is made under a name of its own and gets the disk's name by a rename when it is complete, so what bears the
disk's name is whole. Each attempt has another such name: an attempt whose task is not known any more (its worker was
killed before it could remember the task) can't be mistaken for one's own, and what it leaves is deleted.
"""

import logging
import uuid
from dataclasses import dataclass

from vclab.library.telling import Measure
from vclab.model.errors import Interrupted, StepFailed, Unreachable
from vclab.model.plans import Target
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere import files, tasks
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.data import master
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.site import Site

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Copying:
    """A disk that is to be a copy of another one, in a directory of ours that is there."""

    source: str  #: "[ds1] vclab-images/debian-12/1/disk.vmdk"
    what: str  #: that is, in words
    datastore: str
    directory: str  #: "[ds2] vclab/vm01-r1-g1"
    name: str  #: the disk's, without ".vmdk"
    disk_gb: int

    @property
    def disk(self) -> str:
        """The disk, complete."""
        return f"{self.directory}/{self.name}.vmdk"

    def names(self, site: Site) -> set[str]:
        """What is in the directory; empty when there is none."""
        return files.listing(site, site.datastore(self.datastore), self.directory) or set()


def copy_disk(site: Site, target: Target, context: StepContext) -> None:
    """Have the target's disk in place, whole, and sharing nothing.

    Raises ``StepFailed`` when there is no space or no master, ``Interrupted`` when stopped (the copy is deleted),
    ``NotOurs``, ``Fenced`` and ``Unreachable``.
    """
    place, what = files.directory(target), f"the master disk of {target.image}"
    wanted = Copying(master(target), what, place.datastore, place.path, place.name, target.disk_gb)
    with explained(f"copying {wanted.source} to {place.path}"):
        copy(site, wanted, files.prepare(site, target), context)


def copy(site: Site, wanted: Copying, names: set[str], context: StepContext) -> None:
    """Have the disk in place, whole; ``names``: what is in its directory. Raises as ``copy_disk``, and faults."""
    if f"{wanted.name}.vmdk" not in names:
        made = _adopted(site, wanted, context)
        if made is None:
            tidy(site, wanted, context)
            made = _copied(site, wanted, context)
        rename(site, wanted, made, context)
    tidy(site, wanted, context)


def _adopted(site: Site, wanted: Copying, context: StepContext) -> str | None:
    """The complete copy that an earlier attempt began; None when there is none."""
    made = context.remembered.get("copy", "")
    if not made.startswith(f"{wanted.directory}/"):
        return None
    context.progress("looking for the copy that an earlier attempt began")
    try:
        _wait(site, wanted, tasks.adopt(site.session, context.remembered), made, context)
    except tasks.TaskGone:
        log.info("%s has forgotten the copy %s; copying anew", site.endpoint.name, made)
        return None
    except (vim.fault.FileNotFound, vim.fault.NoDiskSpace, StepFailed) as error:
        log.info("the earlier copy %s failed (%s); copying anew", made, type(error).__name__)
        return None
    return made if made.rpartition("/")[2] in wanted.names(site) else None


def own_name(wanted: Copying) -> str:
    """A path for what an attempt makes."""
    return f"{wanted.directory}/{wanted.name}.copy-{uuid.uuid4().hex[:8]}.vmdk"


def _copied(site: Site, wanted: Copying, context: StepContext) -> str:
    """Copy the source; return the complete copy's path."""
    made = own_name(wanted)
    manager, center = site.content.virtualDiskManager, site.datacenter
    context.fence()
    context.progress(f"copying {wanted.source}")
    try:
        # No specification: vCenter does not implement one, and without it a thin disk stays thin.
        task = manager.CopyVirtualDisk_Task(wanted.source, center, made, center, None, False)
        context.remember(copy=made, **tasks.details(site.session, task))
        _wait(site, wanted, task, made, context)
    except vim.fault.FileNotFound:
        files.must_be_there(site, wanted.source, wanted.what)
        raise Unreachable(f"{wanted.directory} vanished while it was copied to; it will be tried again") from None
    return made


def _wait(site: Site, wanted: Copying, task: Ref, made: str, context: StepContext) -> None:
    """Wait for the copy; what is not to be used is deleted: on a cancel, and when the datastore is full."""
    measure, size = Measure(), wanted.disk_gb << 30

    def told(percent: int) -> None:
        context.progress(f"copied {percent} %{measure.words(size * percent // 100, size)}")

    try:
        tasks.finish(site.session, task, context, told)
    except Interrupted:
        discard(site, wanted, made, context)
        raise
    except vim.fault.NoDiskSpace:
        discard(site, wanted, made, context)
        free = site.datastore(wanted.datastore).free_gb
        raise files.no_space(wanted.datastore, free, f"a copy of {wanted.source} ({wanted.disk_gb} GiB)") from None
    if context.cancelled:
        discard(site, wanted, made, context)
        raise Interrupted("stopped as asked; the copy had just been finished and was deleted")


def discard(site: Site, wanted: Copying, made: str, context: StepContext) -> None:
    """Delete a copy, whole or partial: a partial one may lack either of its files."""
    context.fence()
    files.delete_disk(site, made)
    stem = made.rpartition("/")[2].removesuffix(".vmdk")
    for name in wanted.names(site):
        if name in (f"{stem}.vmdk", f"{stem}-flat.vmdk"):
            files.delete(site, f"{wanted.directory}/{name}")


def rename(site: Site, wanted: Copying, made: str, context: StepContext) -> None:
    """Give the complete copy the disk's name. Another attempt may have done so already."""
    manager, center = site.content.virtualDiskManager, site.datacenter
    context.fence()
    try:
        site.finish(manager.MoveVirtualDisk_Task(made, center, wanted.disk, center, False))
    except (vim.fault.FileAlreadyExists, vim.fault.FileNotFound):
        if f"{wanted.name}.vmdk" not in wanted.names(site):
            raise Unreachable(f"{made} could not be renamed to {wanted.disk}; it will be tried again") from None


def tidy(site: Site, wanted: Copying, context: StepContext) -> None:
    """Delete what attempts left behind that were cut off before they could remember their task.

    A file that can't be deleted is still being written: it stays till the end, or till the directory goes.
    """
    for name in sorted(wanted.names(site)):
        if name.startswith(f"{wanted.name}.copy-") and name.endswith(".vmdk") and not name.endswith("-flat.vmdk"):
            try:
                discard(site, wanted, f"{wanted.directory}/{name}", context)
            except (Unreachable, StepFailed) as error:
                log.info("%s: a leftover stays for now: %s", wanted.directory, error)
