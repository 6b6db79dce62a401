"""Hosts out of service: list, rest, wake. Nothing is placed on a host while it rests."""

from vclab.contract.failures import RestingHost
from vclab.contract.use_case import Nothing, Question, act, anybody, get, needs, post, read
from vclab.contract.views import View
from vclab.model.access import Permission


class Host(View):
    """A host after it was woken."""

    endpoint: str
    host: str
    rests: bool


class KnownHost(View):
    """A host on which something was placed, or may be."""

    endpoint: str
    host: str


class Named(Question):
    """A host: its name, or ENDPOINT/HOST where several have that name."""

    name: str


class Rest(Named):
    """``reason`` is shown to users."""

    reason: str = "maintenance"


listing = read(
    "hosts.listing",
    anybody(),
    Nothing,
    tuple[RestingHost, ...],
    get("/hosts/resting"),
    "All hosts out of service, with why and when they are checked.",
)


names = read(
    "hosts.names",
    anybody(),
    Nothing,
    tuple[KnownHost, ...],
    get("/hosts"),
    "All hosts that endpoints have reported.",
)


rest = act(
    "hosts.rest",
    needs(Permission.MAINTAIN),
    Rest,
    RestingHost,
    post("/hosts/rest"),
    "Place nothing on a host until it is woken. What runs there goes on.",
)


wake = act(
    "hosts.wake",
    needs(Permission.MAINTAIN),
    Named,
    Host,
    post("/hosts/wake"),
    "Return a host to service at once. The loads that failed on it no longer count.",
)
