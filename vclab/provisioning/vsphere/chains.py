"""Who has a disk that is made from a copy: asked of each machine, and of the disks that lie in our folders."""

import re
from collections.abc import Iterator
from typing import Any

from vclab.provisioning.vsphere import files
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.properties import find_all
from vclab.provisioning.vsphere.site import Datastore, Site

_PATHS = ["name", "config.hardware.device", "layoutEx.file"]
_PARENT = re.compile(r'^parentFileNameHint="([^"\r\n]{1,1000})"', re.MULTILINE)
_LONGEST = 64 << 10
"""Bytes of a descriptor."""


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


def _files(machine: dict[str, Any]) -> Iterator[str]:
    """All files of a machine, its disks' parents among them."""
    yield from (file.name for file in machine.get("layoutEx.file", []))
    for device in machine.get("config.hardware.device", []):
        backing = getattr(device, "backing", None) if isinstance(device, vim.vm.device.VirtualDisk) else None
        while backing is not None:
            yield getattr(backing, "fileName", "")
            backing = getattr(backing, "parent", None)


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
                said = files.read_text(site, path, _LONGEST)
                if named := _PARENT.search(said):
                    yield path, named[1]
