"""Nodes of bare metal: what runs on a computer with a BMC, by what its boot device and its disk really say.

A node's folder is that of its BMC (``vclab/lab/bmcs.py``), and has besides

| in the folder | is |
|---|---|
| ``disk.raw`` | its disk |
| ``console.log`` | what firmware and system wrote on the console |

A chassis looks at ``power`` and ``cut``, as the BMC writes them, and starts the node's firmware, one process tree in
namespaces of its own (``vclab/lab/firmware.py``). One by hand, as ``tests/lab/test_nodes.py`` has them::

    chassis = Chassis(node, Hardware("VC0001", 8 << 30, (Card(mac, bridge),)), Place(namespace, mount_point))
    chassis.start()
    node.switch(True)       # as its BMC does
    node.runs               # Runs.FIRMWARE, then what it has booted
    chassis.close()         # a power cut; another chassis of the same node boots what was on
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from vclab.debian import cache
from vclab.lab.bmcs import Device, Fault, Node, Runs, write
from vclab.lab.errors import LabError
from vclab.lab.firmware import DISK, NETWORK, Orders
from vclab.lab.machines import Card, plugged
from vclab.lab.process_tree import Ended, ProcessTree
from vclab.lab.serial_port import SerialPort

LOOK_SECONDS = 0.1
"""How often a chassis looks at what its BMC wrote."""
_RECENT_NS = 10**9
_PEER = 12  # letters: the name of a card has 15
_ORDER = {
    Device.DEFAULT: (NETWORK, DISK),
    Device.NETWORK: (NETWORK, DISK),
    Device.DISK: (DISK,),
    Device.OTHER: (NETWORK, DISK),
}


@dataclass(frozen=True)
class Hardware:
    """What a node is made of. The first card is the one that it boots from."""

    serial: str  #: of its disk
    disk_bytes: int
    cards: tuple[Card, ...]
    sector: int = 512
    efi: bool = False


@dataclass(frozen=True)
class Place:
    """Where it stands: the namespace with the bridges, and an empty directory to mount on."""

    management: str
    mount_point: Path
    serial: SerialPort | None = None  #: of this node; none: its console goes to its log only


class Chassis:
    """One node. A thread of its own keeps it, with which all that runs on it ends."""

    def __init__(
        self, node: Node, hardware: Hardware, place: Place, changed: Callable[[], None] = lambda: None
    ) -> None:
        """``changed`` is called in that thread."""
        self.node = node
        self.hardware = hardware
        self._place = place
        self._changed = changed
        self._tree = ProcessTree(node.name, node.folder / "console.log", place.serial)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=node.name, daemon=True)
        self._cut = self._button = ""
        self._seen = 0

    @property
    def pid(self) -> int:
        """The process that stands for the node; 0 when it is off."""
        return self._tree.pid

    @property
    def console_log(self) -> Path:
        """What firmware and system wrote on the console."""
        return self._tree.console_log

    @property
    def disk(self) -> Path:
        """The file that is its disk. To be written to while the node is off only."""
        return self.node.folder / "disk.raw"

    def init(self) -> int:
        """The pid, seen from the host, of the first process of its system; 0 when it is off."""
        return self._tree.init()

    def make(self) -> None:
        """Its disk, empty; one that is there stays as it is. Its folder must be there."""
        if not self.disk.exists():
            with self.disk.open("xb") as empty:
                empty.truncate(self.hardware.disk_bytes)
        self._now(Runs.OFF)

    def start(self) -> None:
        """From now on it follows its BMC; one that was on boots."""
        self.make()
        self._cut, self._button = self._last("cut"), self._last("button")
        if self._place.serial:
            self._place.serial.open()
        self._thread.start()

    def end(self) -> None:
        """A power cut, but its switch stays as it is. It is not waited for."""
        self._closing.set()

    def close(self) -> None:
        """The same, and nothing runs any more when it returns."""
        self.end()
        if self._thread.ident is not None:
            self._thread.join()
        if self._place.serial:
            self._place.serial.close()

    def _keep(self) -> None:
        try:
            while not self._closing.wait(LOOK_SECONDS):
                try:
                    if self._has_changed():
                        self._follow()
                    if self.pid:
                        self._hear_end()
                except (OSError, LabError):  # a full disk: it is tried again
                    self._seen = 0
        finally:
            self._tree.stop()
            self._now(Runs.OFF)

    def _has_changed(self) -> bool:
        """Whether anything was written to its folder since the last look: all files there are replaced as a whole. A
        time that is younger than a clock is exact proves nothing."""
        changed = self.node.folder.stat().st_mtime_ns
        if changed == self._seen and abs(time.time_ns() - changed) > _RECENT_NS:
            return False
        self._seen = changed
        return True

    def _follow(self) -> None:
        """Do what was told since the last look."""
        cut, button = self._last("cut"), self._last("button")
        if cut != self._cut:
            self._stop()
            self._cut = cut
        if button != self._button:
            self._press()
            self._button = button
        if self.node.power != "on":
            self._stop()
        elif not self.pid and self.node.runs is Runs.OFF:
            self._boot()

    def _hear_end(self) -> None:
        why = self._tree.ended()
        if why is None:
            return
        self._tree.tell(f"the node has ended: {why}")
        if why is Ended.POWER_OFF:
            self.node.switch(False)
        # One that has crashed stands still until somebody comes.
        self._now(Runs.NOTHING if why is Ended.CUT else Runs.OFF)
        self._changed()

    def _stop(self) -> None:
        if self.pid:
            self._tree.stop()
            self._tree.tell("the power was cut")
        if self.node.runs is not Runs.OFF:
            self._now(Runs.OFF)
            self._changed()

    def _press(self) -> None:
        """Its own system shuts down; the imaging environment does not listen; firmware switches off at once."""
        runs, init = self.node.runs, self._tree.init()
        if runs is Runs.DISK and init:
            words = ("nsenter", "--target", str(init), "--all", "/sbin/shutdown", "-h", "now")
            subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        elif runs is not Runs.IMAGING:
            self.node.switch(False)

    def _boot(self) -> None:
        self._place.mount_point.mkdir(parents=True, exist_ok=True)
        orders = json.dumps(asdict(self._orders(self.node.take_boot())))
        environment = {
            "MANAGEMENT": self._place.management,
            "CARDS": plugged(self.hardware.cards, self.node.name[:_PEER]),
        }
        self._tree.start((sys.executable, "-m", "vclab.lab.firmware", orders), environment)
        self._changed()

    def _orders(self, device: Device) -> Orders:
        node, hardware = self.node, self.hardware
        return Orders(
            name=node.name,
            folder=str(node.folder),
            devices=(DISK, NETWORK) if node.faulty(Fault.DISK_FIRST) is not None else _ORDER[device],
            efi=hardware.efi,
            disk="" if node.faulty(Fault.NO_DISK) is not None else str(self.disk),
            serial=hardware.serial,
            sector=hardware.sector,
            read_only=node.faulty(Fault.READ_ONLY_DISK) is not None,
            takes=int(node.faulty(Fault.FAILING_DISK) or 0),
            root=str(self._place.mount_point),
            cache=str(cache() / "initramfs"),
        )

    def _last(self, name: str) -> str:
        try:
            return (self.node.folder / name).read_text()
        except FileNotFoundError:
            return ""

    def _now(self, runs: Runs) -> None:
        with contextlib.suppress(OSError):
            write(self.node.folder / "runs", runs)
