"""Copying the image's master to a machine's disk: adopted when it still runs, stopped when asked, complete by name.

A copy is made under a name of its own and gets the disk's name by a rename when it is complete, so what bears the
disk's name is whole. Each attempt has another such name: an attempt whose task is not known any more (its worker was
killed before it could remember the task) can't be mistaken for one's own, and what it leaves is deleted.
"""

import logging
import uuid

from vclab.model.errors import Interrupted, StepFailed, Unreachable
from vclab.model.plans import Target
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere import files, tasks
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.data import master
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.files import Directory
from vclab.provisioning.vsphere.site import Site

log = logging.getLogger(__name__)


def copy_disk(site: Site, target: Target, context: StepContext) -> None:
    """Have the target's disk in place, whole.

    Raises ``StepFailed`` when there is no space or no master, ``Interrupted`` when stopped (the copy is deleted),
    ``NotOurs``, ``Fenced`` and ``Unreachable``.
    """
    place = files.directory(target)
    with explained(f"copying {master(target)} to {place.path}"):
        if f"{place.name}.vmdk" not in files.prepare(site, target):
            copy = _adopted(site, target, context)
            if copy is None:
                _tidy(site, target, context)
                copy = _copied(site, target, context)
            _rename(site, place, copy, context)
        _tidy(site, target, context)


def _adopted(site: Site, target: Target, context: StepContext) -> str | None:
    """The complete copy that an earlier attempt began; None when there is none."""
    place = files.directory(target)
    copy = context.remembered.get("copy", "")
    if not copy.startswith(f"{place.path}/"):
        return None
    context.progress("looking for the copy that an earlier attempt began")
    try:
        _wait(site, target, tasks.adopt(site.session, context.remembered), copy, context)
    except tasks.TaskGone:
        log.info("%s: %s has forgotten the copy %s; copying anew", place.name, target.endpoint, copy)
        return None
    except (vim.fault.FileNotFound, vim.fault.NoDiskSpace, StepFailed) as error:
        log.info("%s: the earlier copy failed (%s); copying anew", place.name, type(error).__name__)
        return None
    return copy if copy.rpartition("/")[2] in files.names_in(site, files.directory(target)) else None


def _copied(site: Site, target: Target, context: StepContext) -> str:
    """Copy the master; return the complete copy's path."""
    place = files.directory(target)
    copy = f"{place.path}/{place.name}.copy-{uuid.uuid4().hex[:8]}.vmdk"
    manager, center = site.content.virtualDiskManager, site.datacenter
    source = master(target)
    context.fence()
    context.progress(f"copying {source}")
    try:
        # No specification: vCenter does not implement one, and without it a thin disk stays thin.
        task = manager.CopyVirtualDisk_Task(source, center, copy, center, None, False)
        context.remember(copy=copy, **tasks.details(site.session, task))
        _wait(site, target, task, copy, context)
    except vim.fault.FileNotFound:
        raise _vanished(site, target) from None
    return copy


def _wait(site: Site, target: Target, task: Ref, copy: str, context: StepContext) -> None:
    """Wait for the copy; what is not to be used is deleted: on a cancel, and when the datastore is full."""
    try:
        tasks.finish(site.session, task, context, lambda percent: context.progress(f"copied {percent} %"))
    except Interrupted:
        discard(site, target, copy, context)
        raise
    except vim.fault.NoDiskSpace:
        discard(site, target, copy, context)
        free = site.datastore(target.storage).free_gb
        raise files.no_space(target.storage, free, f"a copy of {master(target)} ({target.disk_gb} GiB)") from None
    if context.cancelled:
        discard(site, target, copy, context)
        raise Interrupted("stopped as asked; the copy had just been finished and was deleted")


def discard(site: Site, target: Target, copy: str, context: StepContext) -> None:
    """Delete a copy, whole or partial: a partial one may lack either of its files."""
    context.fence()
    files.delete_disk(site, copy)
    stem = copy.rpartition("/")[2].removesuffix(".vmdk")
    for name in files.names_in(site, files.directory(target)):
        if name in (f"{stem}.vmdk", f"{stem}-flat.vmdk"):
            files.delete(site, f"{files.directory(target).path}/{name}")


def _rename(site: Site, place: Directory, copy: str, context: StepContext) -> None:
    """Give the complete copy the disk's name. Another attempt may have done so already."""
    manager, center = site.content.virtualDiskManager, site.datacenter
    context.fence()
    try:
        site.finish(manager.MoveVirtualDisk_Task(copy, center, place.disk, center, False))
    except (vim.fault.FileAlreadyExists, vim.fault.FileNotFound):
        datastore = site.datastore(place.datastore)
        if f"{place.name}.vmdk" not in (files.listing(site, datastore, place.path) or ()):
            raise Unreachable(f"{copy} could not be renamed to {place.disk}; it will be tried again") from None


def _tidy(site: Site, target: Target, context: StepContext) -> None:
    """Delete what attempts left behind that were cut off before they could remember their task.

    A file that can't be deleted is still being written: it stays till the end, or till the directory goes.
    """
    place = files.directory(target)
    for name in sorted(files.names_in(site, files.directory(target))):
        if name.startswith(f"{place.name}.copy-") and name.endswith(".vmdk") and not name.endswith("-flat.vmdk"):
            try:
                discard(site, target, f"{place.path}/{name}", context)
            except (Unreachable, StepFailed) as error:
                log.info("%s: a leftover stays for now: %s", place.name, error)


def _vanished(site: Site, target: Target) -> Exception:
    """What a copy's FileNotFound means: the master, or the directory to copy to."""
    source = master(target)
    folder, _, name = source.rpartition("/")
    datastore = site.datastore(source[1:].partition("]")[0])
    if name not in (files.listing(site, datastore, folder) or ()):
        return StepFailed(f"the master disk {source} of {target.image} is not there")
    return Unreachable(f"{files.directory(target).path} vanished while it was copied to; it will be tried again")
