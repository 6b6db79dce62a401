"""Who has an address, asked on the network itself: a neighbour table may still name a machine that has just gone."""

import ipaddress
import json
import re
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

_ARP = 0x0806
_HEAD = struct.pack("!HHBB", 1, 0x0800, 6, 4)  # Ethernet, IPv4, and how long their addresses are
_REQUEST = 1
_FRAME = struct.Struct("!6s6sH6sH6s4s6s4s")  # to, from, type, head, operation, sender's MAC and IP, target's


HELPER = "/run/vclab-arp.sock"
"""Where ``vclab-arp`` listens, which may ask where this process may not (``deploy/vclab-arp.socket``)."""
_FAILS = (OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError)
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_LONGEST_WAIT = 60.0


@contextmanager
def asking(address: str) -> Iterator[Callable[[], set[str]]]:
    """Ask who has an IPv4 address. What is given tells the MACs that have answered until it is called.

    They answer within milliseconds, so something else should be done meanwhile. Nobody is seen where the address is not
    on a network of this machine's, or where neither this process nor the helper may ask (it takes CAP_NET_RAW).
    """
    with ExitStack() as open_sockets:
        asked = _by_anybody(address)
        if asked is None:
            yield set
        else:
            open_sockets.enter_context(asked[0])
            yield asked[1]


def _by_anybody(address: str) -> tuple[socket.socket, Callable[[], set[str]]] | None:
    with suppress(*_FAILS):
        asked = _ask(address)
        return None if asked is None else (asked, lambda: _answers(asked, address))
    with suppress(*_FAILS):
        helper = _ask_helper(address)
        return helper, lambda: _told(helper)
    return None


def _ask_helper(address: str) -> socket.socket:
    asked = socket.socket(socket.AF_UNIX)
    try:
        asked.settimeout(5)
        asked.connect(HELPER)
        asked.sendall(f"{ipaddress.IPv4Address(address)}\n".encode())
    except BaseException:
        asked.close()
        raise
    return asked


def _told(helper: socket.socket) -> set[str]:
    """What the helper has seen until now."""
    with suppress(OSError):
        helper.shutdown(socket.SHUT_WR)
        return set(_MAC.findall(helper.makefile("rb").read(4096).decode("ascii", "replace")))
    return set()


def main() -> None:
    """``vclab-arp``: one question, as systemd hands it over on stdin and stdout. It is asked for the address in the
    first line, and answers with MACs when nothing more can come."""
    question = sys.stdin.buffer.readline(64).decode("ascii", "replace").strip()
    with asking(question) as who:
        select.select([sys.stdin], [], [], _LONGEST_WAIT)
        print(*sorted(who()), flush=True)


def _ask(address: str) -> socket.socket | None:
    wanted = ipaddress.IPv4Address(address).packed
    way = _way(address)
    if "gateway" in way:
        return None
    asking = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP))
    try:
        asking.setblocking(False)
        asking.bind((way["dev"], _ARP))
        own = asking.getsockname()[4]
        sender = ipaddress.IPv4Address(way["prefsrc"]).packed
        asking.send(_FRAME.pack(b"\xff" * 6, own, _ARP, _HEAD, _REQUEST, own, sender, bytes(6), wanted))
    except BaseException:
        asking.close()
        raise
    return asking


def _way(address: str) -> dict[str, Any]:
    """How this machine reaches an address: device, own address, and gateway if there is one."""
    words = ("ip", "-json", "route", "get", address)
    done = subprocess.run(words, capture_output=True, text=True, timeout=5, check=True)
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def _answers(asked: socket.socket, address: str) -> set[str]:
    wanted = ipaddress.IPv4Address(address).packed
    found: set[str] = set()
    while True:
        try:
            frame = asked.recv(2048)
        except OSError:
            return found  # no more came
        if len(frame) >= _FRAME.size:
            *_, mac, whose, _, _ = _FRAME.unpack_from(frame)
            if whose == wanted:
                found.add(mac.hex(":"))


if __name__ == "__main__":
    main()
