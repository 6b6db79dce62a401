"""A machine's directory on its datastore: marked as ours, listed, removed."""

import http
import http.client
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from vclab.model.errors import CopyLost, NotOurs, StepFailed, Unreachable
from vclab.model.plans import Target
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.machines import Machine
from vclab.provisioning.vsphere.properties import read
from vclab.provisioning.vsphere.session import pinned_connection
from vclab.provisioning.vsphere.site import Datastore, Site

ROOT = "vclab"
LONGEST_DESCRIPTOR = 64 << 10
"""Bytes of a disk's description."""
_MARK = re.compile(r"(?P<name>.+)\.of_(?P<installation>[^_]+)_(?P<computer>.+)_(?P<generation>\d+)")


@dataclass(frozen=True)
class Directory:
    """A machine's directory."""

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
    """The owner of a directory: the name of an empty directory beside it.

    Made before the directory and deleted after it, so that a directory that is half made or half deleted still has its
    mark; and a name, so that it is written at once or not at all, and all marks are read by one listing.
    """

    name: str
    installation: str
    computer: str
    generation: int

    def __str__(self) -> str:
        return f"{self.name}.of_{self.installation}_{self.computer}_{self.generation}"

    @classmethod
    def parse(cls, name: str) -> "Mark | None":
        """The mark that a name in the root directory is, if it is one."""
        found = _MARK.fullmatch(name)
        return cls(found["name"], found["installation"], found["computer"], int(found["generation"])) if found else None


def directory(target: Target) -> Directory:
    """Where the target's files are."""
    return Directory(target.storage, target.machine_name)


def listing(site: Site, datastore: Datastore, path: str) -> set[str] | None:
    """The names in a directory; None when there is no such directory."""
    spec = vim.host.DatastoreBrowser.SearchSpec(matchPattern=["*"])
    try:
        result = site.finish(datastore.browser.SearchDatastore_Task(path, spec))
    except vim.fault.FileNotFound:
        return None
    return {file.path for file in result.file}


def names_in(site: Site, place: Directory) -> set[str]:
    """The names in a machine's directory; empty when there is none."""
    return listing(site, site.datastore(place.datastore), place.path) or set()


def prepare(site: Site, target: Target) -> set[str]:
    """Make the target's directory, marked, and return what is in it. Raises ``NotOurs`` when it is another's."""
    place = directory(target)
    datastore = site.datastore(target.storage)
    names = listing(site, datastore, _root(place)) or set()
    if not _ours(site, datastore, place, names):
        mark = Mark(place.name, target.installation, target.computer, target.generation)
        _make(site, datastore, f"{_root(place)}/{mark}")
    if place.name not in names and _make(site, datastore, place.path):
        return set()
    return listing(site, datastore, place.path) or set()


def make(site: Site, directory: str) -> set[str]:
    """Make a directory of the house; what is in it, for another attempt may have been quicker."""
    datastore = site.datastore(split(f"{directory}/")[0])
    return set() if _make(site, datastore, directory) else listing(site, datastore, directory) or set()


def _root(place: Directory) -> str:
    return f"[{place.datastore}] {ROOT}"


def _make(site: Site, datastore: Datastore, path: str) -> bool:
    """False: another attempt was quicker."""
    try:
        site.content.fileManager.MakeDirectory(path, site.datacenter, True)
        return True
    except vim.fault.FileAlreadyExists:
        return False
    except vim.fault.NoDiskSpace:
        raise no_space(datastore.name, datastore.free_gb, f"the directory {path}") from None


def _ours(site: Site, datastore: Datastore, place: Directory, names: Iterable[str]) -> bool:
    """Whether it has our mark, given the root's listing. Raises ``NotOurs`` for another's, and for unmarked files."""
    marks = [mark for mark in map(Mark.parse, names) if mark and mark.name == place.name]
    for mark in marks:
        if mark.installation != site.installation:
            raise NotOurs(
                f"the directory {place.path} belongs to the installation {mark.installation}; it is not touched"
            )
    if not marks and place.name in names and listing(site, datastore, place.path):
        raise NotOurs(
            f"the directory {place.path} holds files without the mark of {site.installation}; it is not touched"
        )
    return bool(marks)


def remove(site: Site, place: Directory, context: StepContext, machines: Iterable[Machine]) -> None:
    """Remove a directory of ours with all that is in it, partial copies too, and verify that it is absent.

    Raises ``NotOurs`` when it is another's or a registered machine lives in it.
    """
    datastore = site.datastore(place.datastore)
    names = listing(site, datastore, _root(place)) or set()
    if not _ours(site, datastore, place, names):
        return
    for machine in machines:
        if machine.path.startswith(f"{place.path}/"):
            raise NotOurs(f"machine {machine.name} lives in {place.path}, which should be empty; it is not touched")
    delete_directory(site, datastore, place.path, context)
    for mark in filter(None, map(Mark.parse, names)):
        if mark.name == place.name:
            delete(site, f"{_root(place)}/{mark}")


def delete_directory(site: Site, datastore: Datastore, path: str, context: StepContext) -> None:
    """Delete a directory of ours with all that is in it, and verify that it is absent."""
    context.fence()
    context.progress(f"removing {path}")
    delete(site, path)
    if listing(site, datastore, path) is not None:
        raise Unreachable(f"{path} is still there after its removal; it will be tried again")


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
    """Directories of this computer from this and older generations that bear our mark, on the target's datastore; and
    whatever has the name of the target's own."""
    names = listing(site, site.datastore(target.storage), _root(directory(target))) or ()
    marks = filter(None, map(Mark.parse, names))
    own = {target.machine_name} & set(names)
    ours = {
        mark.name
        for mark in marks
        if (mark.installation, mark.computer) == (target.installation, target.computer)
        and mark.generation <= target.generation
    }
    return [Directory(target.storage, name) for name in sorted(ours | own)]


def must_be_there(site: Site, path: str, what: str) -> None:
    """Raise ``CopyLost`` when a copy's file is not there; ``what`` it is, in words."""
    datastore, folder, name = split(path)
    if name not in (listing(site, site.datastore(datastore), folder) or ()):
        raise CopyLost(f"{path}, {what}, is not there")


def split(path: str) -> tuple[str, str, str]:
    """Of "[ds1] folder/x.vmdk": the datastore, "[ds1] folder" and "x.vmdk"."""
    datastore, _, inside = path.removeprefix("[").partition("] ")
    folder, _, name = inside.rpartition("/")
    return datastore, f"[{datastore}] {folder}".rstrip(), name


def no_space(datastore: str, free_gb: int, what: str) -> StepFailed:
    """The error that says that a datastore is full."""
    return StepFailed(f"datastore {datastore} has no space for {what} ({free_gb} GiB free)")


def read_text(site: Site, path: str, longest: int) -> str:
    """The beginning of a small file; empty when it is gone. Raises ``Unreachable``."""
    datastore, folder, name = split(path)
    inside = f"{folder.partition('] ')[2]}/{name}".lstrip("/")
    center = (read(site.session, site.datacenter, ["name"]) or {}).get("name", "")
    query = urlencode({"dcPath": center, "dsName": datastore})
    url = urlsplit(site.endpoint.url)
    connection = pinned_connection(url.hostname or "", url.port or 443, site.endpoint.fingerprint)
    try:
        connection.request("GET", f"/folder/{quote(inside)}?{query}", headers={"Cookie": site.session.cookie})
        answer = connection.getresponse()
        held = answer.read(longest)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{path} can't be read: {error}") from None
    finally:
        connection.close()
    if answer.status == http.HTTPStatus.NOT_FOUND:
        return ""
    if answer.status != http.HTTPStatus.OK:
        raise Unreachable(f"{path} can't be read: {answer.status} {answer.reason}")
    return held.decode("utf-8", "replace")
