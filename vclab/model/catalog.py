"""What can be reserved, by whom, and where it is provisioned."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum

from vclab.model.revisions import Hardware, Origin, RevisionRecord
from vclab.model.states import ComputerState

DEFAULT_MODULE = "vsphere"
"""The module of an image or an endpoint that is added without naming one."""


class Thing(StrEnum):
    """What an administrator keeps in the catalog."""

    USER = "user"
    IMAGE = "image"
    ENDPOINT = "endpoint"
    COMPUTER = "computer"


class ComputerKind(StrEnum):
    """What a row of computers is: of a virtual machine an identity of a pool, whose host changes from load to load;
    else a machine that is there without us."""

    VIRTUAL = "virtualmachine"
    LAB = "lab"


class AfterUse(StrEnum):
    """What becomes of the computers of a group (an endpoint) after use. Lab machines are cleaned always."""

    ON = "on"  #: brought back to its image, and left on
    OFF = "off"  #: brought back to its image, and switched off until somebody needs it
    UNLOADED = "unloaded"  #: switched off as it is, and loaded when somebody needs it


@dataclass(frozen=True)
class User:
    """A person who may reserve."""

    login: str
    uid: int
    affiliation: str = "local"
    public_keys: tuple[str, ...] = ()
    zone: str = "UTC"  #: IANA time zone
    disabled_at: datetime | None = None  #: they can't reserve since then
    disabled_why: str = ""


@dataclass(frozen=True)
class Image:
    """An image in its production revision. Memory in MiB, disk in GiB."""

    name: str
    title: str
    revision: int
    module: str
    guest: str  #: OS module; empty: it has no operating system that vclab enters
    cpus: int
    memory_mb: int
    disk_gb: int
    root_access: bool = True
    ports: tuple[int, ...] = (22,)
    endpoint: str = ""  #: the only one that has it; empty: all of its module
    module_data: str = ""  #: what only its module knows of it: versioned JSON, read by nobody else
    hardware: Hardware = Hardware()  #: that it boots on
    dedicated: bool = False  #: each machine's disk is a full copy, which shares nothing
    child_factor: float = (
        0.0  #: a disk that is a child claims so much of its virtual size; 0: as the site's setting says
    )
    disabled_at: datetime | None = None  #: it can't be reserved since then
    disabled_why: str = ""

    def record(self, origin: Origin) -> RevisionRecord:
        """All that restores this revision where there is no database. ``origin``: with the time when it was made."""
        if origin.made_at is None:
            raise ValueError(f"nobody knows when {self.name} revision {self.revision} was made")
        own = ("title", "module", "guest", "cpus", "memory_mb", "hardware", "dedicated", "child_factor", "module_data")
        given = {name: getattr(self, name) for name in own} | {f.name: getattr(origin, f.name) for f in fields(origin)}
        return RevisionRecord(image=self.name, revision=self.revision, **given)


@dataclass(frozen=True)
class Endpoint:
    """Something that provisions: a vCenter or an ESXi. The password is in the secret store under ``password_ref``."""

    name: str
    module: str
    url: str
    username: str
    password_ref: str
    fingerprint: str  #: SHA-256 of its TLS certificate, lower-case hex; pinned
    site: str = "default"
    cpu_overcommit: float = 4.0  #: virtual CPUs per hardware thread
    memory_reserve_mb: int = 1024  #: left to the hypervisor
    module_data: str = ""  #: what only its module knows of it: versioned JSON, read by nobody else
    after_use: AfterUse = AfterUse.ON  #: of a group of computers that are lent
    disabled_at: datetime | None = None  #: nothing is placed at it since then
    disabled_why: str = ""


@dataclass(frozen=True)
class Identity:
    """One entry of an identity pool: what a virtual machine is called and which addresses its cards have."""

    name: str
    private_mac: str
    public_mac: str


@dataclass(frozen=True)
class IdentityPool:
    """Identities ``<prefix>01 … <prefix>NN`` with MACs below ``mac_prefix`` (first three bytes)."""

    prefix: str
    count: int
    mac_prefix: str = "02:76:63"
    identities: tuple[Identity, ...] = field(default=())


@dataclass(frozen=True)
class LabEntry:
    """What is entered of a lab machine. What is empty stays as it is; of a new one, the endpoint is needed."""

    name: str
    endpoint: str = ""  #: the group of machines that it belongs to
    address: str = ""  #: its private one
    host_key: str = ""  #: to be pinned; none: the key of the first contact
    private_mac: str = ""  #: it is only accepted with that network card; one that is loaded boots from it
    public_mac: str = ""
    module_data: str | None = None  #: None: it stays

    @property
    def macs(self) -> set[str]:
        """Those that are given."""
        return {self.private_mac, self.public_mac} - {""}


@dataclass(frozen=True)
class Computer:
    """A computer as recorded: what it is, what it holds, and who holds it."""

    name: str
    kind: ComputerKind
    state: ComputerState
    pool: str = ""  #: prefix of its identity pool; of a lab machine the endpoint (group of machines) that it belongs to
    private_mac: str = ""
    public_mac: str = ""
    image: str = ""  #: what was last loaded completely; empty: unknown
    revision: int = 0
    tainted: bool = False
    host_key: str = ""
    host_key_from: str = ""  #: who vouches for it; empty: only the first contact
    private_address: str = ""
    public_address: str = ""
    notes: str = ""  #: people's own
    why_out_of_service: str = ""  #: empty: it is in service
    leaving: bool = False  #: it goes out of service when nobody holds it any more
    why_leaving: str = ""
    returns_at: datetime | None = None  #: it comes back to service by itself then
    load_intent: str = ""  #: who wants it loaded anew when nobody holds it; empty: nobody
    load_image: str = ""  #: with that; empty: with what was loaded last
    load_revision: int = 0  #: 0: the one in production then
    off_since: datetime | None = (
        None  #: it was switched off since nobody needs it, and is switched on when somebody does
    )
    checked_at: datetime | None = None  #: while nobody had it; or when it was entered, before the first check
    check_found: str = ""  #: empty: it was never checked
    check_repair: str = ""  #: what followed from that, until somebody has it again
    power: str = ""  #: where it is switched (vclab.power.address); empty: by its endpoint, or not at all
    power_fingerprint: str = ""  #: of its BMC's certificate, pinned
    hardware: str = ""  #: the record of its hardware, by an inspection: a ``NodeReport`` as JSON; empty: there is none
    hardware_at: datetime | None = None  #: when that was found
    module: str = ""  #: of a lab machine: its endpoint's; empty: that of whichever image it gets
    module_data: str = ""  #: what only that module knows of it: versioned JSON, read by nobody else
    generation: int = 0  #: of its newest tenure; 0: never held
    holder: str = ""  #: who holds it now; empty: nobody
    spare_until: datetime | None = None  #: a machine that nobody has used is kept on it for the next until then
    host: str = ""  #: where that machine is
