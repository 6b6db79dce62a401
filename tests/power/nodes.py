"""Nodes of the lab with their BMCs as child processes, on 127.0.0.0/8, and how each kind is switched."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.vcsim import certificate
from vclab.lab import bmcs, wakeable
from vclab.lab.bmcs import Fault, Node
from vclab.power.address import parse
from vclab.power.base import Bmc

PASSWORD = "correct-horse"
PASSWORDS = {"endpoint/right": PASSWORD, "endpoint/wrong": "battery-staple"}
_ADDRESSES = itertools.count(1)


def password_of(bmc: Bmc) -> str:
    """What is kept for a BMC."""
    return PASSWORDS[bmc.password_ref]


class Context:
    """A step's runner that remembers what it was told, and can be asked to stop."""

    remembered: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.cancelled = False
        self.said: list[str] = []
        self.fences = 0
        self.refusal: Exception | None = None

    def progress(self, text: str) -> None:
        """Remember it."""
        self.said.append(text)

    def remember(self, **details: str) -> None:
        """Nothing is remembered."""

    def fence(self) -> None:
        """Count, or raise ``refusal``."""
        self.fences += 1
        if self.refusal:
            raise self.refusal


@dataclass
class Running:
    """A node and its BMC's process. Stopping it is pulling its plug: nothing answers any more."""

    node: Node
    kind: str
    fingerprint: str = ""
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def bmc(self, password: str = "endpoint/right", user: str = "", fingerprint: str = "") -> Bmc:
        """How it is switched."""
        who = wakeable.MAC.replace(":", "-") if self.kind == "wol" else user or self.node.user
        place = f"{self.node.address}:{self.node.port}"
        packet = f"/127.255.255.255:{self.node.port}" if self.kind == "wol" else ""
        address = parse(f"{self.kind}://{who}@{place}{packet}")
        return Bmc(self.node.name, address, password, fingerprint or self.fingerprint)

    def switch_on(self) -> None:
        """As if somebody pressed the button; a computer without a BMC has started when this returns."""
        self.node.switch(True)
        deadline = time.monotonic() + 10
        while self.kind == "wol" and not _accepts(self.node):
            assert time.monotonic() < deadline, "it does not start"
            time.sleep(0.01)

    def unplug(self) -> None:
        """The BMC falls silent. A computer without one is cut off."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL if self.kind == "wol" else signal.SIGSTOP)

    def shut_down(self) -> None:
        """What SSH does to a computer without a BMC."""
        if not (self.node.folder / "faults" / Fault.DEAF).exists():
            self.node.switch(False)


@contextlib.contextmanager
def running(folder: Path, kind: str, name: str = "n1", anonymous: bool = False, **ports: Any) -> Iterator[Running]:
    """One that answers. ``ports``: what ``bmcs.ipmi`` takes of serial ones."""
    number = next(_ADDRESSES)
    address = f"127.{os.getpid() % 200 + 20}.{number // 250}.{number % 250 + 1}"
    # Who waits for a packet listens on all addresses: each process has ports of its own.
    port = 10_000 + os.getpid() % 50 * 1000 + number % 1000
    node = Node(folder / name, name, address, port, password=PASSWORD)
    node.make()
    found = Running(node, kind)
    with (node.folder / "log").open("wb") as log:
        found.process = subprocess.Popen(
            _command(found, anonymous, ports), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await(found)
        yield found
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(found.process.pid, signal.SIGKILL)
        found.process.wait()


def _command(one: Running, anonymous: bool, ports: Mapping[str, Any]) -> tuple[str, ...]:
    if one.kind == "ipmi":
        return bmcs.ipmi(one.node, anonymous, **ports)
    if one.kind == "wol":
        bmcs.settings(one.node)
        return (sys.executable, "-m", "vclab.lab.wakeable", str(one.node.folder))
    bmcs.write(one.node.folder / "boot", bmcs.REDFISH_USUAL)
    one.fingerprint = certificate(one.node.folder / "cert.pem", one.node.folder / "key.pem", one.node.address)
    return bmcs.redfish(one.node)


def _await(one: Running) -> None:
    """Until its port is taken: of Redfish one that listens, of the others a datagram socket."""
    deadline = time.monotonic() + 20
    while not _taken(one):
        assert one.process is not None
        if one.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{one.kind} did not start: {(one.node.folder / 'log').read_text()[-2000:]}")
        time.sleep(0.02)


def _accepts(node: Node) -> bool:
    try:
        socket.create_connection((node.address, node.port), 1).close()
    except OSError:
        return False
    return True


def _taken(one: Running) -> bool:
    """Looked up, not tried: a try would take it from the one that is about to (proc_net_tcp.txt)."""
    protocol = "tcp" if one.kind == "redfish" else "udp"
    address = "0.0.0.0" if one.kind == "wol" else one.node.address
    place = socket.inet_aton(address)[::-1].hex().upper() + f":{one.node.port:04X}"
    return f" {place} " in Path(f"/proc/net/{protocol}").read_text()
