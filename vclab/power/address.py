"""Where a computer is switched, as text, which never holds a password.

| address | means |
|---|---|
| ``ipmi://USER@HOST[:PORT]`` | IPMI 2.0 over LAN, port 623 |
| ``redfish://USER@HOST[:PORT][/redfish/v1/Systems/ID]`` | Redfish, port 443; without a path the BMC has one system |
| ``wol://MAC@ADDRESS[:PORT]/BROADCAST[:PORT]`` | on is who accepts SSH there; the packet goes to BROADCAST, port 9 |
| ``none`` | it is switched by hand |
"""

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from vclab.model import reported
from vclab.model.errors import Refused

LONGEST = 300
"""Characters of an address."""
LONGEST_USER = 16
"""Characters of an IPMI user (IPMI 2.0, table 22-28); Redfish allows more, but BMCs share the accounts of both."""

_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*\.?")
_USER = re.compile(r"[A-Za-z0-9_.+-]+")
_SYSTEM = re.compile(r"/redfish/v1/Systems/[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")


class Scheme(StrEnum):
    """The drivers."""

    IPMI = "ipmi"
    REDFISH = "redfish"
    WAKE_ON_LAN = "wol"
    NONE = "none"


_PORTS = {Scheme.IPMI: 623, Scheme.REDFISH: 443, Scheme.WAKE_ON_LAN: 22}
_DISCARD = 9  #: the port that wake-on-LAN packets are usually sent to; nobody listens there


@dataclass(frozen=True)
class Address:
    """A parsed address; made by ``parse`` only."""

    scheme: Scheme
    host: str = ""
    port: int = 0
    user: str = ""
    system: str = ""  #: of Redfish: the path of the system; empty: its only one
    mac: str = ""  #: of wake-on-LAN
    broadcast: str = ""  #: of wake-on-LAN: where the packet goes
    broadcast_port: int = 0

    @property
    def place(self) -> str:
        """Host and port as in a URL. Everything behind it is one BMC."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def place_of_power(self) -> str:
        """What is switched, whoever logs in for that: no two computers have the same. Empty: nothing."""
        if self.scheme is Scheme.NONE:
            return ""
        return self.mac if self.scheme is Scheme.WAKE_ON_LAN else f"{self.scheme}://{self.place}{self.system}"

    def __str__(self) -> str:
        """As ``parse`` takes it."""
        if self.scheme is Scheme.NONE:
            return self.scheme
        if self.scheme is Scheme.WAKE_ON_LAN:
            packet = f"{self.broadcast}:{self.broadcast_port}"
            return f"{self.scheme}://{self.mac.replace(':', '-')}@{self.place}/{packet}"
        return f"{self.scheme}://{self.user}@{self.place}{self.system}"


def parse(text: str) -> Address:
    """The address. Raises ``Refused`` with the reason; a password that stands in the text is not repeated."""
    if text == Scheme.NONE:
        return Address(Scheme.NONE)
    if len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise Refused(f"a power address is one word of at most {LONGEST} ASCII characters")
    name, _, rest = text.partition("://")
    if name not in _PORTS or not rest:
        known = "ipmi://USER@HOST, redfish://USER@HOST, wol://MAC@ADDRESS/BROADCAST and none"
        raise Refused("this is not a power address", f"there are {known}")
    scheme = Scheme(name)
    who, at, where = rest.rpartition("@")
    if not at:
        raise Refused(f"the power address has no {'MAC' if scheme is Scheme.WAKE_ON_LAN else 'user'}", _usage(scheme))
    place, slash, path = where.partition("/")
    host, port = _place(place, _PORTS[scheme])
    if scheme is Scheme.WAKE_ON_LAN:
        return _wake_on_lan(who, host, port, path)
    return Address(scheme, host, port, _user(who), _system(scheme, slash + path))


def _usage(scheme: Scheme) -> str:
    return {
        Scheme.IPMI: "write ipmi://USER@HOST[:PORT]",
        Scheme.REDFISH: "write redfish://USER@HOST[:PORT][/redfish/v1/Systems/ID]",
        Scheme.WAKE_ON_LAN: "write wol://MAC@ADDRESS[:PORT]/BROADCAST[:PORT], for example …/10.1.255.255",
    }[scheme]


def _place(text: str, usual: int) -> tuple[str, int]:
    host, colon, number = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, number = text, str(usual)
    port = reported.number(number, 65535)
    if not port:
        raise Refused("the port of a power address is a number from 1 to 65535")
    if host.startswith("[") and host.endswith("]"):
        return _ip(host[1:-1], 6), port
    if re.fullmatch(r"[0-9.]+", host):
        return _ip(host, 4), port
    if not _HOST.fullmatch(host):
        raise Refused("the host of a power address is a name, an IPv4 address, or an IPv6 address in brackets")
    return host.lower().rstrip("."), port


def _ip(text: str, version: int) -> str:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        found = None
    if found is None or found.version != version or "%" in text:
        raise Refused("the host of a power address is not a valid IP address")
    if found.is_multicast or found.is_unspecified:
        raise Refused(f"{found} is not the address of one computer")
    return str(found)


def _user(text: str) -> str:
    if ":" in text:
        raise Refused("a power address has no password", "it is asked for, and kept in the secret store")
    if len(text) > LONGEST_USER or not _USER.fullmatch(text):
        raise Refused(f"a BMC's user has 1 to {LONGEST_USER} letters, digits, and . _ + -")
    return text


def _system(scheme: Scheme, path: str) -> str:
    if path in ("", "/"):
        return ""
    if scheme is not Scheme.REDFISH:
        raise Refused("an IPMI address has no path", _usage(scheme))
    if not _SYSTEM.fullmatch(path):
        raise Refused("the path of a Redfish address is /redfish/v1/Systems/ID")
    return path


def _wake_on_lan(who: str, host: str, port: int, path: str) -> Address:
    mac = reported.mac(who)
    if not mac:
        raise Refused("this is not the MAC of a network card", _usage(Scheme.WAKE_ON_LAN))
    if not path:
        raise Refused("a wake-on-LAN address names the network's broadcast address", _usage(Scheme.WAKE_ON_LAN))
    broadcast, packet_port = _place(path, _DISCARD)
    if not re.fullmatch(r"[0-9.]+", broadcast):
        raise Refused("a wake-on-LAN packet is sent to an IPv4 address", _usage(Scheme.WAKE_ON_LAN))
    return Address(Scheme.WAKE_ON_LAN, host, port, "", "", mac, broadcast, packet_port)
