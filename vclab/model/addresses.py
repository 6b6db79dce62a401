"""From where somebody is let in: addresses and prefixes of both families."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from vclab.model.errors import Invalid, Refused
from vclab.model.typed import quoted

WIDEST = {4: 8, 6: 16}
"""The shortest prefix that a computer is opened to, by IP version."""


def newest_last(known: Sequence[str], *pressed: str) -> tuple[str, ...]:
    """The known addresses with those from which Connect was pressed since at the end."""
    return (*(address for address in known if address not in pressed), *pressed)


def left(acknowledged: Sequence[str], seen: Iterable[str]) -> tuple[str, ...]:
    """Those of the acknowledged addresses or prefixes from which nobody of the ``seen`` is connected.

    Never the newest one, which stands last: whoever pressed Connect there may be on their way.
    """
    addresses = [ipaddress.ip_address(address) for address in seen]
    gone = []
    for text in acknowledged[:-1]:
        network = ipaddress.ip_network(text, strict=False)
        if not any(address in network for address in addresses):
            gone.append(text)
    return tuple(gone)


def as_seen(peer: str) -> str:
    """The address of a peer as people write it: an IPv4 address inside IPv6 is that; empty when it is no address."""
    try:
        found = ipaddress.ip_address(peer)
    except ValueError:
        return ""
    return str(getattr(found, "ipv4_mapped", None) or found)


def is_wider(text: str, shortest: Mapping[int, int]) -> bool:
    """Whether an address or prefix is wider than the shortest prefix of its IP version."""
    network = ipaddress.ip_network(text, strict=False)
    return network.prefixlen < shortest[network.version]


def is_within(inner: str, prefixes: Iterable[str]) -> bool:
    """Whether an address or prefix lies in one of these prefixes."""
    network = ipaddress.ip_network(inner, strict=False)
    for text in prefixes:
        outer = ipaddress.ip_network(text)
        same = outer.version == network.version and network.prefixlen >= outer.prefixlen
        if same and network.network_address in outer:
            return True
    return False


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


def counted(peer: str) -> str:
    """By what a peer is counted who asks, or tries: of IPv6 the /64, in which one customer has all addresses; what is
    no address is counted as it is."""
    try:
        found = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    plain = getattr(found, "ipv4_mapped", None) or found
    return str(plain if plain.version == 4 else ipaddress.IPv6Network((int(plain), 64), strict=False))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """What is meant; an IPv4 address inside IPv6 is that IPv4 address. Raises ``Invalid``."""
    try:
        given = ipaddress.ip_interface(text.strip())
        mapped = getattr(given.ip, "ipv4_mapped", None)
        return ipaddress.ip_network(mapped) if mapped and given.network.prefixlen == 128 else given.network
    except ValueError:
        hint = "write one like 192.0.2.7, 2001:db8::7 or 192.0.2.0/24"
        raise Invalid(f"{quoted(text)} is not an IP address or prefix", hint) from None
