"""What an endpoint can hold, as it said itself. Amounts: whole CPUs, MiB of memory, GiB of disk."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True)
class HostFacts:
    """One hypervisor host."""

    name: str
    cpus: int  #: virtual CPUs it may give to lab machines: threads x overcommit, less those of foreign VMs
    memory_mb: int  #: MiB it may give to lab machines: total less reserve, less that of foreign VMs
    usable: bool = True
    why_not: str = ""  #: e.g. "in maintenance", "it has no network public"; empty when usable
    datastores: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatastoreFacts:
    """One datastore. ``disk_gb`` = free now + what our own VMs hold on it: the pool from which claims take."""

    name: str
    disk_gb: int
    free_gb: int
    usable: bool = True
    why_not: str = ""
    linked: bool = True  #: a disk can be the child of another one
    filled: bool = False  #: it is not usable since less of it is free than is to stay so: an alarm


class Policy(StrEnum):
    """Which of the places that hold a machine gets it."""

    BEST_FIT = "best-fit"  #: the fullest: one is filled after the other, and large gaps stay large
    SPREAD = "spread"  #: the emptiest


@dataclass(frozen=True)
class Policies:
    """How an endpoint's places are chosen. Memory is taken whole, so large gaps are kept; disks grow, so they are
    spread."""

    hosts: Policy = Policy.BEST_FIT
    datastores: Policy = Policy.SPREAD


@dataclass(frozen=True)
class Inventory:
    """One endpoint's answer. ``error`` is set, and the rest empty, when it could not be asked."""

    endpoint: str
    taken_at: datetime
    hosts: tuple[HostFacts, ...] = ()
    datastores: tuple[DatastoreFacts, ...] = ()
    error: str = ""
    policies: Policies = Policies()


@dataclass(frozen=True)
class Answered:
    """Where one endpoint's answer is kept, for an inventory may be larger than a message."""

    endpoint: str
    epoch: int = 0  #: of the endpoint's entry, when it was asked
    error: str = ""  #: why there is no answer


class PoolKind(StrEnum):
    """What a capacity pool is the capacity of."""

    HOST = "host"  #: CPUs and memory
    DATASTORE = "datastore"  #: disk space


@dataclass(frozen=True)
class Amounts:
    """What a virtual machine takes from a capacity pool."""

    cpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.cpus + other.cpus, self.memory_mb + other.memory_mb, self.disk_gb + other.disk_gb)

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(self.cpus - other.cpus, self.memory_mb - other.memory_mb, self.disk_gb - other.disk_gb)

    def holds(self, need: "Amounts") -> bool:
        """Whether ``need`` fits. The same as lacking nothing, and much faster."""
        return self.cpus >= need.cpus and self.memory_mb >= need.memory_mb and self.disk_gb >= need.disk_gb

    def lacks(self, need: "Amounts") -> tuple[str, ...]:
        """What these amounts lack to hold ``need``, in words; empty when it fits."""
        pairs = (
            (self.cpus, need.cpus, "CPUs"),
            (self.memory_mb, need.memory_mb, "MiB memory"),
            (self.disk_gb, need.disk_gb, "GiB disk"),
        )
        return tuple(f"needs {want} {unit}, has {max(have, 0)} free" for have, want, unit in pairs if have < want)


@dataclass(frozen=True)
class MachineFacts:
    """A virtual machine on an endpoint that carries our installation's mark (for the reconciler)."""

    endpoint: str
    name: str
    instance_uuid: str
    reservation: str
    computer: str
    generation: int
    powered_on: bool
    storage: str = ""  #: where its disk is; empty: not known
    parent: str = ""  #: the disk, not its own, that its disk is made from; empty: none


@dataclass(frozen=True)
class Machines:
    """All machines of ours on one endpoint; ``error`` when it could not be asked."""

    endpoint: str
    machines: tuple[MachineFacts, ...] = field(default=())
    error: str = ""
