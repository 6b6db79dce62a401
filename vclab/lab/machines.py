"""Lab machines: real Debian systems with their own disk, cards, processes, host name, init and sshd.

A machine is one process tree in fresh namespaces, on the file systems of its disk and of the disk's parents
(``vclab.lab.disks``). Everything it uses belongs to those namespaces, so that killing it leaves nothing behind. One
machine by hand, without a vCenter (``tests/guests/bench.py`` does it)::

    layout = Layout.of(folder)
    network.up(layout)                                        # namespaces and bridges
    dhcp = subprocess.Popen(dnsmasq_command(layout))          # vclab.lab.parts
    make_layer(layer, public_key)                             # vclab.lab.rootfs: who may log in as root
    make_master(master, rootfs.tree(print), layer, 8)         # vclab.lab.disks
    machine = Machine(layout, Spec.by_hand(layout, "m1", master))
    machine.start()
    machine.guest()         # Guest(addresses={mac: address}, hostname=…); .complete when each connected card has one
    machine.stop()          # a power cut; start() again boots the same disk
"""

import fcntl
import hashlib
import os
import shutil
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from vclab.lab import disks
from vclab.lab.errors import LabError
from vclab.lab.layout import PRIVATE, PUBLIC, Layout
from vclab.lab.network import CLONE_NEWUTS, entered
from vclab.lab.process_tree import Ended, ProcessTree

SIOCGIFADDR = 0x8915
SIOCGIFHWADDR = 0x8927


@dataclass(frozen=True)
class Card:
    """A network card: its MAC and the network that it is plugged into. Not connected, it is there without a link."""

    mac: str
    network: str
    connected: bool = True


@dataclass(frozen=True)
class Spec:
    """What a virtual machine's definition says. ``disk`` is the descriptor of its first disk, ``parents`` are those of
    the disks that it needs, nearest first; the disk itself, if it is a child that was made whole."""

    uuid: str
    name: str
    disk: Path
    cards: tuple[Card, ...]
    parents: tuple[Path, ...] = ()

    @classmethod
    def by_hand(cls, layout: Layout, name: str, master: Path) -> "Spec":
        """A machine without a vCenter: with a child disk of its own, and MACs that derive from the name."""
        digest = hashlib.sha256(name.encode()).hexdigest()
        disk = layout.datastore / name / f"{name}.vmdk"
        disks.make_child(disk, master, 8)
        macs = (f"02:00:{digest[0:2]}:{digest[2:4]}:{digest[4:6]}:{n:02x}" for n in (1, 2))
        cards = tuple(Card(mac, network) for mac, network in zip(macs, (PRIVATE, PUBLIC), strict=True))
        return cls(f"{digest[:8]}-0000-4000-8000-{digest[8:20]}", name, disk, cards, (master,))


@dataclass(frozen=True)
class Guest:
    """What the machine itself says, as guest tools would report it."""

    addresses: dict[str, str] = field(default_factory=dict)  #: by MAC
    hostname: str = ""
    info: dict[str, str] = field(default_factory=dict)  #: what it set below "guestinfo."

    def complete(self, spec: Spec) -> bool:
        """True when each card that is connected has an address."""
        return all(card.mac in self.addresses for card in spec.cards if card.connected)


def content_of(layout: Layout, disk: Path) -> Path:
    """Where what a machine says on its console is kept: its disk's path in the lab is its identity."""
    return layout.machines / hashlib.sha256(_inside(layout, disk).encode()).hexdigest()[:16]


def file(name: str) -> Path:
    """One of the scripts that machines are started by."""
    return Path(str(resources.files("vclab.lab").joinpath("files", name)))


def plugged(cards: Iterable[Card], peer: str) -> str:
    """The cards as the scripts plug them in. ``peer``: how their other ends are called in the management namespace, at
    most 12 letters."""
    words = (f"eth{n},{card.mac},{card.network if card.connected else ''},{peer}-{n}" for n, card in enumerate(cards))
    return " ".join(words)


def _inside(layout: Layout, disk: Path) -> str:
    return str(disk.relative_to(layout.folder) if disk.is_relative_to(layout.folder) else disk)


def forget_lost_disks(layout: Layout) -> None:
    """Delete what is kept of disks whose descriptor is gone."""
    for content in layout.machines.glob("*"):
        try:
            lost = not (layout.folder / (content / "disk").read_text()).exists()
        except FileNotFoundError:
            lost = True
        if lost:
            shutil.rmtree(content, ignore_errors=True)


class Machine:
    """One powered-on machine. Not for several threads at once."""

    def __init__(self, layout: Layout, spec: Spec) -> None:
        self.spec = spec
        self._layout = layout
        self._content = content_of(layout, spec.disk)
        self._tree = ProcessTree(spec.name, self._content / "console.log")

    @property
    def pid(self) -> int:
        """The process that stands for the machine; 0 when it is off."""
        return self._tree.pid

    @property
    def console_log(self) -> Path:
        """What the machine wrote on its console."""
        return self._tree.console_log

    def start(self) -> None:
        """Power on. Raises ``LabError`` when nothing can boot from its disk (which its console tells, too)."""
        if self.pid:
            return
        self._content.mkdir(parents=True, exist_ok=True)
        (self._content / "disk").write_text(_inside(self._layout, self.spec.disk))
        found = self._disks()
        self._layout.mount_point.mkdir(parents=True, exist_ok=True)
        self._tree.start(("sh", str(file("machine.sh"))), self._environment() | found)

    def _disks(self) -> dict[str, str]:
        """The disks as machine.sh mounts them. Raises ``LabError`` when nothing boots from them."""
        chain = (self.spec.disk, *self.spec.parents)
        last = disks.data_of(chain[-1], child=False)
        found = disks.partition(last) if last.exists() and self.spec.disk.exists() else None
        if found is None:
            self.tell("no operating system")
            raise LabError(f"{self.spec.name}: no operating system on its disk {self.spec.disk}")
        children = [disks.data_of(disk, child=True) for disk in chain[:-1]]
        if children:
            disks.format_child(children[0])
        return {
            "BASE": str(last),
            "WHERE": f"offset={found.offset},sizelimit={found.size}",
            "CHILDREN": "\n".join(map(str, children)),
        }

    def _environment(self) -> dict[str, str]:
        return {
            "ROOT": str(self._layout.mount_point),
            "MANAGEMENT": self._layout.management,
            "CARDS": plugged(self.spec.cards, self.spec.uuid.replace("-", "")[:12]),
        }

    def tell(self, text: str) -> None:
        """Put a line into the console log, as firmware would."""
        self._tree.tell(text)

    def init(self) -> int:
        """The pid, seen from the host, of the machine's init; 0 when it has none (yet)."""
        return self._tree.init()

    def stop(self) -> None:
        """Cut the power: returns when all its processes are gone. Harmless when it is off. Raises ``LabError``."""
        self._tree.stop()

    def ended(self) -> Ended | None:
        """None while it runs; else why it ended, and it can be started again."""
        return self._tree.ended()

    def guest(self) -> Guest:
        """What the machine says about itself now; empty when it is off or has just begun to boot."""
        init = self.init()
        if not init:
            return Guest()
        try:
            with entered(f"/proc/{init}/ns/net"):
                addresses = _addresses()
            with entered(f"/proc/{init}/ns/uts", CLONE_NEWUTS):
                return Guest(addresses, os.uname().nodename, guestinfo(Path(f"/proc/{init}/root")))
        except OSError:
            return Guest()


def guestinfo(root: Path) -> dict[str, str]:
    """What the machine wrote for its guest tools, by key: lines of /etc/guestinfo below its root.

    Its root may have put anything there, so no link is followed and no more than 4 KiB are read.
    """
    try:
        etc = os.open(root / "etc", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            file = os.open("guestinfo", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=etc)
        finally:
            os.close(etc)
        with os.fdopen(file, "rb") as opened:
            lines = opened.read(4096).decode("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    said = [line.partition(" ") for line in lines if line.startswith("vclab.") and line.isprintable()]
    return {key: value for key, _, value in said}


def _addresses() -> dict[str, str]:
    """IPv4 addresses by MAC of the Ethernet cards in the calling thread's network namespace: netdevice(7)."""
    found = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            if not name.startswith("eth"):
                continue
            request = struct.pack("256s", name.encode())
            try:
                address = fcntl.ioctl(probe, SIOCGIFADDR, request)[20:24]
                mac = fcntl.ioctl(probe, SIOCGIFHWADDR, request)[18:24]
            except OSError:
                continue  # no address yet
            found[mac.hex(":")] = socket.inet_ntoa(address)
    return found
