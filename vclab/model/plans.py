"""A load is a plan: recorded data, run step by step by the workflow; facts are what the steps learn."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from vclab.model.revisions import Hardware, Place, Wanted
from vclab.model.traits import Traits

_NAMESPACE = uuid.UUID("6f4f2a52-8a0c-4d37-9f5a-6a5b5f0f6c11")


@dataclass(frozen=True)
class Target:
    """The computer that a step works on, and what it is to become. Recorded; carries no secret, only references."""

    reservation: str
    computer: str  #: hostname from the identity pool, or the lab machine's name
    generation: int  #: of the tenure; goes up by one each time the computer is taken
    installation: str  #: written on all that is made; nothing without it is ever changed
    module: str  #: provisioning module: "vsphere"
    guest: str  #: OS module: "linux"; empty for a thing without an OS
    endpoint: str
    host: str
    storage: str  #: the storage pool that placement claimed disk of; empty: none
    image: str
    revision: int
    cpus: int
    memory_mb: int
    disk_gb: int
    private_mac: str
    public_mac: str
    site: str = "default"
    member: int = 0
    spare: str = ""  #: instance UUID of the machine that is there already, kept from an earlier tenure; empty: none
    traits: Traits = Traits()  #: of its module, as they were when it was placed; ``guest``: this image has one
    hardware: Hardware = Hardware()  #: that the image boots on
    dedicated: bool = False  #: its disk shares nothing with the image's copy
    isolated: bool = False  #: a throw-away computer that is sealed, with another one's keys; that is made: and MACs
    claimed_gb: int = 0  #: of its disk, which may be a child; 0: all of ``disk_gb``
    copy: str = ""  #: where the image's copy is on the storage, as its module says; empty: where its data says
    awaits_copy: bool = False  #: the copy must be made first
    kept: bool = False  #: of a computer that stays: it held this revision, clean, when it was taken
    image_data: str = ""  #: ``Image.module_data``; only the module reads it
    endpoint_data: str = ""  #: ``Endpoint.module_data``, as it was when it was placed; only the module reads it

    @property
    def instance_uuid(self) -> str:
        """The same for each attempt of this (reservation, member, tenure), so that a retry finds its own work.

        The computer is part of it: generations are counted per computer, and a reservation may take another one. A
        spare keeps the UUID that it was made with: it is the same machine, whoever has it.
        """
        if self.spare:
            return self.spare
        tenure = f"{self.computer}/{self.generation}"
        return str(uuid.uuid5(_NAMESPACE, f"{self.installation}/{self.reservation}/{self.member}/{tenure}"))

    @property
    def made_from(self) -> Wanted:
        """The copy that its disk is made from."""
        return Wanted(self.image, self.revision, Place(self.endpoint, self.storage))

    @property
    def machine_name(self) -> str:
        """The name shown on the endpoint. Never used to find the machine: names can be given twice."""
        return f"{self.computer}-{self.reservation}-g{self.generation}"


def lasting_uuid(installation: str, computer: str) -> str:
    """The instance UUID of a computer that stays and is loaded anew: the same for whoever has it."""
    return str(uuid.uuid5(_NAMESPACE, f"{installation}/{computer}"))


PUBLISHED = "endpoint"  #: a host key that the machine has published through its endpoint
GIVEN = "administrator"  #: a host key that an administrator has given


@dataclass(frozen=True)
class Facts:
    """What has been learned about the computer so far. An empty field is not known yet."""

    private_address: str = ""
    public_address: str = ""
    host_key: str = ""  #: OpenSSH public key line ("ssh-ed25519 AAAA…"), pinned at load
    host_key_from: str = ""  #: who vouches for it: PUBLISHED or GIVEN; empty: only the first contact
    published_key: str = ""  #: what the machine says through its endpoint that its host key is
    boot_id: str = ""  #: the kernel's boot id when the addresses were read
    evidence: str = ""  #: what was seen when a step failed: console lines, power state
    hardware: str = ""  #: what was found of a computer that is inspected: a ``NodeReport`` as JSON
    imaging_key: str = ""  #: host key of the imaging environment of this load, made for it
    disk: str = ""  #: that takes the image, as the imaging environment names it
    handover: str = ""  #: what a person is given where there is no guest: a URL or a path
    image_data: str = ""  #: ``Image.module_data`` of what was captured
    copy: str = ""  #: where the copy of the revision is on its storage, as its module says
    raw_sha256: str = ""  #: of all bytes of the raw copy of a computer that is captured
    disk_sha256: str = ""  #: of all bytes of the disk that becomes a revision
    disk_size: int = 0  #: its bytes
    raw_differs: int = 0  #: bytes that were written to the disk of a computer that is captured, since it was made
    sealed_differs: int = 0  #: and to the child that was sealed
    unlike: tuple[str, ...] = ()  #: of the computer that was captured: host key, machine-id, name, addresses, boot id

    def merged(self, newer: "Facts") -> "Facts":
        """These facts with all that ``newer`` knows laid over."""
        known = {f.name: getattr(newer, f.name) for f in fields(newer) if getattr(newer, f.name)}
        return replace(self, **known)


@dataclass(frozen=True)
class Whereabouts:
    """What an endpoint knows of a computer that does not answer."""

    address: str = ""  #: its private address now; empty: not known
    trouble: str = ""  #: why it can't answer, in words; empty: the endpoint sees nothing wrong
    gone: bool = False  #: it can't ever answer again
    off: bool = False  #: it can't answer before somebody switches it on


@dataclass(frozen=True)
class Evidence:
    """What could be seen of a computer when a step had failed. Its lines are short, printable and without secrets."""

    power: str = "unknown"  #: "on", "off" or "unknown"
    endpoint: tuple[str, ...] = ()  #: what its endpoint says of it, newest last
    console: tuple[str, ...] = ()  #: the computer's own last words, newest last
    missing: tuple[str, ...] = ()  #: what could not be seen, and why


class Profile(StrEnum):
    """How a step is run: its time-outs, retries and queue (workflows/profiles.py)."""

    SHORT = "short"  #: seconds of hardware work
    LONG = "long"  #: one long outside operation, e.g. a copy; on the queue for long work
    LOOK = "look"  #: waits for a fact by failing as NotYet until it is there


@dataclass(frozen=True)
class Step:
    """One step of a plan. ``name`` is forever: histories call it."""

    name: str
    title: str
    profile: Profile = Profile.SHORT
    usual_seconds: float = 0.0  #: median of past loads of this image; 0 when there is none
    in_guest: bool = False  #: its failure speaks of what runs inside the machine, so against the image too
    blames_nobody: bool = False  #: its failure speaks against neither host nor image: a person was in the way
    undo: str = ""  #: the step of a capture that puts back what this one has done; empty: nothing is to be put back
    least_seconds: float = 0.0  #: that it is given at least, for so many bytes; whatever the settings say


@dataclass(frozen=True)
class Plan:
    """What a load will do, in order, as recorded by ``make_plan``."""

    steps: tuple[Step, ...]
    status: "NodeStatus"
    facts: Facts = Facts()  #: what is known of a spare before the first step: its address and pinned host key

    @property
    def usual_seconds(self) -> float:
        """The whole load's usual seconds; 0 when a step has never been timed."""
        times = [s.usual_seconds for s in self.steps]
        return sum(times) if all(times) else 0.0

    def timed(self, medians: Mapping[str, float]) -> "Plan":
        """The plan with the medians (seconds) of past loads, by step name."""
        steps = tuple(replace(s, usual_seconds=medians.get(s.name, s.usual_seconds)) for s in self.steps)
        return replace(self, steps=steps)


class Status(StrEnum):
    """What a computer needs before it can be handed over (VCL node_status)."""

    READY = "READY"
    POST_LOAD = "POST_LOAD"
    RELOAD = "RELOAD"


@dataclass(frozen=True)
class NodeStatus:
    """What was observed of a computer. Answers are yes, no or unknown (``None``), and unknown is never taken for no."""

    status: Status = Status.RELOAD
    power: str = "unknown"  #: "on", "off" or "unknown"
    ssh: bool | None = None
    current_image: str = ""
    why: str = ""
    ping: bool | None = None  #: its address answers, whatever listens there
    boots: str = ""  #: when it asks the network (nodeset): "boot", "image" or "rescue"; empty: not known
    boots_image: str = ""  #: the image that a load has set that to (nodetype); empty: none, or not known


@dataclass(frozen=True)
class Access:
    """Who is let in to a computer. The password is a reference: its value is in the secret store only."""

    login: str
    uid: int
    public_keys: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()  #: IPv4/IPv6 addresses or prefixes from which the connect ports are open
    password_ref: str = ""
    sudo: bool = False
    ports: tuple[int, ...] = (22,)


@dataclass(frozen=True)
class Becomes:
    """The revision that a computer becomes. It has this number from the beginning, and exists only at the end."""

    capture: str  #: the capture's id
    image: str
    revision: int
    reservation: str = ""  #: whose computer is captured
    computer: str = ""
    generation: int = 0  #: of its tenure
    access: Access | None = None  #: who was let in to it: their account and files go
    boot_test: bool = True  #: it is tried on another computer before it is published
    force_off: bool = False  #: a computer that does not shut down may be powered off hard

    @property
    def password_ref(self) -> str:
        """The secret that becomes its accounts' password."""
        return f"revision/{self.image}/{self.revision}/root"

    def __str__(self) -> str:
        return f"{self.image}/{self.revision}"


@dataclass(frozen=True)
class StepInput:
    """What a step is given."""

    step: str
    title: str
    target: Target
    facts: Facts
    number: int = 0  #: this is step ``number`` of ``count``
    count: int = 0
    ceiling_seconds: float = 600.0  #: after this long since its first attempt the step is given up
    run: int = 0  #: how often an operator has had this load resumed: a step may run once more for each
    becomes: Becomes | None = None  #: of a capture's step
    part: str = ""  #: the capture and its stage; empty: a load


@dataclass(frozen=True)
class Left:
    """What is known of a computer that is taken back, and of whom its reservation let in."""

    facts: Facts
    access: Access
    opened: bool  #: access was, or may have been, opened
