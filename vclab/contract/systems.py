"""For other systems that provision: which hosts there are, which operating systems each can run, and that it runs one.

The set of hosts is fixed: the administrator of the virtualization software, or of the machines, adds and removes them.
A host is a computer that exists without vclab and is loaded as a whole, or one on which virtual machines run.
"""

from enum import StrEnum

from vclab.contract.computers import Reloaded
from vclab.contract.use_case import Nothing, Question, Rule, act, get, post, read
from vclab.contract.views import View


class Kind(StrEnum):
    """What a host is."""

    COMPUTER = "computer"  #: it is loaded with an operating system as a whole
    VIRTUALIZATION = "virtualization"  #: it runs virtual machines, and stays as it is


class Host(View):
    """A host that is known."""

    host: str
    kind: Kind
    endpoint: str  #: its virtualization software, or its group
    image: str  #: what it runs, if that is known and it is a computer; empty otherwise
    revision: int
    busy: bool  #: somebody has it


class System(View):
    """An operating system: an image in its production revision."""

    image: str
    title: str
    revision: int
    module: str


class OnHost(Question):
    """A host, and its endpoint where several have a host of that name."""

    host: str
    endpoint: str = ""


class Reprovision(OnHost):
    """This operating system is to run on the host."""

    image: str
    revision: int = 0  #: 0: the one in production
    when_free: bool = False  #: also if somebody has it: then as soon as nobody does any more


hosts = read(
    "systems.hosts",
    Rule.ANYBODY,
    Nothing,
    tuple[Host, ...],
    get("/provisioning/hosts"),
    "All hosts that are known, by name.",
)


every = read(
    "systems.every",
    Rule.ANYBODY,
    Nothing,
    tuple[System, ...],
    get("/provisioning/systems"),
    "All operating systems that there are, by name.",
)


of_host = read(
    "systems.of_host",
    Rule.ANYBODY,
    OnHost,
    tuple[System, ...],
    get("/provisioning/hosts/{host}/systems"),
    "The operating systems that a host can run.",
)


reprovision = act(
    "systems.reprovision",
    Rule.KEEPERS,
    Reprovision,
    Reloaded,
    post("/provisioning/hosts/{host}/reprovision"),
    "Have a host run another operating system. What it has now is lost. Returns when it is begun, or written down.",
)
