"""Switching computers: tell the power, on, off, reset, boot device; and where a computer is switched."""

from pydantic import SecretStr

from vclab.contract.endpoints import Login
from vclab.contract.retiring import Named
from vclab.contract.use_case import Question, act, delete, get, needs, post, read
from vclab.contract.views import View
from vclab.model.access import Permission, ResourceKind
from vclab.model.power import PowerVerb


class Seen(View):
    """What was seen of a computer."""

    computer: str
    power: str  #: "on", "off" or "unknown"; empty: the boot device was asked for
    why: str  #: it is not known
    device: str  #: that it boots from next; empty: its power was asked for
    always: bool  #: not the next time only
    warnings: tuple[str, ...]  #: of how its BMC is guarded, the worst first
    lines: tuple[str, ...]  #: of its console, the last ones


class Heard(View):
    """What came on a console until now."""

    computer: str
    count: int  #: of all lines
    lines: tuple[str, ...]  #: the last ones


class Switch(Named):
    """``verb``: status, on, off, reset, boot-device, check or console."""

    verb: PowerVerb
    soft_seconds: float = 0.0  #: off: for its system to shut down, before the power is cut
    device: str = ""  #: boot-device: default, disk, network, cd or setup; empty: it is only told
    always: bool = False  #: boot-device: not the next time only
    force: bool = False  #: although somebody holds the computer
    listen_seconds: float = 0.0  #: console: for so long
    take: bool = False  #: console: whoever listens already is ended


class Switchable(Question):
    """Where a computer is switched; what is None stays."""

    bmc: str | None = None  #: ipmi://USER@HOST, redfish://USER@HOST, wol://MAC@ADDRESS/BROADCAST, or none
    fingerprint: str | None = None  #: SHA-256 of its certificate that was confirmed
    password: SecretStr | None = None  #: of its user


switch = act(
    "power.switch",
    needs(Permission.MAINTAIN, ResourceKind.COMPUTER),
    Switch,
    Seen,
    post("/computers/{name}/power"),
    "Switch a computer, or tell its power, and see it.",
    long=True,
)


heard = read(
    "power.heard",
    needs(Permission.MAINTAIN, ResourceKind.COMPUTER),
    Named,
    Heard,
    get("/computers/{name}/console"),
    "Tell what has come on a console that is listened to; nothing where nobody does.",
)


hang_up = act(
    "power.hang_up",
    needs(Permission.MAINTAIN, ResourceKind.COMPUTER),
    Named,
    Heard,
    delete("/computers/{name}/console"),
    "Listen no longer to a console.",
)


preview = read(
    "power.preview",
    needs(Permission.KEEP),
    Switchable,
    Login,
    post("/bmcs/preview"),
    "Check where a computer is to be switched, and say what the login needs.",
)
