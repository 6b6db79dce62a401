"""Where a step works: an endpoint with an open session, its datacenter, and what is looked up there by name.

Everything is looked up each time: a reference that was kept may mean something else after the endpoint restarted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vclab.model.catalog import Endpoint
from vclab.model.errors import StepFailed, Unreachable
from vclab.provisioning.vsphere import tasks
from vclab.provisioning.vsphere.api import Ref, vim
from vclab.provisioning.vsphere.data import EndpointData
from vclab.provisioning.vsphere.properties import find_all, read, read_all
from vclab.provisioning.vsphere.session import Session


@dataclass(frozen=True)
class Host:
    """A hypervisor host that can take machines."""

    ref: Ref
    name: str
    pool: Ref
    networks: Mapping[str, Ref]
    datastores: tuple[str, ...]


@dataclass(frozen=True)
class Datastore:
    """A datastore; sizes in GiB."""

    ref: Ref
    name: str
    browser: Ref
    free_gb: int


@dataclass(frozen=True)
class Site:
    """An endpoint's datacenter, opened for one piece of work."""

    session: Session
    installation: str
    data: EndpointData
    datacenter: Ref
    vm_folder: Ref

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint's entry."""
        return self.session.endpoint

    @property
    def content(self) -> Any:
        """The service's managers."""
        return self.session.content

    def finish(self, task: Ref) -> Any:
        """Wait for a short task, which is never cancelled half-way; see ``tasks.finish``."""
        return tasks.finish(self.session, task)

    def host(self, name: str) -> Host:
        """A host by name. Raises ``StepFailed`` when it can't take machines now."""
        paths = ["name", "parent", "network", "datastore", "runtime.connectionState", "runtime.inMaintenanceMode"]
        found = [(r, v) for r, v in find_all(self.session, vim.HostSystem, paths, self.datacenter) if v["name"] == name]
        if not found:
            raise StepFailed(f"there is no host {name} on {self.endpoint.name}")
        ref, values = found[0]
        if why := unusable(values):
            raise StepFailed(f"host {name} on {self.endpoint.name} is {why}")
        networks = read_all(self.session, _plain_networks(values["network"]), ["name"])
        networks += read_all(self.session, _port_groups(values["network"]), ["name"])
        datastores = read_all(self.session, values["datastore"], ["name"])
        return Host(
            ref=ref,
            name=name,
            pool=self._pool(values["parent"], name),
            networks={v["name"]: r for r, v in networks},
            datastores=tuple(v["name"] for _, v in datastores),
        )

    def pools(self) -> list[tuple[str, str, Ref]]:
        """The resource pools below the root pools: the id of the host's or cluster's resource, name, reference."""
        paths = ["name", "owner", "parent"]
        return [
            (values["owner"]._moId, values["name"], ref)
            for ref, values in find_all(self.session, vim.ResourcePool, paths, self.datacenter)
            if isinstance(values["parent"], vim.ResourcePool) and not isinstance(ref, vim.VirtualApp)
        ]

    def pools_of(self, parents: Iterable[Ref]) -> dict[str, list[Ref]]:
        """The resource pools that have the name of the endpoint's setting, by the id of hosts' and clusters'
        resources; without that setting the root pools."""
        if self.data.resource_pool:
            there = [(owner, ref) for owner, name, ref in self.pools() if name == self.data.resource_pool]
            return {parent._moId: [ref for owner, ref in there if owner == parent._moId] for parent in parents}
        roots = [(each, read(self.session, each, ["resourcePool"]) or {}) for each in parents]
        return {parent._moId: [values["resourcePool"]] for parent, values in roots if values}

    def why_no_pool(self, parents: Iterable[Ref]) -> dict[str, str]:
        """Why machines can't be made in the resource pool of the endpoint's setting, by the id of hosts' and clusters'
        resources; those where they can are left out."""
        name = self.data.resource_pool
        found = self.pools_of(parents) if name else {}
        return {parent: _no_pool(name, pools) for parent, pools in found.items() if len(pools) != 1}

    def _pool(self, parent: Ref, host: str) -> Ref:
        """Where a host's machines are made. Raises ``StepFailed``."""
        found = self.pools_of([parent]).get(parent._moId, [])
        if len(found) != 1:
            why = _no_pool(self.data.resource_pool, found)
            raise StepFailed(f"host {host} on {self.endpoint.name} can't be used: {why}")
        return found[0]

    def host_of(self, ref: Ref) -> tuple[str, str]:
        """A machine's host: its name, and why it can't take machines now (empty when it can)."""
        paths = ["name", "runtime.connectionState", "runtime.inMaintenanceMode"]
        values = (read(self.session, ref, paths) if ref is not None else None) or {}
        return values.get("name", "?"), unusable(values)

    def datastore(self, name: str) -> Datastore:
        """A datastore by name. Raises ``StepFailed`` when there is none, ``Unreachable`` when it is not accessible."""
        paths = ["name", "browser", "summary.freeSpace", "summary.accessible"]
        for ref, values in find_all(self.session, vim.Datastore, paths, self.datacenter):
            if values["name"] == name:
                if not values.get("summary.accessible", True):
                    raise Unreachable(f"datastore {name} on {self.endpoint.name} is not accessible")
                return Datastore(ref, name, values["browser"], max(values["summary.freeSpace"], 0) // 2**30)
        raise StepFailed(f"there is no datastore {name} on {self.endpoint.name}")


def open_site(session: Session, installation: str) -> Site:
    """The endpoint's datacenter: the named one, else the only one. Raises ``Unreachable``, ``StepFailed``."""
    data = EndpointData.of(session.endpoint.module_data, f"the endpoint {session.endpoint.name}")
    wanted = data.datacenter
    found = find_all(session, vim.Datacenter, ["name", "vmFolder"])
    fitting = [(ref, v["vmFolder"]) for ref, v in found if not wanted or v["name"] == wanted]
    if len(fitting) != 1:
        names = ", ".join(sorted(v["name"] for _, v in found)) or "none"
        raise StepFailed(
            f"{session.endpoint.name} has no single datacenter (it has: {names})", "name one: --datacenter"
        )
    return Site(session, installation, data, *fitting[0])


def _no_pool(name: str, found: Sequence[Ref]) -> str:
    return f"it has {'several resource pools' if found else 'no resource pool'} {name}"


AWAY = ("disconnected", "not responding")


def unusable(host: Mapping[str, Any]) -> str:
    """Why a host can't take machines, from its runtime properties; empty when it can."""
    if host.get("runtime.connectionState", "connected") != "connected":
        return AWAY[0] if host["runtime.connectionState"] == "disconnected" else AWAY[1]
    return "in maintenance" if host.get("runtime.inMaintenanceMode") else ""


def _port_groups(networks: list[Ref]) -> list[Ref]:
    return [n for n in networks if isinstance(n, vim.dvs.DistributedVirtualPortgroup)]


def _plain_networks(networks: list[Ref]) -> list[Ref]:
    return [n for n in networks if not isinstance(n, vim.dvs.DistributedVirtualPortgroup)]
