"""A kind of provisioning module: what is known before any of its libraries is imported."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from vclab.fake_world import World
from vclab.model.catalog import Computer, Endpoint
from vclab.model.plans import Becomes, Target
from vclab.model.power import PowerAddress
from vclab.model.revisions import RevisionRecord
from vclab.model.steps import StepContext
from vclab.model.traits import Traits
from vclab.provisioning.base import ProvisioningModule
from vclab.provisioning.data import ModuleData, NoData
from vclab.provisioning.enquiry import Enquiry

if TYPE_CHECKING:
    from vclab.netboot.dnsmasq import Network
    from vclab.power.control import Power


@dataclass(frozen=True)
class Metal:
    """What a site's worker drives bare metal with. What it calls blocks."""

    power: "Power"
    network: "Network | None"  #: the provisioning network; None: this worker has none
    shared: bool  #: tenants are in it, so that nobody can tell who answers there
    ssh_key: Path  #: the management node's, which the imaging environment lets in
    switched: Callable[[str], PowerAddress]  #: where a computer is switched, by its name
    repositories: Callable[[Target], Sequence[Path]]  #: folders that have a target's revision
    all_repositories: Callable[[], Sequence[Path]]  #: all folders of the site
    captured: Callable[[Becomes], RevisionRecord]  #: the record of what is captured; its content is not known
    streams_at_once: int  #: from one repository


@dataclass(frozen=True)
class Surroundings:
    """What the composition root plugs in. All of it blocks, and is asked each time."""

    installation: str  #: written on all that is made
    endpoints: Callable[[str], Endpoint]  #: an endpoint's entry, by name
    password: Callable[[Endpoint], str]  #: that of an endpoint, if it was entered for its URL and certificate
    group: Callable[[str], Sequence[Computer]]  #: the computers of an endpoint whose computers are lent
    why_not_free: Callable[[Computer], str]  #: who is logged in at a lent computer; "" if nobody is
    sanitize: Callable[
        [Target, Callable[[], None]], None
    ]  #: fenced: remove what the users of a target's tenure left, and verify
    wake: Callable[[Computer, StepContext], None]  #: fenced: have a lent computer on that can be switched
    metal: Metal | None = None  #: None: nothing of bare metal is driven from here
    calls_at_once: int = 4  #: calls under way to one endpoint
    dhcp_leases: Path | None = None  #: dnsmasq's lease file
    world: World = field(default_factory=World)  #: what pretended modules act on


class Need(StrEnum):
    """What a module may have to know of each computer that it lends."""

    MAC = "mac"  #: of the card that it boots from
    ADDRESS = "address"  #: its private one
    BMC = "bmc"  #: which tells it what to boot from


@dataclass(frozen=True)
class Kind:
    """An entry of the registry. ``build`` and ``enquiry`` import the driver, and so may take a second."""

    name: str  #: that ``Image.module`` and ``Endpoint.module`` have
    traits: Traits
    build: Callable[[Surroundings], ProvisioningModule]
    image_data: type[ModuleData] = NoData  #: what it must know of its images
    endpoint_data: type[ModuleData] = NoData  #: of its endpoints
    computer_data: type[ModuleData] = NoData  #: and of each computer that it lends
    computer_needs: tuple[Need, ...] = ()  #: without which none of these can be added
    enquiry: Callable[[], Enquiry] | None = None  #: how an endpoint is asked; None: there is nothing to log in to
    choices: Mapping[str, Callable[[], Collection[str]]] = field(default_factory=dict)
    """Fields of the image data whose values the module's library lists, and how they are listed."""
    pretended: bool = False  #: for rehearsals: offered only where the settings switch the pretended world on
