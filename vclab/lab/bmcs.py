"""BMCs of the lab, and computers without one: what switches a node. Its state lies in a folder, its faults too.

| in the folder | is |
|---|---|
| ``power`` | ``on`` or ``off`` |
| ``boot`` | from what it boots, in the BMC's words |
| ``cut`` | changes whenever its power was cut, also for the moment of a reset |
| ``button`` | changes whenever its power button was pressed shortly, if it has a chassis |
| ``runs`` | what runs on it, if it has a chassis (``vclab/lab/nodes.py``) |
| ``told`` | what the BMC was told, a line each |
| ``faults/`` | a file for each fault that is set (``Fault``) |

Three kinds: IPMI by Debian's ``ipmi_sim``, Redfish by sushy-tools (``vclab/lab/redfish.py``), and a computer that a
packet wakes (``vclab/lab/wakeable.py``). Each is a process of its own, that ``command`` starts. ``ipmi_sim`` tells the
chassis the boot device, but never reads it back: it sets no "valid" bit. It agrees to cipher suite 0.
"""

import contextlib
import json
import shutil
import sys
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from pathlib import Path

from vclab.lab.errors import LabError


class Fault(StrEnum):
    """What can be wrong with a node. A dead one is a process that was stopped or killed."""

    SLOW = "slow"  #: it answers so many seconds later
    LYING = "lying"  #: it says yes, and does nothing
    ONCE_ONLY = "once-only"  #: it keeps a boot device for the next time, and none for ever
    DEAF = "deaf"  #: its system ignores that it should shut down
    UNPLUGGED_WHEN_TOLD = "unplugged-when-told"  #: it goes silent in the middle of an order
    DISK_FIRST = "disk-first"  #: of a node with a chassis: its firmware boots from its disk, whatever the BMC was told
    NO_DISK = "no-disk"  #: of a node with a chassis, from its next start on: its disk is not there
    READ_ONLY_DISK = "read-only-disk"  #: the same: nothing can be written to it
    FAILING_DISK = "failing-disk"  #: the same: an empty one, which fails when so many bytes were written to it


class Runs(StrEnum):
    """What runs on a node."""

    OFF = "off"
    FIRMWARE = "firmware"
    IMAGING = "imaging environment"
    DISK = "system on its disk"
    NOTHING = "nothing"  #: it is on, but nothing boots, or it has crashed


class Device(StrEnum):
    """From what a node boots, in any BMC's words."""

    DEFAULT = "default"  #: its firmware's own order
    NETWORK = "network"
    DISK = "disk"
    OTHER = "other"  #: something that it does not have


_DEVICES = {"none": Device.DEFAULT, "pxe": Device.NETWORK, "default": Device.DISK}
_DEVICES |= {"None": Device.DEFAULT, "Pxe": Device.NETWORK, "Hdd": Device.DISK}
IPMI_USUAL, REDFISH_USUAL = "none", "Hdd Continuous"
"""No boot device is set; it boots from its disk."""


@dataclass(frozen=True)
class Node:
    """A node with its BMC, at an address and a port. ``user`` and ``password`` are those of the BMC."""

    folder: Path
    name: str
    address: str
    port: int
    user: str = "admin"
    password: str = field(default="", repr=False)

    @property
    def power(self) -> str:
        """``on`` or ``off``."""
        return _read(self.folder / "power")

    @property
    def boot(self) -> str:
        """From what it boots."""
        return _read(self.folder / "boot")

    @property
    def told(self) -> list[str]:
        """What its BMC was told."""
        return _read(self.folder / "told").splitlines()

    @property
    def runs(self) -> Runs:
        """What runs on it, if it has a chassis."""
        try:
            return Runs(_read(self.folder / "runs"))
        except FileNotFoundError:
            return Runs.OFF

    @property
    def has_chassis(self) -> bool:
        """True when something boots as soon as its power is on: that uses up the boot device of one boot."""
        return (self.folder / "runs").exists()

    def switch(self, on: bool) -> None:
        """As if somebody pressed its button."""
        write(self.folder / "power", "on" if on else "off")
        if not on:
            self.cut()

    def cut(self) -> None:
        """Its power is cut: what runs on it ends. One that is to be on starts anew."""
        write(self.folder / "cut", uuid.uuid4().hex)

    def press(self) -> None:
        """Its power button is pressed shortly, which asks its system to shut down. Without a chassis it is off."""
        if self.faulty(Fault.DEAF) is not None:
            return
        if self.has_chassis:
            write(self.folder / "button", uuid.uuid4().hex)
        else:
            self.switch(False)

    def take_boot(self) -> Device:
        """From what it boots this time. What was set for one boot is used up: over IPMI that is all, for ``ipmi_sim``
        tells no more; over Redfish what is "Once"."""
        device, _, enabled = self.boot.partition(" ")
        if not enabled:
            write(self.folder / "boot", IPMI_USUAL)
        elif enabled == "Once":
            write(self.folder / "boot", REDFISH_USUAL)
        return Device.DEFAULT if enabled == "Disabled" else _DEVICES.get(device, Device.OTHER)

    def fault(self, fault: Fault, amount: float = 0.0) -> None:
        """Set it. ``amount``: the seconds of a slow node, the bytes that a failing disk takes."""
        write(self.folder / "faults" / fault, f"{amount:.10g}")

    def faulty(self, fault: Fault) -> float | None:
        """None when it is not set; else its amount."""
        try:
            return float(_read(self.folder / "faults" / fault))
        except FileNotFoundError:
            return None

    def mend(self) -> None:
        """Take all faults away. A stopped process stays stopped."""
        for fault in (self.folder / "faults").iterdir():
            fault.unlink()

    def make(self) -> None:
        """Its folder: off, without faults."""
        (self.folder / "faults").mkdir(parents=True, exist_ok=True)
        self.switch(False)
        write(self.folder / "boot", IPMI_USUAL)
        write(self.folder / "told", "")


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(f"{text}\n" if text else "")
    fresh.replace(path)


def _read(path: Path) -> str:
    return path.read_text().strip()


_IPMI = """name "{name}"
set_working_mc 0x20
  startlan 1
    addr {address} {port}
    priv_limit admin
    allowed_auths_callback none md5
    allowed_auths_user none md5
    allowed_auths_operator none md5
    allowed_auths_admin none md5
    guid {guid}
  endlan
{serial}  chassis_control "{script} {folder}"
  user 1 {anonymous} "" "" user 10 none md2 md5 straight
  user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""
_EMULATOR = """mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
"""


def ipmi(node: Node, anonymous: bool = False, chassis: Path | None = None, serial: str = "") -> tuple[str, ...]:
    """Write what ``ipmi_sim`` reads, and give the command that starts it. Raises ``LabError``.

    ``serial``: the address and port of the node's serial port (``vclab/lab/serial_port.py``), which is open before.
    ``chassis``: the program that it asks and tells; by default bmc-chassis.sh, which only keeps it in files. The
    process must write its id into ``pid`` in the node's folder (``sh -c 'echo $$ >…; exec …'`` does).
    """
    if not shutil.which("ipmi_sim"):
        raise LabError("ipmi_sim is missing: it is in Debian's package openipmi (`make setup`)")
    folder = node.folder.absolute()
    if any(character.isspace() or character in "\"'" for character in str(folder)):
        raise LabError(f"ipmi_sim can't work in {folder}: spaces and quotes in its path")
    script = chassis or resources.files("vclab.lab") / "files" / "bmc-chassis.sh"
    guid = node.name.encode().hex().ljust(32, "0")[:32]
    values = {"script": script, "folder": folder, "guid": guid, "anonymous": str(anonymous).lower()}
    values["serial"] = f'  sol "tcp:{serial}" 115200 history=4000 historyfru=10\n' if serial else ""
    fields = {name: getattr(node, name) for name in ("name", "address", "port", "user", "password")}
    with contextlib.suppress(FileExistsError):
        (folder / "sim").mkdir()
    (folder / "lan.conf").write_text(_IPMI.format(**values, **fields))
    (folder / "lan.conf").chmod(0o600)
    (folder / "sim.emu").write_text(_EMULATOR)
    run = f"echo $$ >{folder}/pid; exec ipmi_sim -n -c {folder}/lan.conf -f {folder}/sim.emu -s {folder}/sim"
    return ("sh", "-c", run)


def redfish(node: Node) -> tuple[str, ...]:
    """Write what sushy-tools reads, and give the command that starts it. ``cert.pem`` and ``key.pem`` are there."""
    import bcrypt

    settings(node)
    hashed = bcrypt.hashpw(node.password.encode(), bcrypt.gensalt(4)).decode()
    write(node.folder / "users", f"{node.user}:{hashed}")  # as `htpasswd -B` has it
    return (sys.executable, "-m", "vclab.lab.redfish", str(node.folder))


def settings(node: Node) -> Path:
    """Write what the processes of the other kinds read; they never see a BMC's password but hashed."""
    path = node.folder / "node.json"
    path.write_text(json.dumps({"name": node.name, "address": node.address, "port": node.port}))
    return path
