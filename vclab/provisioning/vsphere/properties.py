"""Reading: only by property paths, in bulk, in one round trip. A path that is unset is absent from the answer."""

from collections.abc import Iterable, Sequence
from typing import Any

from vclab.provisioning.vsphere.api import Ref, vim, vmodl
from vclab.provisioning.vsphere.session import Session

_Collector = vmodl.query.PropertyCollector
Values = dict[str, Any]


def read(session: Session, ref: Ref, paths: Sequence[str]) -> Values | None:
    """The values of one object; None when it does not exist (any more)."""
    found = read_all(session, [ref], paths)
    return found[0][1] if found else None


def read_all(session: Session, refs: Iterable[Ref], paths: Sequence[str]) -> list[tuple[Ref, Values]]:
    """The values of objects of one type. Those that are gone are left out."""
    wanted = list(refs)
    if not wanted:
        return []
    spec = _Collector.FilterSpec(
        objectSet=[_Collector.ObjectSpec(obj=ref) for ref in wanted],
        propSet=[_Collector.PropertySpec(type=type(wanted[0]), pathSet=list(paths))],
    )
    try:
        return _retrieve(session, spec)
    except vmodl.fault.ManagedObjectNotFound:
        if len(wanted) == 1:
            return []
        return [pair for ref in wanted for pair in read_all(session, [ref], paths)]


def find_all(session: Session, kind: Any, paths: Sequence[str], root: Ref = None) -> list[tuple[Ref, Values]]:
    """The values of all objects of a type below ``root``, a datacenter or a folder (default: the uppermost one).

    Types: datacenters, hosts, their resource pools, machines and their folders; datastores and networks of a
    datacenter.

    One call: the way down is told along. A view would have to be made and destroyed around it.
    """
    start = _Collector.ObjectSpec(obj=root or session.content.rootFolder, skip=False, selectSet=list(_WAYS[kind]))
    wanted = _Collector.PropertySpec(type=kind, pathSet=list(paths))
    return _retrieve(session, _Collector.FilterSpec(objectSet=[start], propSet=[wanted]))


def _way(name: str, kind: Any, path: str, *onward: str) -> Any:
    """From an object of that type to what its path names, and from there on the ways of these names."""
    select = [_Collector.SelectionSpec(name=each) for each in onward]
    return _Collector.TraversalSpec(name=name, type=kind, path=path, skip=False, selectSet=select)


_HOSTS = _way("hosts", vim.Datacenter, "hostFolder", "folder")
_MACHINES = _way("machines", vim.Datacenter, "vmFolder", "folder")
_WAYS = {
    vim.Datacenter: (_way("folder", vim.Folder, "childEntity", "folder"),),
    vim.Datastore: (_way("stores", vim.Datacenter, "datastore"),),
    vim.Network: (_way("networks", vim.Datacenter, "network"),),
    vim.HostSystem: (
        _HOSTS,
        _way("folder", vim.Folder, "childEntity", "folder", "hosts", "host"),
        _way("host", vim.ComputeResource, "host"),
    ),
    vim.ResourcePool: (
        _HOSTS,
        _way("folder", vim.Folder, "childEntity", "folder", "hosts", "root"),
        _way("root", vim.ComputeResource, "resourcePool", "pool"),
        _way("pool", vim.ResourcePool, "resourcePool", "pool"),
    ),
    vim.VirtualMachine: (
        _MACHINES,
        _way("folder", vim.Folder, "childEntity", "folder", "machines", "vapp", "inner"),
        _way("vapp", vim.VirtualApp, "vm"),
        _way("inner", vim.VirtualApp, "resourcePool", "vapp", "inner"),
    ),
    vim.Folder: (
        _HOSTS,
        _MACHINES,
        _way("folder", vim.Folder, "childEntity", "folder", "hosts", "machines"),
    ),
}
"""By type. Only the ways that lead to it: a lab's hosts are not looked for among ten thousand machines."""


def _retrieve(session: Session, spec: Any) -> list[tuple[Ref, Values]]:
    collector = session.content.propertyCollector
    page = collector.RetrievePropertiesEx([spec], _Collector.RetrieveOptions())
    found: list[tuple[Ref, Values]] = []
    while page:
        found += [(one.obj, {p.name: p.val for p in one.propSet}) for one in page.objects]
        page = collector.ContinueRetrievePropertiesEx(page.token) if page.token else None
    return found
