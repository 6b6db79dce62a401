"""Addresses that a computer may be opened to."""

import ipaddress

from vclab.model.errors import Invalid, Refused
from vclab.service.finding import quoted

WIDEST = {4: 8, 6: 16}
"""The shortest prefix that a computer is opened to, by IP version."""


def checked_address(text: str) -> str:
    """An IPv4 or IPv6 address or prefix in its shortest form. Raises ``Invalid``; ``Refused`` for one too wide."""
    network = _network(text)
    base = network.network_address
    if network.prefixlen < WIDEST[network.version]:
        raise Refused(
            f"{network} is too wide to open a computer to", f"use /{WIDEST[network.version]} or a longer prefix"
        )
    if "%" in text or base.is_multicast or base.is_unspecified or base.is_loopback:
        raise Refused(f"nobody can connect from the address {quoted(text)}", "name another one (--from ADDRESS)")
    return str(base) if network.prefixlen == base.max_prefixlen else str(network)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """What is meant; an IPv4 address inside IPv6 is that IPv4 address. Raises ``Invalid``."""
    try:
        given = ipaddress.ip_interface(text.strip())
        mapped = getattr(given.ip, "ipv4_mapped", None)
        return ipaddress.ip_network(mapped) if mapped and given.network.prefixlen == 128 else given.network
    except ValueError:
        hint = "write one like 192.0.2.7, 2001:db8::7 or 192.0.2.0/24"
        raise Invalid(f"{quoted(text)} is not an IP address or prefix", hint) from None
