"""Values that are written into configurations and scripts: what is not exactly as it should be is refused.

No line that is rendered of them can hold a second one, or a word of its own: none of them has a blank, a comma, a quote
or anything else that dnsmasq, iPXE, GRUB or the kernel's command line would take for more than a letter.
"""

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vclab.model import reported
from vclab.model.errors import Invalid, Refused

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOAD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class State(StrEnum):
    """What a machine boots when it asks the network (the seeds' nodeset)."""

    BOOT = "boot"  #: nothing: it goes on to its next boot device, the disk
    IMAGE = "image"  #: the imaging environment, for a load or a capture
    RESCUE = "rescue"  #: the imaging environment, for an administrator: vclab does nothing there


def state(text: str) -> State:
    """The state of that name. Raises ``Refused`` for ``install``, ``Invalid`` for anything else."""
    if text == "install":
        raise Refused(
            "a machine can't be set to install: vclab writes whole images to disks and runs no installer",
            "use image; to make a first image, install a machine by other means and capture it",
        )
    try:
        return State(text)
    except ValueError:
        raise Invalid(f"there is no state {text[:40]!r}", f"say one of {', '.join(State)}") from None


@dataclass(frozen=True)
class Node:
    """A machine of the provisioning network. Raises ``Invalid``, as all of this module's classes and functions."""

    mac: str  #: of the card it boots from, in lower case with colons
    name: str  #: its host name
    address: str = ""  #: IPv4; needed where the DHCP server is ours

    def __post_init__(self) -> None:
        mac(self.mac)
        _expect(_NAME.fullmatch(self.name), "host name", self.name)
        if self.address:
            address(self.address)


def mac(text: str) -> str:
    """The MAC of one card, lower case, with colons."""
    return _expect(text.isascii() and reported.mac(text) == text, "MAC (lower case, with colons)", text)


def hyphened(text: str) -> str:
    """The MAC as dnsmasq names directories, and as PXE's BOOTIF has it after "01-"."""
    return mac(text).replace(":", "-")


def address(text: str) -> str:
    """The IPv4 address of one computer."""
    right = reported.address(text) == text and ":" not in text
    return _expect(right, "IPv4 address of a computer", text)


def network(text: str) -> ipaddress.IPv4Interface:
    """An address with the length of its network's prefix: 10.78.0.1/24."""
    try:
        found = ipaddress.IPv4Interface(text if text.isascii() else "")
    except ValueError:
        found = None
    right = found is not None and str(found) == text and 8 <= found.network.prefixlen <= 30
    _expect(right, "IPv4 address with a prefix from /8 to /30", text)
    assert found is not None
    own = (found.network.network_address, found.network.broadcast_address)
    _expect(found.ip not in own and address(str(found.ip)), "address of a computer in its network", text)
    return found


def interface(text: str) -> str:
    """The name of a network card of this machine."""
    return _expect(_INTERFACE.fullmatch(text), "name of a network card", text)


def load(text: str) -> str:
    """What people and logs call a load by."""
    return _expect(_LOAD.fullmatch(text), "name of a load (letters, digits, dots, hyphens, underscores)", text)


def directory(path: Path) -> Path:
    """An absolute path without links upwards, of plain letters."""
    parts = path.parts[1:]
    right = path.is_absolute() and bool(parts) and all(_FILE.fullmatch(part) for part in parts)
    _expect(right, "absolute path of letters, digits, dots, hyphens and underscores", str(path))
    return path


def _expect(right: object, what: str, text: str) -> str:
    if not right:
        raise Invalid(f"{text[:80]!r} is not a {what}")
    return text
