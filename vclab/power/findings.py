"""What is wrong with how a BMC is guarded: warnings for administrators, from what is known and was found. Pure."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from vclab.power.address import Address, Scheme

DEFAULTS = frozenset(
    {
        ("admin", "admin"),
        ("admin", "password"),
        ("ADMIN", "ADMIN"),
        ("Administrator", "password"),
        ("root", "calvin"),
        ("root", "changeme"),
        ("root", "root"),
        ("root", "superuser"),
        ("root", "0penBmc"),
        ("USERID", "PASSW0RD"),
        ("sysadmin", "superuser"),
    }
)
"""Users and passwords that BMCs are delivered with, as their makers' manuals say."""


@dataclass(frozen=True)
class Probed:
    """What a BMC shows without a login; None is what it does not tell."""

    anonymous: bool | None = None  #: anybody may log in, without a user and a password
    nameless: bool | None = None  #: there is a user without a name, who has a password
    cipher_zero: bool | None = None  #: it agrees to a session without authentication (cipher suite 0)


def findings(
    address: Address,
    password: str,
    probed: Probed | None = None,
    tenants: Sequence[str] = (),
    found: Sequence[str] = (),
) -> list[str]:
    """Warnings, the worst first. ``tenants``: the networks that users' computers are in; ``found``: the BMC's
    addresses, if its host is a name. A password is compared, never tried at the BMC, which could lock the account."""
    warnings = [
        (probed is not None and probed.cipher_zero, _CIPHER_ZERO),
        (probed is not None and probed.anonymous, _ANONYMOUS),
        (
            _is_default(address, password),
            f"{address.user} still has the password that BMCs are delivered with: change it",
        ),
        *((True, _reachable(network)) for network in _networks_with([address.host, *found], tenants)),
        (probed is not None and probed.nameless, _NAMELESS),
        (address.scheme is Scheme.IPMI and password and len(password) < _SHORTEST, _SHORT),
    ]
    return [text for is_so, text in warnings if is_so]


_SHORTEST = 12
_CIPHER_ZERO = (
    "it accepts cipher suite 0: whoever reaches it and knows a user's name needs no password. Disable it: "
    "`ipmitool lan set 1 cipher_privs XXXaXXXXXXXXXXX`, or an update of its firmware"
)
_ANONYMOUS = "anybody may log in without a user and a password: disable user 1 (`ipmitool user disable 1`)"
_NAMELESS = "it has a user without a name: disable user 1 (`ipmitool user disable 1`)"
_SHORT = (
    f"its password has fewer than {_SHORTEST} characters: IPMI gives a hash of it to whoever asks, to be guessed from "
    "(RAKP): take a longer one, or Redfish"
)


def _is_default(address: Address, password: str) -> bool:
    return (address.user, password) in DEFAULTS or (bool(password) and password == address.user)


def _reachable(network: str) -> str:
    return f"it is in {network}, where users' computers are: move it into a network of its own"


def _networks_with(addresses: Sequence[str], networks: Sequence[str]) -> list[str]:
    parsed = [ip for ip in map(_ip, addresses) if ip is not None]
    return [text for text in networks if any(ip in ipaddress.ip_network(text, strict=False) for ip in parsed)]


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
