"""What a Linux computer shows of itself: addresses, connections; and the notice on its terminals."""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from vclab.guests.base import Connections
from vclab.guests.linux_firewall import Network, contains, open_to, recent
from vclab.guests.ssh import Shell
from vclab.model import reported
from vclab.model.errors import NotOurs, NotYet, StepFailed, Unreachable
from vclab.model.plans import Access, Facts

LONGEST_NOTICE = 2000
"""Characters."""

_ADDRESSES = "cat /proc/sys/kernel/random/boot_id; ip -json address show"
# The firewall notes only users' addresses. Who came from the management node to the user's account is known by whose
# processes hold the connection, and by the record of logins that has their age in seconds.
_CONNECTIONS = f"""login=$1 uid=$2
ss -Htn state established; echo; echo --
nft -j list table inet vclab 2> /dev/null || true
echo; echo --
processes=$(cat /proc/[0-9]*/status 2> /dev/null | awk -v uid="$uid" '
    $1 == "Pid:" {{ pid = $2 }} $1 == "Uid:" && $2 == uid {{ print pid }}')
ss -Htnp state established 'sport = :22' | awk -v pids="$processes" '
    BEGIN {{ n = split(pids, of) }}
    {{ for (i = 1; i <= n; i++) if (index($0, "pid=" of[i] ",")) {{ print 0, $4; next }} }}' || true
[ ! -e /run/vclab-logins ] || awk -v login="$login" -v now="$(date +%s)" '
    $2 == login {{ print now - $1, $3 }}' /run/vclab-logins || true
echo --
{_ADDRESSES} || true
"""
_BOOT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CARDS = "cat /sys/class/net/*/address"

# Written in the background and cut short: a terminal that was stopped (Ctrl-S) takes nothing. From memory: the disk may
# be full.
_NOTIFY = """umask 077
text=$(mktemp /run/vclab-notice.XXXXXX)
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
    said = await shell.look("tell its last words", _LAST_WORDS)
    return [reported.line(each) for each in said.splitlines()[-60:]]


async def check_card(shell: Shell, mac: str) -> None:
    """Raise ``NotOurs`` unless the machine at this address has the card that ours has; "" is not asked for."""
    if not mac:
        return
    found = {reported.mac(each) for each in (await shell.look("tell its network cards", _CARDS)).split()}
    if mac.lower() not in found:
        others = ", ".join(sorted(found - {""})[:8]) or "none"
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
    boot_id, _, listing = told.strip().partition("\n")
    try:
        cards = reported.objects(reported.json_of(listing))
    except ValueError:
        return None
    if not _BOOT_ID.fullmatch(boot_id.strip()):
        return None
    if not mac:
        return Facts(public_address=reached, boot_id=boot_id.strip())
    ours = [card for card in cards if reported.mac(card.get("address")) == mac.lower()]
    found = [each for card in ours for each in reported.objects(card, "addr_info") if _usable(each)]
    best = sorted(found, key=lambda a: (a.get("family") != "inet", a.get("dynamic") is None))
    return Facts(public_address=reported.address(best[0]["local"]) if best else "", boot_id=boot_id.strip())


def _usable(address: Mapping[str, Any]) -> bool:
    hindrances = ("tentative", "dadfailed", "deprecated", "temporary")
    known = reported.address(address.get("local"))
    return bool(known) and address.get("scope") == "global" and not any(address.get(flag) for flag in hindrances)


async def connections(
    shell: Shell, access: Access, management: Iterable[Network], within: float = 0.0, mac: str = ""
) -> Connections:
    """Addresses with an established TCP connection to one of the connect ports, now or in the last ``within`` seconds;
    and what the computer tells of itself: ``mac`` is that of its public card.

    From the management networks only logins to the user's account count: all others are our own. A connection from an
    address that the firewall lets in no more is dead, though TCP may not know it for hours.
    """
    answer = await shell.look("tell its connections", _CONNECTIONS, access.login, str(access.uid))
    listing, table, logins, told = (*answer.split("--\n", 3), "", "", "")[:4]
    ports, ours, let_in = set(access.ports), tuple(management), open_to(table)
    peers = {peer for port, peer in map(_peer, listing.splitlines()) if port in ports}
    outside = {p for p in peers if p and not ipaddress.ip_address(p).is_loopback and not contains(ours, p)}
    outside |= recent(table, within) if within else set()
    users = {p for p in outside if let_in is None or contains(let_in, p)}
    users |= {p for p in _logged_in(logins, within) if contains(ours, p)}
    return Connections(tuple(sorted(users)), _facts(told, mac, shell.address) or Facts())


def _logged_in(listing: str, within: float) -> set[str]:
    """From where the user has logged in, of lines "seconds-ago address" or "0 address:port"."""
    found = set()
    for age, peer in (line.split() for line in listing.splitlines() if line.count(" ") == 1):
        seconds = reported.number(age)
        if seconds is not None and (seconds == 0 or seconds <= within):
            found.add(reported.address(peer) or reported.address(peer.rpartition(":")[0].strip("[]")))
    return found - {""}


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
    return reported.number(port, 65535) or 0, str(mapped or address)


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
