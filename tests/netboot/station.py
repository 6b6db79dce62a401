"""A machine's side of DHCP and TFTP: as its PXE firmware asks. Runs in a network namespace.

The first word is how many seconds are waited for each answer.
``dhcp CARD ARCH [ipxe]`` prints the answer to a DISCOVER as JSON, ``request CARD ARCH`` that to a REQUEST.
``pxe CARD ARCH [ipxe]``: what a proxy's port 4011 answers to who chooses the first entry of its menu, as PXE 2.1 says.
``tftp SERVER PATH`` prints a file.
"""

import json
import socket
import struct
import sys
from pathlib import Path
from typing import Any

COOKIE = bytes((99, 130, 83, 99))
BROADCAST = ("255.255.255.255", 67)
PROXY, PROXY_PORT = "10.78.0.1", 4011


def message(kind: int, mac: bytes, arch: int, ipxe: bool, item: bytes = b"", own: bytes = bytes(4)) -> bytes:
    head = struct.pack("!BBBBIHH16x16s64x128x", 1, 1, 6, 0, 0x7C1AB, 0, 0x8000, mac + bytes(10))
    options = [(53, bytes((kind,))), (55, bytes((1, 3, 6, 43, 54, 60, 66, 67))), (93, struct.pack("!H", arch))]
    options += [(60, f"PXEClient:Arch:{arch:05}:UNDI:003016".encode()), (94, b"\1\3\16"), (97, b"\0" + mac + bytes(10))]
    options += [(43, b"\x47\4" + item + b"\0\0\xff")] if item else []
    options += [(77, b"iPXE"), (175, b"\xb1\1\1")] if ipxe else []
    body = b"".join(bytes((code, len(data))) + data for code, data in options)
    # The fields of BOOTP: op htype hlen hops xid secs flags ciaddr yiaddr siaddr giaddr chaddr sname file.
    return head[:12] + own + bytes(12) + mac + bytes(10) + bytes(64) + bytes(128) + COOKIE + body + b"\xff"


def sub_options(data: bytes, at: int = 0) -> dict[int, bytes]:
    options = {}
    while at < len(data) and data[at] != 255:
        if data[at]:
            options[data[at]] = data[at + 2 : at + 2 + data[at + 1]]
            at += 1 + data[at + 1]
        at += 1
    return options


def parsed(answer: bytes) -> dict[str, Any]:
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
    }


def exchange(seconds: float, card: str, sent: bytes, to: tuple[str, int], port: int = 68) -> list[dict[str, Any]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, card.encode())
        line.bind(("", port))
        line.settimeout(seconds)
        line.sendto(sent, to)
        try:
            return [parsed(line.recv(4096))]
        except TimeoutError:
            return []


def own_address() -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect((PROXY, PROXY_PORT))
        return socket.inet_aton(line.getsockname()[0])


def tftp(seconds: float, server: str, path: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(seconds)
        line.sendto(b"\0\1" + path.encode() + b"\0octet\0", (server, 69))
        data = b""
        while True:
            answer, peer = line.recvfrom(1024)
            if answer[:2] != b"\0\3":
                sys.exit(f"TFTP: {answer[4:].decode(errors='replace')}")
            line.sendto(b"\0\4" + answer[2:4], peer)
            data += answer[4:]
            if len(answer) < 516:
                return data


def main(seconds: str, verb: str, *words: str) -> None:
    if verb == "tftp":
        sys.stdout.buffer.write(tftp(float(seconds), *words))
        return
    card, arch, *ipxe = words
    mac = bytes.fromhex(Path(f"/sys/class/net/{card}/address").read_text().strip().replace(":", ""))
    kind = 3 if verb == "request" else 1
    answers = exchange(float(seconds), card, message(kind, mac, int(arch), bool(ipxe)), BROADCAST)
    if verb == "pxe":
        item = bytes.fromhex(answers[0]["menu"])[:2] if answers else b""
        sent = message(3, mac, int(arch), bool(ipxe), item, own_address())
        answers = exchange(float(seconds), card, sent, (PROXY, PROXY_PORT))
    for answer in answers:
        print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
