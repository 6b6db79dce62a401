"""Who has an address, asked on the network itself: a neighbour table may still name a machine that has just gone."""

import ipaddress
import json
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_ARP = 0x0806
_HEAD = struct.pack("!HHBB", 1, 0x0800, 6, 4)  # Ethernet, IPv4, and how long their addresses are
_REQUEST = 1
_FRAME = struct.Struct("!6s6sH6sH6s4s6s4s")  # to, from, type, head, operation, sender's MAC and IP, target's


@contextmanager
def asking(address: str) -> Iterator[Callable[[], set[str]]]:
    """Ask who has an IPv4 address. What is given tells the MACs that have answered until it is called.

    They answer within milliseconds, so something else should be done meanwhile. Nobody is seen where the address is not
    on a network of this machine's, or where this process may not ask (it takes CAP_NET_RAW).
    """
    try:
        asked = _ask(address)
    except (OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError):
        asked = None
    if asked is None:
        yield set
        return
    with asked:
        yield lambda: _answers(asked, address)


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
