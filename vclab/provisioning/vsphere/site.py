"""Where a step works: an endpoint with an open session, its datacenter, and what is looked up there by name.

Everything is looked up each time: a reference that was kept may mean something else after the endpoint restarted.
"""

from collections.abc import Mapping
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
        parent = read(self.session, values["parent"], ["resourcePool"]) or {}
        networks = read_all(self.session, _plain_networks(values["network"]), ["name"])
        networks += read_all(self.session, _port_groups(values["network"]), ["name"])
        datastores = read_all(self.session, values["datastore"], ["name"])
        return Host(
            ref=ref,
            name=name,
            pool=parent["resourcePool"],
            networks={v["name"]: r for r, v in networks},
            datastores=tuple(v["name"] for _, v in datastores),
        )

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
