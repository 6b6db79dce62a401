"""Switching a computer that somebody asks for: the workflow's input, what it is carried out with, and the answer."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from vclab.model.plans import Target
from vclab.model.traits import Operation, Traits


class PowerVerb(StrEnum):
    """What can be asked for."""

    STATUS = "status"
    ON = "on"
    OFF = "off"
    RESET = "reset"
    BOOT_DEVICE = "boot-device"
    CHECK = "check"  #: the power, and what is wrong with how its BMC is guarded
    CONSOLE = "console"  #: what comes on its serial console

    @property
    def operation(self) -> Operation | None:
        """Of a provisioning module whose endpoint switches its computers; None: it has no such."""
        return {
            PowerVerb.STATUS: Operation.POWER_STATUS,
            PowerVerb.ON: Operation.POWER_ON,
            PowerVerb.OFF: Operation.POWER_OFF,
            PowerVerb.RESET: Operation.POWER_RESET,
        }.get(self)


@dataclass(frozen=True)
class Switch:
    """Tell or change the power of a computer, or what it boots from."""

    computer: str
    verb: PowerVerb
    soft_seconds: float = 0.0  #: off: for its system to shut down, before the power is cut
    device: str = ""  #: boot-device: that one; empty: it is only told
    always: bool = False  #: boot-device: not the next time only
    forced: bool = False  #: although somebody holds the computer
    intent: str = ""
    listen_seconds: float = 0.0  #: console: for so long
    take: bool = False  #: console: a session of somebody else is ended

    @property
    def changes(self) -> bool:
        """Whether anything is changed."""
        reads = PowerVerb.STATUS, PowerVerb.CHECK, PowerVerb.CONSOLE
        return self.verb not in reads and (self.verb is not PowerVerb.BOOT_DEVICE or bool(self.device))


@dataclass(frozen=True)
class PowerAddress:
    """Where a computer is switched. Its password is among the secrets, under ``password_ref``."""

    address: str = ""  #: as ``vclab.power.address`` reads it; empty: by its endpoint, or not at all
    password_ref: str = ""
    fingerprint: str = ""  #: of Redfish: SHA-256 of its certificate; pinned


def can_be_switched(address: str, traits: Traits) -> bool:
    """Whether a computer can be switched off and on again: at its own address, else by its endpoint."""
    if address:
        return address != "none"
    return traits.can(Operation.POWER_ON) and traits.can(Operation.POWER_OFF)


def network_of(address: str) -> str:
    """The network of a BMC's address, of which not too much is asked at one time: the /24 (of IPv6 the /64), else the
    host's name. Empty where there is none."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return ""
    with suppress(ValueError):
        found = ip_address(host)
        return str(ip_network((found, 24 if found.version == 4 else 64), strict=False))
    return host


@dataclass(frozen=True)
class PowerOrder:
    """Carry that out, at a site."""

    switch: Switch
    site: str
    at: PowerAddress
    target: Target | None = None  #: of a computer that its endpoint switches
    generation: int = 0  #: of the tenure under which it is changed; 0: under none


@dataclass(frozen=True)
class PowerSeen:
    """What was seen then."""

    power: str = ""  #: "on", "off" or "unknown"
    why: str = ""  #: it is not known
    device: str = ""
    always: bool = False
    warnings: tuple[str, ...] = ()  #: the worst first
    lines: tuple[str, ...] = ()  #: of its console, the last ones


MOST_LINES = 300
"""Of a console that are told at one time."""


def console_text(count: int, lines: Sequence[str]) -> str:
    """What came on a console until now, as the text of a step's progress: how many lines, and the last ones."""
    return "\n".join((f"{count} lines", *lines[-MOST_LINES:]))


def console_lines(text: str) -> tuple[int, tuple[str, ...]]:
    """Back from that; nothing where it is another text."""
    first, *lines = text.split("\n")
    count = first.removesuffix(" lines")
    return (int(count), tuple(lines)) if count.isdecimal() and len(count) < 15 else (0, ())
