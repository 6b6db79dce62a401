"""The computers that people get. That of a virtual machine is an identity: a host name and two MACs."""

from datetime import datetime
from typing import Any

from pydantic import Field

from vclab.contract.endpoints import Login
from vclab.contract.failures import FailedStep
from vclab.contract.power import Switchable
from vclab.contract.retiring import Disable, Named
from vclab.contract.use_case import Paged, Question, act, anybody, delete, get, needs, patch, post, put, read
from vclab.contract.views import Time, View
from vclab.model.access import Permission, ResourceKind
from vclab.model.catalog import ComputerKind
from vclab.model.states import ComputerState

MAC_PREFIX = "02:76:63"  # locally administered, and "vc" in ASCII
MOST = 4096


class Computer(View):
    """A computer as it is recorded: what it is, what it holds, and who holds it."""

    name: str
    kind: ComputerKind
    state: ComputerState
    pool: str  #: prefix of its identity pool; of a lab machine its endpoint
    private_mac: str
    public_mac: str
    image: str  #: that was loaded last; empty: unknown
    revision: int
    tainted: bool  #: somebody may have been root there since
    host_key: str
    host_key_from: str  #: who vouches for it: "endpoint", "administrator"; empty: only the first contact
    private_address: str
    public_address: str
    notes: str
    why_out_of_service: str  #: empty: it is in service
    leaving: bool  #: it goes out of service when nobody holds it any more
    why_leaving: str
    returns_at: Time | None  #: it comes back to service by itself then
    load_intent: str  #: who wants it loaded anew when nobody holds it; empty: nobody
    load_image: str  #: with that; empty: with what was loaded last
    load_revision: int  #: 0: the one in production then
    off_since: Time | None  #: it was switched off since nobody needs it, and is switched on when somebody does
    checked_at: Time | None  #: while nobody had it; or when it was entered, before the first check
    check_found: str  #: empty: it was never checked
    check_repair: str  #: what followed from that, until somebody has it again: "switched on", "reload", "maintenance"
    power: str | None  #: where it is switched; empty: by its endpoint, or not at all; null: the caller does not keep it
    power_fingerprint: str  #: of its BMC's certificate, pinned
    module: str  #: of a lab machine: its endpoint's
    module_data: dict[str, Any] | None  #: what only that module knows of it; null: it can't be read
    error: str | None  #: why the module's data can't be read
    generation: int  #: of its newest tenure; 0: nobody has held it
    holder: str  #: empty: nobody
    spare_until: Time | None  #: an unused machine is kept on it until then
    host: str  #: where that machine is


class DetailedComputer(Computer):
    """A computer with its hardware, and to keepers the background load of it that failed."""

    failure: FailedStep | None
    hardware: dict[str, Any] | None  #: as an inspection has recorded it; null: none has
    hardware_at: Time | None


class Which(Paged):
    """Which computers to list; what is empty is not asked for."""

    pool: str = ""  #: prefix of an identity pool; of lab machines their endpoint
    image: str = ""  #: that was loaded last
    state: ComputerState | None = None


class AddPool(Question):
    """A pool of identities ``<name>01, <name>02, …``. With a higher ``count`` it grows."""

    name: str
    count: int
    mac_prefix: str | None = None  #: the first three bytes; a known pool keeps its own


class AddIdentity(Named):
    """One identity."""

    private_mac: str
    public_mac: str


class Edit(Switchable, Named):
    """Changes; what is None stays."""

    maintenance: bool | None = None  #: take it out of service, or return it
    notes: str | None = None
    data: dict[str, str] = Field(default_factory=dict)  #: of a lab machine: fields of what only its module knows of it


class TakeOut(Disable):
    """Take it out of service."""

    when_free: bool = False  #: as soon as nobody holds it; until then nobody else gets it
    until: datetime | None = None  #: it comes back by itself then


class Reload(Question):
    """Load these computers. What is to be loaded: ``image``; empty: on each what was loaded last."""

    names: tuple[str, ...] = ()
    image: str = ""
    revision: int = 0  #: 0: the one in production
    when_free: bool = False  #: those that somebody holds, when nobody does any more; else they are refused


class WhichReload(Reload):
    """The same, also of all computers of a ``group`` (an endpoint) but those in maintenance: these are to be named."""

    group: str = ""


class Reloaded(View):
    """What a reload does, or would do, with one of the computers."""

    name: str
    holds: str  #: image and revision: "debian-12/4"; empty: unknown
    will_hold: str  #: the same; empty: it can't be loaded
    tainted: bool
    why_out_of_service: str  #: it returns to service when it is loaded; empty: it is in service
    holder: str  #: who has it now; empty: it is loaded at once
    until: Time | None  #: when its holder is expected to leave
    why_not: str  #: why it is refused; empty: it is not


listing = read(
    "computers.listing",
    anybody(),
    Which,
    tuple[Computer, ...],
    get("/computers"),
    "All computers, by name, with what they hold and who holds them.",
    pages="name",
)


show = read(
    "computers.show",
    anybody(),
    Named,
    DetailedComputer,
    get("/computers/{name}"),
    "One computer.",
)


add_pool = act(
    "computers.add_pool",
    needs(Permission.KEEP, ResourceKind.COMPUTER),
    AddPool,
    tuple[Computer, ...],
    put("/identity-pools/{name}"),
    "Add a pool of identities, or let it grow.",
)


add_identity = act(
    "computers.add_identity",
    needs(Permission.KEEP, ResourceKind.COMPUTER),
    AddIdentity,
    tuple[Computer, ...],
    put("/identities/{name}"),
    "Add one identity: a pool of one, with the same name.",
)


preview_edit = read(
    "computers.preview_edit",
    needs(Permission.KEEP, ResourceKind.COMPUTER),
    Edit,
    Login,
    post("/computers/{name}/preview-edit"),
    "Check changes before anybody types a password, and say what the login at the BMC needs.",
)


edit = act(
    "computers.edit",
    needs(Permission.KEEP, ResourceKind.COMPUTER),
    Edit,
    Computer,
    patch("/computers/{name}"),
    "Take a computer out of service, return it, or change its notes.",
    long=True,
)


preview_reload = read(
    "computers.preview_reload",
    needs(Permission.MAINTAIN, ResourceKind.COMPUTER, "names"),
    WhichReload,
    tuple[Reloaded, ...],
    post("/reloads/preview"),
    "Tell what a reload would do with each computer, by name. Nothing is changed.",
)


reload = act(
    "computers.reload",
    needs(Permission.MAINTAIN, ResourceKind.COMPUTER, "names"),
    Reload,
    tuple[Reloaded, ...],
    post("/reloads"),
    "Load computers anew: all of these, or none if one is refused. Returns when it is begun, or written down for "
    "those that somebody holds. Only so many are loaded at one time; the others follow.",
)


disable = act(
    "computers.disable",
    needs(Permission.MAINTAIN, ResourceKind.COMPUTER),
    TakeOut,
    Computer,
    post("/computers/{name}/disable"),
    "Take a computer out of service that nobody holds, or when nobody holds it any more.",
)


enable = act(
    "computers.enable",
    needs(Permission.MAINTAIN, ResourceKind.COMPUTER),
    Named,
    Computer,
    post("/computers/{name}/enable"),
    "Return a computer to service.",
)


remove = act(
    "computers.remove",
    needs(Permission.KEEP, ResourceKind.COMPUTER),
    Named,
    None,
    delete("/computers/{name}"),
    "Remove a computer that nothing uses. A lab machine itself stays as it is.",
)
