"""Who has a disk that is made from a copy: asked of each machine, and of the disks that lie in our folders. And where
each machine's disk is, and what it is made from."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from vclab.model import reported
from vclab.provisioning.vsphere import files
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.machines import Machine
from vclab.provisioning.vsphere.properties import find_all, read_all
from vclab.provisioning.vsphere.site import Datastore, Site

DEVICES = "config.hardware.device"
_PATHS = ["name", DEVICES, "layoutEx.file"]
_PARENT = re.compile(r'^parentFileNameHint="([^"\r\n]{1,1000})"', re.MULTILINE)
_DEEPEST = 256
"""Disks of a chain."""


@dataclass(frozen=True)
class Disk:
    """A machine's disk, as its endpoint says. Empty: not known."""

    storage: str = ""  #: the datastore that it is on
    parent: str = ""  #: the disk outside of its own directory that it is made from; empty: none


def disks(site: Site, machines: Iterable[Machine]) -> dict[str, Disk]:
    """The machines' first disks, by the machines' ids. Those that are gone are left out."""
    found = read_all(site.session, [machine.ref for machine in machines], [DEVICES])
    return {ref._moId: _disk(next(disk_chains(values), [])) for ref, values in found}


def _disk(chain: Sequence[str]) -> Disk:
    """What can't be read is not taken for none."""
    named = [reported.line(name) for name in chain]
    if not named or not all(named):
        return Disk()
    storage, _, _ = files.split(named[0])
    return Disk(storage, "" if named[-1] in own_part(named) else named[-1])


def own_part(chain: Sequence[str]) -> list[str]:
    """Of a disk's chain the files in the disk's own directory: it, and what was snapshot of it."""
    _, folder, _ = files.split(chain[0])
    return [path for path in chain if path.startswith(f"{folder}/")]


def disk_chains(machine: Mapping[str, Any]) -> Iterator[list[str]]:
    """The files of each disk of a machine, from its properties: its own first, then its parents."""
    for device in machine.get(DEVICES, []):
        if isinstance(device, vim.vm.device.VirtualDisk):
            yield list(islice(_chain(device.backing), _DEEPEST))


def _chain(backing: Any) -> Iterator[str]:
    while backing is not None:
        yield getattr(backing, "fileName", "") or ""
        backing = getattr(backing, "parent", None)


def child_of(site: Site, storage: str, directory: str) -> str:
    """A machine, or a disk, that needs something in the directory; empty: nobody does. Snapshots count, and machines of
    other datacenters, which may have the same storage."""
    inside = f"{directory}/"
    for _, values in find_all(site.session, vim.VirtualMachine, _PATHS):
        if any(name.startswith(inside) for name in _files(values)):
            return f"the disk of {values['name']}"
    for disk, parent in _lying_about(site, site.datastore(storage)):
        if _is_inside(parent, directory):
            return f"the disk {disk}, which no machine has,"
    return ""


def _files(machine: Mapping[str, Any]) -> Iterator[str]:
    """All files of a machine, its disks' parents among them."""
    yield from (file.name for file in machine.get("layoutEx.file", []))
    for chain in disk_chains(machine):
        yield from chain


def _is_inside(parent: str, directory: str) -> bool:
    """A descriptor names its parent by datastore path, by a path below /vmfs/volumes, or beside itself."""
    _, _, folder = directory.partition("] ")
    return parent.startswith(f"{directory}/") or f"/{folder}/" in parent


def _lying_about(site: Site, datastore: Datastore) -> Iterator[tuple[str, str]]:
    """The disks in our folder of the datastore that have a parent, and that, whatever machine has them."""
    query = vim.host.DatastoreBrowser.SearchSpec(matchPattern=["*.vmdk"])
    try:
        found = site.finish(datastore.browser.SearchDatastoreSubFolders_Task(f"[{datastore.name}] {files.ROOT}", query))
    except vim.fault.FileNotFound:
        return
    for folder in found:
        for file in folder.file:
            if not file.path.endswith(("-flat.vmdk", "-delta.vmdk", "-sesparse.vmdk")):
                path = f"{folder.folderPath.rstrip('/')}/{file.path}"
                said = files.read_text(site, path, files.LONGEST_DESCRIPTOR)
                if named := _PARENT.search(said):
                    yield path, named[1]
