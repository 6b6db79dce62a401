"""What a Linux computer shows of itself: addresses, connections; and the notice on its terminals."""

import ipaddress
import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from vclab.guests.base import Connections
from vclab.guests.linux_firewall import Network, contains, open_to, recent
from vclab.guests.ssh import Shell
from vclab.model.errors import NotOurs, NotYet, StepFailed, Unreachable
from vclab.model.plans import Facts

LONGEST_NOTICE = 2000
"""Characters."""

_ADDRESSES = "cat /proc/sys/kernel/random/boot_id; ip -json address show"
_CONNECTIONS = f"""ss -Htn state established; echo; echo --
nft -j list table inet vclab 2> /dev/null || true
echo; echo --
{_ADDRESSES} || true
"""
_CARDS = "cat /sys/class/net/*/address"

# Written in the background and cut short: a terminal that was stopped (Ctrl-S) takes nothing.
_NOTIFY = """umask 077
text=$(mktemp)
printf '\\a\\n%s\\n' "$input" | sed 's/$/\\r/' > "$text"
for terminal in /dev/pts/[0-9]* /dev/console; do
    [ -c "$terminal" ] || continue
    timeout 3 sh -c 'cat "$1" > "$2"' sh "$text" "$terminal" > /dev/null 2>&1 &
done
wait
rm -f "$text"
"""


_LAST_WORDS = """uptime || true
systemctl --failed --no-legend --plain 2> /dev/null || true
journalctl --boot --lines=20 --no-pager --output=short 2> /dev/null || dmesg 2> /dev/null | tail -n 20 || true
"""


async def last_words(shell: Shell) -> list[str]:
    """Evidence of a load that failed: how long it is up, units that failed, the last 20 lines of its journal."""
    return (await shell.look("tell its last words", _LAST_WORDS)).splitlines()


async def check_card(shell: Shell, mac: str) -> None:
    """Raise ``NotOurs`` unless the machine at this address has the card that ours has; "" is not asked for."""
    if not mac:
        return
    found = (await shell.look("tell its network cards", _CARDS)).lower().split()
    if mac.lower() not in found:
        others = ", ".join(sorted(set(found) - {"00:00:00:00:00:00"}))
        raise NotOurs(
            f"the machine at {shell.address} has the network cards {others}, not {mac}: it is another machine"
        )


async def public_address(shell: Shell, mac: str) -> Facts:
    """Address of the card (without a MAC: the one that we have come to) and boot id. Raises ``NotYet``."""
    facts = _facts(await shell.look("tell its addresses", _ADDRESSES), mac, shell.address)
    if facts is None:
        raise Unreachable(f"the machine at {shell.address} does not report its addresses")
    if not facts.public_address:
        raise NotYet(f"the public network card {mac} has no address yet", 2.0)
    return facts


def _facts(told: str, mac: str, reached: str) -> Facts | None:
    """What ``_ADDRESSES`` tells; None when that is unreadable. ``mac``: of the public card; empty: there is but the one
    that we have ``reached``."""
    boot_id, _, listing = told.partition("\n")
    try:
        cards: list[dict[str, Any]] = json.loads(listing)
    except ValueError:
        return None
    if not mac:
        return Facts(public_address=reached, boot_id=boot_id.strip())
    found = [a for card in cards if card.get("address", "").lower() == mac.lower() for a in card.get("addr_info", [])]
    best = sorted((a for a in found if _usable(a)), key=lambda a: (a["family"] != "inet", a.get("dynamic") is None))
    return Facts(public_address=str(best[0]["local"]) if best else "", boot_id=boot_id.strip())


def _usable(address: dict[str, Any]) -> bool:
    hindrances = ("tentative", "dadfailed", "deprecated", "temporary")
    return address.get("scope") == "global" and not any(address.get(flag) for flag in hindrances)


async def connections(
    shell: Shell, ports: Iterable[int], management: Iterable[Network], within: float = 0.0, mac: str = ""
) -> Connections:
    """Addresses outside the management networks with an established TCP connection to one of the ports, now or in the
    last ``within`` seconds; and what the computer tells of itself: ``mac`` is that of its public card.

    A connection from an address that the firewall lets in no more is dead, though TCP may not know it for hours.
    """
    answer = await shell.look("tell its connections", _CONNECTIONS)
    listing, table, told = (*answer.split("\n--\n", 2), "", "")[:3]
    ports, ours, let_in = set(ports), tuple(management), open_to(table)
    peers = {peer for port, peer in map(_peer, listing.splitlines()) if port in ports}
    outside = {p for p in peers if p and not ipaddress.ip_address(p).is_loopback and not contains(ours, p)}
    outside |= recent(table, within) if within else set()
    let_in_now = tuple(sorted(p for p in outside if let_in is None or contains(let_in, p)))
    return Connections(let_in_now, _facts(told, mac, shell.address) or Facts())


def _peer(line: str) -> tuple[int, str]:
    """Local port and peer address of a line "recv-q send-q local:port peer:port"; (0, "") for any other line."""
    columns = line.split()
    if len(columns) < 4:
        return 0, ""
    port = columns[2].rpartition(":")[2]
    host = re.sub(r"%[^\]:]*", "", columns[3].rpartition(":")[0]).strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return 0, ""
    mapped = address.ipv4_mapped if address.version == 6 else None
    return int(port) if port.isdecimal() else 0, str(mapped or address)


def printable(text: str) -> str:
    """The text without control characters, terminal escapes or changes of writing direction; line ends stay."""
    lines = unicodedata.normalize("NFC", text).splitlines()
    clean = ["".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co")) for line in lines]
    return "\n".join(clean).strip()[:LONGEST_NOTICE]


async def notify(shell: Shell, text: str) -> None:
    """Show the text on each open terminal and on the console; works without login records (utmp)."""
    notice = printable(text)
    if not notice:
        raise StepFailed("an empty notice")
    await shell.act("show a notice", _NOTIFY, text=notice)
