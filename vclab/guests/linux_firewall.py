"""The computer's own firewall: one nftables table, replaced whole, in one transaction, and read back.

Everything that comes in is dropped but: the management node to SSH, the user's addresses to the connect ports,
ICMP, DHCP, and answers to what the computer itself asked. The connect-port rules stand before the one for
established connections, so that closing access also ends the sessions that are open. What the users' addresses send on
established connections is noted with its time: a session that was over before the next look has been one all the same.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from vclab.guests.ssh import Shell
from vclab.model import reported
from vclab.model.errors import StepFailed

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_RULES = """\
table inet vclab
delete table inet vclab
table inet vclab {{
{sets}
    set recent4 {{ type ipv4_addr; size 65535; flags dynamic,timeout; timeout 1h; }}
    set recent6 {{ type ipv6_addr; size 65535; flags dynamic,timeout; timeout 1h; }}
    chain input {{
        type filter hook input priority filter; policy drop;
        iif lo accept
        tcp dport 22 ip saddr @management4 accept
        tcp dport 22 ip6 saddr @management6 accept
        ct state established ct direction original tcp dport @ports ip saddr @users4 update @recent4 {{ ip saddr }}
        ct state established ct direction original tcp dport @ports ip6 saddr @users6 update @recent6 {{ ip6 saddr }}
        ct direction original tcp dport @ports ip saddr @users4 accept
        ct direction original tcp dport @ports ip6 saddr @users6 accept
        ct state established ct direction original tcp dport @ports reject with tcp reset
        ct direction original tcp dport @ports drop
        ct state established,related accept
        meta l4proto {{ icmp, ipv6-icmp }} accept
        udp sport 67 udp dport 68 accept
        udp sport 547 udp dport 546 accept
    }}
}}
"""

_RECENT = ("recent4", "recent6")

_APPLY = """umask 077
mkdir -p /etc/vclab
printf '%s\\n' "$input" > /etc/vclab/firewall.new
nft -f /etc/vclab/firewall.new
mv -f /etc/vclab/firewall.new /etc/vclab/firewall.nft
# What is not let in any more also ends here, else it would look connected for hours. Old kernels can't (it is dead
# all the same, by the rules).
ss -HKtn state established "$@" > /dev/null 2>&1 || true
nft -j list table inet vclab
"""

_AT_BOOT = """load="$(command -v nft) -f /etc/vclab/firewall.nft"
if [ -x /lib/systemd/systemd ]; then
    cat > /etc/systemd/system/vclab-firewall.service <<UNIT
[Unit]
Description=vclab firewall, as it was before the boot
DefaultDependencies=no
After=local-fs.target nftables.service
Before=network-pre.target
Wants=network-pre.target
ConditionPathExists=/etc/vclab/firewall.nft
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$load
[Install]
WantedBy=sysinit.target
UNIT
    mkdir -p /etc/systemd/system/sysinit.target.wants
    ln -sf ../vclab-firewall.service /etc/systemd/system/sysinit.target.wants/vclab-firewall.service
elif command -v update-rc.d > /dev/null; then
    cat > /etc/init.d/vclab-firewall <<INIT
#!/bin/sh
### BEGIN INIT INFO
# Provides: vclab-firewall
# Required-Start: \\$local_fs
# Required-Stop:
# X-Start-Before: ssh
# Default-Start: 2 3 4 5
# Default-Stop:
# Short-Description: vclab firewall, as it was before the boot
### END INIT INFO
[ "\\$1" != start ] || [ ! -e /etc/vclab/firewall.nft ] || exec $load
INIT
    chmod 755 /etc/init.d/vclab-firewall
    update-rc.d vclab-firewall defaults > /dev/null
fi
"""


def networks(addresses: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and prefixes, IPv4 and IPv6, as disjoint networks. Raises ``StepFailed`` for anything else."""
    found: list[Network] = []
    for text in addresses:
        try:
            network = ipaddress.ip_network(text.replace("%", "?"), strict=False)  # no zones: they mean nothing there
        except ValueError:
            raise StepFailed(f"{text!r} is neither an address nor a prefix") from None
        mapped = network.network_address.ipv4_mapped if network.version == 6 and network.prefixlen == 128 else None
        found.append(ipaddress.ip_network(mapped) if mapped else network)
    four = ipaddress.collapse_addresses(n for n in found if isinstance(n, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(n for n in found if isinstance(n, ipaddress.IPv6Network))
    return (*four, *six)


def contains(known: Iterable[Network], address: str) -> bool:
    """Whether the address lies in one of the networks."""
    return any(ipaddress.ip_address(address) in network for network in known)


@dataclass(frozen=True)
class Firewall:
    """Who is let in to what."""

    management: tuple[Network, ...]
    users: tuple[Network, ...] = ()
    ports: tuple[int, ...] = (22,)

    def sets(self) -> dict[str, tuple[str, frozenset[str]]]:
        """Type and elements of each nftables set."""
        wrong = [port for port in self.ports if not 0 < port < 65536]
        if wrong:
            raise StepFailed(f"{wrong[0]} is not a TCP port")
        return {
            "management4": ("ipv4_addr", _of_version(self.management, 4)),
            "management6": ("ipv6_addr", _of_version(self.management, 6)),
            "users4": ("ipv4_addr", _of_version(self.users, 4)),
            "users6": ("ipv6_addr", _of_version(self.users, 6)),
            "ports": ("inet_service", frozenset(map(str, self.ports))),
        }

    def text(self) -> str:
        """The rule set for ``nft -f``."""
        return _RULES.format(sets="\n".join(_set(name, *rest) for name, rest in self.sets().items()))

    def strangers(self) -> list[str]:
        """The filter for ``ss`` that finds connections to the connect ports which are not let in."""
        ports = " or ".join(f"sport = :{port}" for port in self.ports) or "sport = :22"
        let_in = (*networks(["127.0.0.0/8", "::1"]), *self.management, *self.users)
        written = (f"[{network}]" if network.version == 6 else str(network) for network in let_in)
        return [f"( {ports} )", *(word for network in written for word in ("and", "not", "dst", network))]


def _of_version(known: Iterable[Network], version: int) -> frozenset[str]:
    return frozenset(str(n) for n in known if n.version == version)


def _set(name: str, kind: str, elements: frozenset[str]) -> str:
    flags = "" if kind == "inet_service" else " flags interval; auto-merge;"
    content = f" elements = {{ {', '.join(sorted(elements))} }}" if elements else ""
    return f"    set {name} {{ type {kind};{flags}{content} }}"


async def apply(shell: Shell, firewall: Firewall) -> None:
    """Replace the computer's rules by these, and see that they stand. Raises ``StepFailed`` if they do not."""
    answer = await shell.act("set the firewall", _APPLY, *firewall.strangers(), text=firewall.text())
    wrong = differences(firewall, answer)
    if wrong:
        raise StepFailed(f"the firewall at {shell.address} is not as it was set: {', '.join(wrong)}")


async def restore_at_boot(shell: Shell) -> None:
    """Have systemd or System V init restore the rules before anybody can come in."""
    await shell.act("have the firewall restored at boot", _AT_BOOT)


def differences(firewall: Firewall, listing: str) -> list[str]:
    """What ``nft -j list table`` shows otherwise than it should be; empty when all is well."""
    objects = _objects(listing)
    found = _found(objects)
    wrong = [name for name, (_, wanted) in firewall.sets().items() if found.get(name) != wanted]
    chains = _named(objects, "chain")
    if not any(chain.get("hook") == "input" and chain.get("policy") == "drop" for chain in chains):
        wrong.append("input is not dropped")
    return wrong


def open_to(listing: str) -> tuple[Network, ...] | None:
    """To whom the connect ports are open by ``nft -j list table``; None when our table is not there, or unreadable."""
    found = _found(_objects(listing))
    if "users4" not in found or "users6" not in found:
        return None
    try:
        return networks(found["users4"] | found["users6"])
    except StepFailed:
        return None


def recent(listing: str, within: float) -> set[str]:
    """Addresses that used an established connection in the last ``within`` seconds (at most an hour)."""
    sets = [item for item in _named(_objects(listing), "set") if item.get("name") in _RECENT]
    noted = [each["elem"] for found in sets for each in reported.objects(found, "elem") if "elem" in each]
    ages = [(reported.address(e.get("val")), _age(e)) for e in reported.objects(noted)]
    return {address for address, age in ages if address and age <= within}


def _age(element: Mapping[str, Any]) -> int:
    """Seconds since it was noted; what is not told is taken for now."""
    expires = reported.number(element.get("expires"), 3600)
    return (reported.number(element.get("timeout"), 3600) or 3600) - (3600 if expires is None else expires)


def _objects(listing: str) -> list[Mapping[str, Any]]:
    try:
        return reported.objects(reported.json_of(listing), "nftables")
    except ValueError:
        return []


def _named(objects: Iterable[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return reported.objects([item[kind] for item in objects if kind in item])


def _found(objects: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """The elements of each set. One that can't be read is not as it was set: it is left out."""
    found = {}
    for each in _named(objects, "set"):
        name = reported.line(each.get("name"), 40)
        with suppress(ValueError, KeyError, TypeError):
            if name not in _RECENT:
                found[name] = _elements(each.get("elem", []))
    return found


def _elements(elements: Sequence[Any]) -> frozenset[str]:
    """nft's ways to write a set's elements (single, prefix, range) as networks or ports."""
    found: list[str] = []
    for element in elements:
        if isinstance(element, int):
            found.append(str(element))
        elif isinstance(element, str):
            found.append(str(ipaddress.ip_network(element)))
        elif "prefix" in element:
            length = reported.number(element["prefix"]["len"], 128)
            found.append(str(ipaddress.ip_network(f"{element['prefix']['addr']}/{length}")))
        else:
            first, last = (ipaddress.ip_address(str(end)) for end in element["range"])
            found.extend(map(str, ipaddress.summarize_address_range(first, last)))
    return frozenset(found)
