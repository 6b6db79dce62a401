"""What power is made of: states, commands, boot devices, the interface of a driver, and its errors."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Protocol

from vclab.model.bmc_facts import BmcFacts
from vclab.model.errors import Unreachable
from vclab.power.address import Address, Scheme


class PowerState(StrEnum):
    """What is said of the power. Unknown is never taken for off."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class Command(StrEnum):
    """What a BMC can be told."""

    ON = "on"
    OFF = "off"  #: at once, as if the plug were pulled
    SOFT_OFF = "soft off"  #: the operating system is asked
    RESET = "reset"


class BootDevice(StrEnum):
    """What a computer boots from."""

    DEFAULT = "default"  #: as its firmware is set
    DISK = "disk"
    NETWORK = "network"
    CD = "cd"
    SETUP = "setup"


@dataclass(frozen=True)
class Seen:
    """The state of the power; why it is not known, or what is wrong with it."""

    state: PowerState
    why: str = ""


@dataclass(frozen=True)
class Boot:
    """From where a computer boots: the next time only, or always. The default is always always."""

    device: BootDevice
    once: bool = True
    efi: bool = field(default=True, compare=False)  #: its firmware boots by UEFI, which IPMI is told too


@dataclass(frozen=True)
class Bmc:
    """How one computer is switched. The password lies in the secret store under ``password_ref``."""

    computer: str
    address: Address
    password_ref: str = ""
    fingerprint: str = ""  #: of Redfish: SHA-256 of its certificate, lower-case hex; pinned

    @property
    def title(self) -> str:
        """For messages, whose verb follows."""
        what = "it" if self.address.scheme is Scheme.WAKE_ON_LAN else "its BMC"
        return f"{what} ({self.address.scheme} {self.address.place})"


class LoginRefused(Unreachable):
    """The BMC refuses the user or the password. Its answer is believed for a while: BMCs lock accounts."""


class Driver(Protocol):
    """One BMC, logged in to. All methods block, and may hang: who calls them has a way to end that.

    They raise ``Unreachable`` when trying again may help, ``LoginRefused``, and ``StepFailed`` when it can't. The text
    says what the BMC does ("does not answer"): whoever calls puts before it which one.
    """

    commands: ClassVar[frozenset[Command]]
    boots: ClassVar[bool]  #: it can be told what to boot from
    has_facts: ClassVar[bool]  #: it says something of its accounts and settings
    sees_off: ClassVar[bool]  #: off is seen. Else off is a computer that does not answer, and so unknown

    def power(self) -> Seen:
        """What is said now. Nothing is changed."""

    def send(self, command: Command) -> None:
        """Tell it. That it obeys is not waited for; ``power`` shows that."""

    def boot(self) -> Boot:
        """From where the computer boots next. Nothing is changed."""

    def set_boot(self, boot: Boot) -> None:
        """Set that."""

    def listen(self, seconds: float, take: bool) -> bytes:
        """What comes on the serial console within so many seconds, from the first call on. ``take``: a session of
        somebody else is ended."""

    def facts(self) -> BmcFacts:
        """What the BMC says of its accounts and settings. Nothing is changed."""

    def close(self) -> None:
        """Log out; twice is harmless."""
