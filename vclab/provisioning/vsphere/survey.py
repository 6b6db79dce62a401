"""What an endpoint can hold now."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.machines import Machine, all_machines
from vclab.provisioning.vsphere.properties import find_all, read_all
from vclab.provisioning.vsphere.site import Site, unusable

_HOST = [
    "name",
    "parent",
    "network",
    "datastore",
    "runtime.connectionState",
    "runtime.inMaintenanceMode",
    "summary.hardware.numCpuThreads",
    "summary.hardware.memorySize",
]
_STORE = [
    "name",
    "summary.freeSpace",
    "summary.capacity",
    "summary.accessible",
    "summary.maintenanceMode",
    "summary.type",
]
_NAMED = 3  #: largest machines of a datastore that fills up
_UNLINKED = ("vsan", "vvol")  #: they make an object of its own of each disk
_SIZE = ["config.hardware.numCPU", "config.hardware.memoryMB"]
_DISKS = ["config.hardware.device", "storage.perDatastoreUsage"]


def survey(site: Site) -> Inventory:
    """Ask for hosts, datastores and machines. Raises ``Unreachable``."""
    machines = all_machines(site)
    hosts = find_all(site.session, vim.HostSystem, _HOST, site.datacenter)
    stores = find_all(site.session, vim.Datastore, _STORE, site.datacenter)
    networks = find_all(site.session, vim.Network, ["name"], site.datacenter)
    names = {ref._moId: v["name"] for ref, v in [*stores, *networks]}
    foreign = _foreign_load(site, machines)
    held, largest = _held_by_ours(site, machines)
    no_pool = site.why_no_pool([v["parent"] for _, v in hosts])
    return Inventory(
        endpoint=site.endpoint.name,
        taken_at=datetime.now(UTC),
        hosts=tuple(_host(site, v, names, foreign.get(ref._moId, (0, 0)), no_pool) for ref, v in hosts),
        datastores=tuple(_datastore(site, v, held.get(ref._moId, 0), largest.get(ref._moId, ())) for ref, v in stores),
        policies=site.data.policies,
    )


def _foreign_load(site: Site, machines: list[Machine]) -> dict[str, tuple[int, int]]:
    """CPUs and MiB that running machines of others take, by host. One that is off takes nothing."""
    running = {m.ref._moId: m for m in machines if m.power == "on" and not m.ours(site.installation) and m.host}
    load: dict[str, tuple[int, int]] = {}
    for ref, values in read_all(site.session, [m.ref for m in running.values()], _SIZE):
        host = running[ref._moId].host._moId
        cpus, memory = load.get(host, (0, 0))
        load[host] = (cpus + values.get(_SIZE[0], 0), memory + values.get(_SIZE[1], 0))
    return load


_Largest = Sequence[tuple[int, str]]
"""Machines with the bytes that they take, the largest first."""


def _held_by_ours(site: Site, machines: list[Machine]) -> tuple[dict[str, int], dict[str, _Largest]]:
    """Bytes that our machines take on each datastore, and which of them take the most."""
    found: dict[str, list[tuple[int, str]]] = {}
    ours = {m.ref._moId: m for m in machines if m.ours(site.installation)}
    for ref, values in read_all(site.session, [m.ref for m in ours.values()], _DISKS):
        for store, size in _usage(values).items():
            found.setdefault(store, []).append((size, ours[ref._moId].name))
    held = {store: sum(size for size, _ in taken) for store, taken in found.items()}
    return held, {store: sorted(taken, reverse=True)[:_NAMED] for store, taken in found.items()}


def _usage(machine: Mapping[str, Any]) -> dict[str, int]:
    """Bytes that one machine takes by datastore: what it has written for itself or, if that is more, its thick disks'
    size. What it shares with others is the image's."""
    disks = [d for d in machine.get("config.hardware.device", []) if isinstance(d, vim.vm.device.VirtualDisk)]
    shares = any(getattr(disk.backing, "parent", None) for disk in disks)
    said = machine.get("storage.perDatastoreUsage", [])
    written = {u.datastore._moId: int(u.unshared if shares else u.committed) for u in said}
    thick: dict[str, int] = {}
    for device in disks:
        if not shares and not getattr(device.backing, "thinProvisioned", False):
            store = getattr(device.backing, "datastore", None)
            if store is not None:
                thick[store._moId] = thick.get(store._moId, 0) + int(device.capacityInKB) * 1024
    return {store: max(written.get(store, 0), thick.get(store, 0)) for store in {*written, *thick}}


def _host(
    site: Site,
    values: Mapping[str, Any],
    names: Mapping[str, str],
    foreign: tuple[int, int],
    no_pool: Mapping[str, str],
) -> HostFacts:
    endpoint = site.endpoint
    networks = _named(values.get("network", []), names)
    missing = [name for name in site.data.networks if name not in networks]
    cpus = int(values.get("summary.hardware.numCpuThreads", 0) * endpoint.cpu_overcommit) - foreign[0]
    memory = values.get("summary.hardware.memorySize", 0) // 2**20 - endpoint.memory_reserve_mb - foreign[1]
    no_network = f"it has no network {' nor '.join(missing)}" if missing else ""
    why = unusable(values) or no_network or no_pool.get(values["parent"]._moId, "") or _full(cpus, memory, foreign)
    return HostFacts(
        name=values["name"],
        cpus=max(cpus, 0),
        memory_mb=max(memory, 0),
        usable=not why,
        why_not=why,
        datastores=tuple(sorted(_named(values.get("datastore", []), names))),
    )


def _full(cpus: int, memory_mb: int, foreign: tuple[int, int]) -> str:
    """Why no machine fits on a host, however small; empty when one may."""
    short = "CPU" if cpus < 1 else "memory" if memory_mb < 1 else ""
    whose = "other machines use it" if any(foreign) else "see the endpoint's limits"
    return f"it has no {short} left for us: {whose}" if short else ""


def _named(refs: list[Ref], names: Mapping[str, str]) -> list[str]:
    return [names[ref._moId] for ref in refs if ref._moId in names]


def _datastore(site: Site, values: Mapping[str, Any], held: int, largest: _Largest) -> DatastoreFacts:
    free, capacity = max(values.get("summary.freeSpace", 0), 0), max(values.get("summary.capacity", 0), 0)
    floor = capacity * site.data.free_floor // 100
    why = "" if values.get("summary.accessible", True) else "not accessible"
    if not why and values.get("summary.maintenanceMode", "normal") != "normal":
        why = "in maintenance"
    filled = "" if why else _filled(site, free, capacity, floor, largest)
    why = why or filled
    return DatastoreFacts(
        name=values["name"],
        disk_gb=max(free + held - floor, 0) // 2**30,
        free_gb=free // 2**30,
        usable=not why,
        why_not=why,
        linked=str(values.get("summary.type", "")).lower() not in _UNLINKED,
        filled=bool(filled),
    )


def _filled(site: Site, free: int, capacity: int, floor: int, largest: _Largest) -> str:
    """That less is free than is to stay so, and what takes the most; empty when there is enough."""
    if free >= floor or not capacity:
        return ""
    takers = ", ".join(f"{name} {size / 2**30:.0f} GiB" for size, name in largest if size >= 2**30)
    of_ours = f"; the largest of ours: {takers}" if takers else ""
    return f"only {100 * free // capacity} % of it are free, and {site.data.free_floor} % are to stay so{of_ours}"
