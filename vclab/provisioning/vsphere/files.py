"""A machine's directory on its datastore: listed, marked as ours, removed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vclab.model.errors import NotOurs, StepFailed, Unreachable
from vclab.model.plans import Target
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.machines import Machine
from vclab.provisioning.vsphere.site import Datastore, Site

ROOT = "vclab"
_MARK = re.compile(r"vclab-mark_(?P<installation>[^_]+)_(?P<computer>.+)_(?P<generation>\d+)$")


@dataclass(frozen=True)
class Directory:
    """A machine's directory. Its mark is an empty directory inside: a name, so that it is made at once or not at all,
    and read by a plain listing."""

    datastore: str
    name: str

    @property
    def path(self) -> str:
        """As vSphere writes it."""
        return f"[{self.datastore}] {ROOT}/{self.name}"

    @property
    def disk(self) -> str:
        """The machine's disk, complete: copies get this name only when they are finished."""
        return f"{self.path}/{self.name}.vmdk"

    @property
    def definition(self) -> str:
        """The machine's definition file."""
        return f"{self.path}/{self.name}.vmx"


@dataclass(frozen=True)
class Mark:
    """Whose a directory is."""

    installation: str
    computer: str
    generation: int


def directory(target: Target) -> Directory:
    """Where the target's files are."""
    return Directory(target.datastore, target.machine_name)


def listing(site: Site, datastore: Datastore, path: str) -> set[str] | None:
    """The names in a directory; None when there is no such directory."""
    spec = vim.host.DatastoreBrowser.SearchSpec(matchPattern=["*"])
    try:
        result = site.finish(datastore.browser.SearchDatastore_Task(path, spec))
    except vim.fault.FileNotFound:
        return None
    return {file.path for file in result.file}


def mark_of(names: Iterable[str]) -> Mark | None:
    """The mark in a directory's listing."""
    for name in names:
        if found := _MARK.fullmatch(name):
            return Mark(found["installation"], found["computer"], int(found["generation"]))
    return None


def prepare(site: Site, target: Target) -> set[str]:
    """Make the target's directory, marked, and return what is in it. Raises ``NotOurs`` when it is another's."""
    place = directory(target)
    datastore = site.datastore(target.datastore)
    names = listing(site, datastore, place.path) or set()
    if _judge(place, names, target.installation) is None:
        name = f"vclab-mark_{target.installation}_{target.computer}_{target.generation}"
        try:
            site.content.fileManager.MakeDirectory(f"{place.path}/{name}", site.datacenter, True)
        except vim.fault.FileAlreadyExists:
            pass  # another attempt was quicker
        except vim.fault.NoDiskSpace:
            raise no_space(target.datastore, datastore.free_gb, f"the directory {place.path}") from None
        names = listing(site, datastore, place.path) or set()
    return names


def _judge(place: Directory, names: set[str], installation: str) -> Mark | None:
    """The directory's mark; None when it is empty and free to take. Raises ``NotOurs``."""
    mark = mark_of(names)
    if mark is None and names:
        raise NotOurs(f"the directory {place.path} holds files without the mark of {installation}; it is not touched")
    if mark is not None and mark.installation != installation:
        raise NotOurs(f"the directory {place.path} belongs to the installation {mark.installation}; it is not touched")
    return mark


def remove(site: Site, place: Directory, context: StepContext, machines: Iterable[Machine]) -> None:
    """Remove a directory of ours with all that is in it, partial copies too, and verify that it is absent.

    Raises ``NotOurs`` when it is another's or a registered machine lives in it.
    """
    datastore = site.datastore(place.datastore)
    names = listing(site, datastore, place.path)
    if names is None:
        return
    _judge(place, names, site.installation)
    for machine in machines:
        if machine.path.startswith(f"{place.path}/"):
            raise NotOurs(f"machine {machine.name} lives in {place.path}, which should be empty; it is not touched")
    context.fence()
    context.progress(f"removing {place.path}")
    delete(site, place.path)
    if listing(site, datastore, place.path) is not None:
        raise Unreachable(f"{place.path} is still there after its removal; it will be tried again")


def delete(site: Site, path: str) -> None:
    """Delete one file or directory; harmless when there is none."""
    with explained(f"deleting {path}"):
        try:
            site.finish(site.content.fileManager.DeleteDatastoreFile_Task(path, site.datacenter))
        except vim.fault.FileNotFound:
            return


def delete_disk(site: Site, path: str) -> None:
    """Delete a disk, complete or partial; harmless when there is none."""
    with explained(f"deleting the disk {path}"):
        try:
            site.finish(site.content.virtualDiskManager.DeleteVirtualDisk_Task(path, site.datacenter))
        except vim.fault.FileNotFound:
            return


def leftovers(site: Site, target: Target) -> list[Directory]:
    """Directories of this computer from this and older generations that bear our mark, on the target's datastore."""
    datastore = site.datastore(target.datastore)
    found = []
    for name in listing(site, datastore, f"[{target.datastore}] {ROOT}") or ():
        place = Directory(target.datastore, name)
        if not name.startswith(f"{target.computer}-") or place == directory(target):
            continue
        mark = mark_of(listing(site, datastore, place.path) or ())
        if mark is None or (mark.installation, mark.computer) != (target.installation, target.computer):
            continue
        if mark.generation <= target.generation:
            found.append(place)
    return [*sorted(found, key=lambda place: place.name), directory(target)]


def no_space(datastore: str, free_gb: int, what: str) -> StepFailed:
    """The error that says that a datastore is full."""
    return StepFailed(f"datastore {datastore} has no space for {what} ({free_gb} GiB free)")
