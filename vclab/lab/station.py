"""A machine's side of DHCP and TFTP: as its PXE firmware asks. For a network namespace, by root.

As a program, ``station.py SECONDS VERB …``; it waits so many seconds for each answer:

``dhcp CARD ARCH [ipxe]`` prints the answer to a DISCOVER as JSON, ``request CARD ARCH`` that to a REQUEST.
``lease CARD ARCH``: takes what is offered, and prints the answer to that.
``pxe CARD ARCH [ipxe]``: what a proxy's port 4011 answers to who chooses the first entry of its menu, as PXE 2.1 says.
``tftp SERVER PATH`` prints a file.

``ARCH``: 0 for a BIOS, 7 for a UEFI (RFC 4578). It imports nothing of the house: it is started by its path.
"""

import fcntl
import json
import socket
import struct
import sys
import time
import zlib
from collections.abc import Sequence
from typing import Any

COOKIE = bytes((99, 130, 83, 99))
BROADCAST = ("255.255.255.255", 67)
PROXY, PROXY_PORT = "10.78.0.1", 4011
DISCOVER, REQUEST, ACK = 1, 3, 5
BLOCK = 1432
"""Bytes of a TFTP packet that iPXE asks for (RFC 2348): what fits an Ethernet frame."""
_TRIES, _ANY = 5, -1


class NoFile(Exception):
    """TFTP: the server's words, or that it does not answer."""


def message(
    kind: int,
    mac: bytes,
    arch: int,
    ipxe: bool,
    item: bytes = b"",
    own: bytes = bytes(4),
    more: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """A DHCP message. ``item``: of the proxy's menu; ``own``: the address that the machine has; ``more``: options."""
    head = struct.pack("!BBBBIHH16x16s64x128x", 1, 1, 6, 0, zlib.crc32(mac), 0, 0x8000, mac + bytes(10))
    options = [(53, bytes((kind,))), (55, bytes((1, 3, 6, 43, 54, 60, 66, 67))), (93, struct.pack("!H", arch))]
    options += [(60, f"PXEClient:Arch:{arch:05}:UNDI:003016".encode()), (94, b"\1\3\16"), (97, b"\0" + mac + bytes(10))]
    options += [(43, b"\x47\4" + item + b"\0\0\xff")] if item else []
    options += [(77, b"iPXE"), (175, b"\xb1\1\1")] if ipxe else []
    body = b"".join(bytes((code, len(data))) + data for code, data in (*options, *more))
    # The fields of BOOTP: op htype hlen hops xid secs flags ciaddr yiaddr siaddr giaddr chaddr sname file.
    return head[:12] + own + bytes(12) + mac + bytes(10) + bytes(64) + bytes(128) + COOKIE + body + b"\xff"


def sub_options(data: bytes, at: int = 0) -> dict[int, bytes]:
    """Options by their number; those of an answer begin at byte 240."""
    options = {}
    while at < len(data) and data[at] != 255:
        if data[at]:
            options[data[at]] = data[at + 2 : at + 2 + data[at + 1]]
            at += 1 + data[at + 1]
        at += 1
    return options


def parsed(answer: bytes) -> dict[str, Any]:
    """What a DHCP server says. ``by`` is its own address, ``server`` that of the files."""
    options = sub_options(answer, 240)
    text = options.get(67) or answer[108:236]
    return {
        "address": socket.inet_ntoa(answer[16:20]),
        "server": socket.inet_ntoa(answer[20:24]),
        "file": text.rstrip(b"\0").decode(),
        "router": options.get(3, b"").hex(),
        "name": options.get(12, b"").decode(),
        "class": options.get(60, b"").decode(),
        "kind": options[53][0],
        "menu": sub_options(options.get(43, b"")).get(9, b"").hex(),
        "by": socket.inet_ntoa(options.get(54, answer[20:24])),
        "mask": socket.inet_ntoa(options.get(1, bytes(4))),
    }


def exchange(
    seconds: float, card: str, sent: bytes, to: tuple[str, int], port: int = 68, others: float = 0.0
) -> list[dict[str, Any]]:
    """The first answer, and those that come within ``others`` seconds after it. They are broadcast: what is for another
    machine is left."""
    answers: list[dict[str, Any]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.encode())
        line.bind(("", port))
        line.sendto(sent, to)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            line.settimeout(left)
            try:
                answer = line.recv(4096)
            except TimeoutError:
                break
            if answer[4:8] != sent[4:8] or answer[28:34] != sent[28:34]:
                continue
            answers.append(parsed(answer))
            until = min(until, time.monotonic() + others)
    return answers


def own_address() -> bytes:
    """The one by which the proxy is reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect((PROXY, PROXY_PORT))
        return socket.inet_aton(line.getsockname()[0])


def tftp(seconds: float, server: str, path: str) -> bytes:
    """A file (RFC 1350, 2347, 2348). Raises ``NoFile``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(seconds / _TRIES)
        words = (path, "octet", "blksize", str(BLOCK), "tsize", "0", "")
        sent, to = b"\0\1" + "\0".join(words).encode(), (server, 69)
        pieces: list[bytes] = []
        block, size = _ANY, 512
        while True:
            answer, to = _answer(line, sent, to, block)
            kind, number = struct.unpack_from("!HH", answer)
            if kind == 6:  # which options it takes
                said = answer[2:].rstrip(b"\0").split(b"\0")
                taken = dict(zip(said[::2], said[1::2], strict=False))
                size, block = int(taken.get(b"blksize", 512)), 1
            elif kind == 3:
                pieces.append(answer[4:])
                block = (number + 1) & 0xFFFF
            else:
                raise NoFile(answer[4:].rstrip(b"\0").decode(errors="replace"))
            sent = b"\0\4" + (answer[2:4] if kind == 3 else b"\0\0")
            if kind == 3 and len(answer) < 4 + size:
                line.sendto(sent, to)
                return b"".join(pieces)


def _answer(line: socket.socket, sent: bytes, to: tuple[str, int], block: int) -> tuple[bytes, tuple[str, int]]:
    """What follows; said again if nothing does. What comes twice is not taken twice."""
    for _ in range(_TRIES):
        line.sendto(sent, to)
        try:
            while True:
                answer, peer = line.recvfrom(BLOCK + 4)
                if answer[:2] != b"\0\3" or block == _ANY or struct.unpack_from("!H", answer, 2)[0] == block:
                    return answer, peer
        except TimeoutError:
            continue
    raise NoFile(f"{to[0]} does not answer")


def mac_of(card: str) -> bytes:
    """As the kernel has it in this network namespace, whatever sysfs is mounted: netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        return fcntl.ioctl(line, 0x8927, struct.pack("256s", card.encode()))[18:24]  # SIOCGIFHWADDR


def main(seconds: str, verb: str, *words: str) -> None:
    """As the words say."""
    if verb == "tftp":
        try:
            sys.stdout.buffer.write(tftp(float(seconds), *words))
        except NoFile as error:
            sys.exit(f"TFTP: {error}")
        return
    card, arch, *ipxe = words
    mac = mac_of(card)
    kind = REQUEST if verb == "request" else DISCOVER
    answers = exchange(float(seconds), card, message(kind, mac, int(arch), bool(ipxe)), BROADCAST)
    if verb == "lease" and answers:
        taken = [(option, socket.inet_aton(answers[0][name])) for option, name in ((50, "address"), (54, "by"))]
        sent = message(REQUEST, mac, int(arch), bool(ipxe), more=taken)
        answers = exchange(float(seconds), card, sent, BROADCAST)
    if verb == "pxe":
        item = bytes.fromhex(answers[0]["menu"])[:2] if answers else b""
        sent = message(REQUEST, mac, int(arch), bool(ipxe), item, own_address())
        answers = exchange(float(seconds), card, sent, (PROXY, PROXY_PORT))
    for answer in answers:
        print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
