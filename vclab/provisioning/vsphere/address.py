"""Finding a machine's private address: guest tools, then DHCP leases, then neighbours; only ever by its MAC."""

import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vclab.model import reported
from vclab.model.errors import NotYet, StepFailed
from vclab.model.plans import Becomes, Target, Whereabouts
from vclab.provisioning.arp import asking
from vclab.provisioning.vsphere.machines import Machine, all_machines, gone, of_target
from vclab.provisioning.vsphere.properties import read
from vclab.provisioning.vsphere.site import AWAY, Site

LOOK_SECONDS = 2.0
_PUBLISHED = 'config.extraConfig["guestinfo.vclab.hostkey"]'
_NEVER = reported.HIGHEST + 1  #: the end of a lease that never ends


def find_address(site: Site, target: Target, leases: Path | None, becomes: Becomes | None = None) -> str:
    """The private address. Raises ``NotYet`` while it has none, ``StepFailed`` when the machine is off or gone.

    That of one that is ``isolated`` is not that of the computer that is captured, which has the same MACs.
    """
    machine = of_target(site, target)
    if machine is None:
        raise StepFailed(f"{target.machine_name} is no longer on {target.endpoint}")
    if machine.power != "on":
        raise StepFailed(f"{machine.name} was powered off while it was starting (its power is {machine.power})")
    found = _known(site, target, machine, leases)
    if not found:
        where = "guest tools" + (", DHCP leases" if leases else "") + " and neighbours know none"
        raise NotYet(f"{machine.name} has no private address yet ({where} for {target.private_mac})", LOOK_SECONDS)
    if target.isolated and becomes and found in _of_source(site, target, becomes):
        raise NotYet(
            f"{machine.name} has the address {found} of {becomes.computer}, which is captured: the imaging network "
            "must give addresses of its own",
            LOOK_SECONDS,
        )
    return found


def _of_source(site: Site, target: Target, becomes: Becomes) -> set[str]:
    """The addresses of the computer that is captured, as its guest tools say."""
    source = becomes.computer, becomes.generation
    known = (m for m in all_machines(site) if m.ours(target.installation) and (m.computer, m.generation) == source)
    return {address for machine in known for card in _cards(site, machine) for address in card.ipAddress}


def published_key(site: Site, target: Target) -> str:
    """The host key that the machine itself has published with its guest tools; empty when it has not."""
    machine = of_target(site, target)
    values = read(site.session, machine.ref, [_PUBLISHED]) if machine else None
    option = (values or {}).get(_PUBLISHED)
    return reported.host_key(option.value) if option else ""


def whereabouts(site: Site, target: Target, leases: Path | None) -> Whereabouts:
    """Where the machine is now, or why it can't answer."""
    machine = of_target(site, target)
    if machine is None:
        return Whereabouts(trouble=gone(target), gone=True)
    host, why = site.host_of(machine.host)
    if why in AWAY or machine.connection == "disconnected":
        return Whereabouts(trouble=f"{target.computer} can't be looked at: its host {host} is {why or 'disconnected'}")
    if machine.power != "on":
        return Whereabouts(trouble=f"{target.computer} is {machine.power}", off=True)
    return Whereabouts(_known(site, target, machine, leases))


def _known(site: Site, target: Target, machine: Machine, leases: Path | None) -> str:
    """The private address, from whatever source knows it; else empty."""
    by_tools = (a for card in _cards(site, machine) if _is(card.macAddress, target.private_mac) for a in card.ipAddress)
    if target.isolated:  # others have the same MAC: what else knows it may speak of these
        return best(by_tools)
    return best(by_tools) or (leased(leases, target.private_mac) if leases else "") or neighbour(target.private_mac)


def _cards(site: Site, machine: Machine) -> list[Any]:
    """What guest tools that run say of its network cards: stopped ones report an earlier boot."""
    values = read(site.session, machine.ref, ["guest.net", "guest.toolsRunningStatus"]) or {}
    running = values.get("guest.toolsRunningStatus") == "guestToolsRunning"
    return list(values.get("guest.net", [])) if running else []


def _is(mac: str | None, wanted: str) -> bool:
    return bool(mac) and reported.mac(mac) == wanted.lower()


def best(addresses: Iterable[str]) -> str:
    """The address to use: IPv4 before IPv6; empty when none is one of another computer."""
    usable = [known for known in map(reported.address, addresses) if known]
    return min(usable, key=lambda a: ":" in a) if usable else ""


def leased(file: Path, mac: str) -> str:
    """The address of a MAC in dnsmasq's lease file (lines "expiry mac address name client"); empty when none."""
    try:
        lines = [line.split() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    except FileNotFoundError:
        return ""
    valid = [(reported.number(w[0]), w[2]) for w in lines if len(w) >= 3 and _is(w[1], mac)]
    now = time.time()
    current = [(end or _NEVER, address) for end, address in valid if end is not None and (end == 0 or end > now)]
    return best([max(current)[1]] if current else [])


@contextmanager
def nobody_else(address: str, target: Target) -> Iterator[None]:
    """Removed what the computer was, whoever has the address that is kept for it is another machine. Raises
    ``StepFailed`` with its MAC."""
    with asking(address) as who:
        yield
        others = who() - {target.private_mac.lower()}
    if others:
        raise StepFailed(
            f"{address} is kept for {target.computer} ({target.private_mac}), which is removed, but it still answers: "
            f"it belongs to the machine with the MAC {', '.join(sorted(others))}. Give that another address, or switch "
            "it off"
        )


def neighbour(mac: str) -> str:
    """The address of a MAC in this machine's neighbour table; empty when none. Entries that failed don't count."""
    try:
        done = subprocess.run(["ip", "neigh"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return best(neighbours(done.stdout, mac))


def neighbours(table: str, mac: str) -> list[str]:
    """The addresses of a MAC in what ``ip neigh`` prints."""
    found = []
    for line in table.splitlines():
        words = line.split()
        if "lladdr" in words[:-1] and _is(words[words.index("lladdr") + 1], mac) and words[-1] != "FAILED":
            found.append(words[0])
    return found
