"""Computers with a BMC that are virtual machines: ``ipmi_sim`` starts and kills their QEMU, without KVM.

All of a rig is in one network namespace: dnsmasq on its bridge, BMCs on its loopback addresses, the machines' cards. A
test that runs in ``rig(…)`` is there too, as the worker of a management node is.
"""

import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.labfixture import eventually
from tests.netboot.bench import Log, Provisioning, provisioning, run
from vclab.imaging.sender import Node
from vclab.lab import bmcs
from vclab.lab.network import NETNS, entered
from vclab.model.steps import Unattended
from vclab.netboot import values
from vclab.netboot.load import load_initrd, new_host_key
from vclab.netboot.nodes import Load
from vclab.netboot.values import State
from vclab.power.address import parse
from vclab.power.base import Bmc, Boot, BootDevice
from vclab.power.control import Power

OVMF = Path("/usr/share/OVMF")
CHASSIS = Path(__file__).with_name("chassis.sh")
PASSWORD = "correct-horse"
BOOT_SECONDS = 400.0
"""Until a machine is up: 30 to 60 s on two cores with nothing else to do."""
CONTROLLERS = {
    "ahci": "-device ide-hd,drive=d0,bus=ide.0",
    "nvme": "-device nvme,drive=d0",
    "virtio-blk": "-device virtio-blk-pci,drive=d0",
    "virtio-scsi": "-device virtio-scsi-pci,id=s0 -device scsi-hd,drive=d0,bus=s0.0",
}
"""What the disk is behind. Machines of kind q35 bring AHCI along."""


@dataclass(frozen=True)
class Build:
    """A machine as it is built. ``firmware``: "bios" or "efi"; ``disk``: bytes."""

    number: int
    controller: str
    firmware: str
    disk: int = 2 << 30

    @property
    def name(self) -> str:
        """Its host name."""
        return f"metal{self.number:02}"

    @property
    def serial(self) -> str:
        """Of its disk."""
        return f"DISK-{self.number:02}"

    @property
    def mac(self) -> str:
        """Of its card."""
        return f"52:54:00:00:00:{self.number:02x}"

    @property
    def address(self) -> str:
        """That DHCP gives it."""
        return f"10.78.0.{50 + self.number}"


class Machine:
    """One of a rig. It is switched by its BMC only."""

    def __init__(self, build: Build, network: Provisioning, folder: Path, login: Path) -> None:
        self.build, self.login, self._network, self._folder = build, login, network, folder
        self._node = bmcs.Node(folder, build.name, f"127.78.0.{build.number}", 623, password=PASSWORD)
        self._power = Power(lambda reference: PASSWORD)
        self._context = Unattended()
        self._disk.touch()
        self._make()
        self.console = Log(network.inside(network.tag, *_tail(folder / "console"), stdout=subprocess.PIPE).stdout)

    @property
    def bmc(self) -> Bmc:
        """How it is switched."""
        return Bmc(self.build.name, parse(f"ipmi://{self._node.user}@{self._node.address}"), "bmc")

    @property
    def variables(self) -> Path:
        """What its UEFI keeps."""
        return self._folder / "variables.fd"

    @property
    def told(self) -> list[str]:
        """What its BMC was told."""
        return self._node.told

    def to_imaging(self, environment: str) -> Node:
        """Boot it over the network, once, into the imaging environment of a new load: who runs programs there."""
        private, public = new_host_key()
        load = f"load-{secrets.token_hex(3)}"
        initrd = load_initrd(private, [self.login.with_suffix(".pub").read_text()], load)
        self._network.nodes.set(self.build.mac, State.IMAGE, Load(environment, load, initrd))
        known = self._folder / "known_imaging"
        known.write_text(f"{self.build.address} {public}\n")
        self.start(BootDevice.NETWORK, f"state image, load {load}", "Server listening")
        return Node("", self._ssh(known, "yes"))

    def to_disk(self) -> Node:
        """Boot it from its disk to a login: who runs programs in its own system."""
        self._network.nodes.set(self.build.mac, State.BOOT)
        self.start(BootDevice.DISK, "debian login:")
        known = self._folder / "known_system"
        known.unlink(missing_ok=True)
        node = Node("", self._ssh(known, "accept-new"))
        eventually(lambda: subprocess.run(node.command("true"), capture_output=True).returncode == 0, BOOT_SECONDS)
        return node

    def start(self, device: BootDevice, *said: str) -> None:
        """Set what it boots from, off, on; until its console has said all of that."""
        before = len(self.console.lines)
        self._power.set_boot_device(self.bmc, Boot(device, once=device is BootDevice.NETWORK), self._context)
        self._power.off(self.bmc, self._context)
        self._power.on(self.bmc, self._context)
        for text in said:
            self.console.wait_for(text, BOOT_SECONDS, before)

    def off(self) -> None:
        """As if its plug were pulled."""
        self._power.off(self.bmc, self._context)

    @property
    def _disk(self) -> Path:
        return self._folder / "disk.raw"

    def _ssh(self, known: Path, strict: str) -> tuple[str, ...]:
        options = [f"UserKnownHostsFile={known}", "GlobalKnownHostsFile=/dev/null", f"StrictHostKeyChecking={strict}"]
        options += ["BatchMode=yes", "IdentitiesOnly=yes", "ConnectTimeout=30", "LogLevel=ERROR"]
        words = ("ssh", "-F", "none", "-i", str(self.login), *(f"-o{option}" for option in options))
        return (*words, f"root@{self.build.address}")

    def _make(self) -> None:
        """Disk, firmware, card and BMC."""
        build, network = self.build, self._network
        with self._disk.open("r+b") as disk:
            disk.truncate(build.disk)
        shutil.copy(OVMF / "OVMF_VARS_4M.fd", self.variables)
        network.tap(f"tap{build.number}")
        network.nodes.enlist(values.Node(build.mac, build.name, build.address))
        for device in ("none", "pxe", "default"):
            (self._folder / f"start.{device}").write_text(shlex.join(self._qemu(device)) + "\n")
        self._node.make()
        bmcs.write(self._folder / "boot", "none")
        with (self._folder / "bmc.log").open("wb") as log:
            command = bmcs.ipmi(self._node, chassis=CHASSIS)
            process = network.inside(network.tag, *command, stdout=log, stderr=log)
        eventually(lambda: ":026F " in Path(f"/proc/{process.pid}/net/udp").read_text(), 10)

    def _qemu(self, device: str) -> list[str]:
        """The words that start it. What the BMC said goes to the firmware as an order of devices. With nothing said a
        UEFI boots as its variables say; a BIOS keeps nothing, and tries the network first."""
        build, folder = self.build, self._folder
        first = {"none": "" if build.firmware == "efi" else "card", "pxe": "card", "default": "disk"}[device]
        order = {part: f",bootindex={1 if part == first else 2}" if first else "" for part in ("card", "disk")}
        words = ["nice", "-n", "15", "qemu-system-x86_64", "-daemonize", "-pidfile", f"{folder}/qemu.pid"]
        words += ["-accel", "tcg", "-cpu", "max", "-m", "1024", "-nodefaults", "-display", "none", "-no-reboot"]
        words += ["-chardev", f"file,id=c0,path={folder}/console,append=on", "-serial", "chardev:c0"]
        words += ["-machine", "q35", "-drive", f"file={self._disk},if=none,id=d0,format=raw,discard=unmap,cache=unsafe"]
        words += f"{CONTROLLERS[build.controller]},serial={build.serial}{order['disk']}".split()
        words += ["-netdev", f"tap,id=n0,ifname=tap{build.number},script=no,downscript=no"]
        rom = ",romfile=" if build.firmware == "efi" else ""
        words += ["-device", f"virtio-net-pci,netdev=n0,mac={build.mac}{rom}{order['card']}"]
        if build.firmware == "efi":
            words += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd"]
            words += ["-drive", f"if=pflash,format=raw,file={self.variables}"]
        return words


def _tail(file: Path) -> list[str]:
    file.touch()
    return ["tail", "--lines=+1", "--follow", str(file)]


class Rig:
    """A provisioning network with machines."""

    def __init__(self, network: Provisioning, folder: Path, login: Path) -> None:
        self.network, self._folder, self._login = network, folder, login

    def machine(self, controller: str, firmware: str) -> Machine:
        """Another one: off, with an empty disk."""
        build = Build(1 + len(list(self._folder.iterdir())), controller, firmware)
        folder = self._folder / build.name
        folder.mkdir()
        return Machine(build, self.network, folder, self._login)


@contextmanager
def rig(folder: Path, login: Path) -> Iterator[Rig]:
    """One that is gone afterwards. ``login``: the private key that is let in, beside its public one."""
    folder.mkdir()
    with provisioning() as network, entered(NETNS / network.tag):
        yield Rig(network, folder, login)


def output(node: Node, *command: str) -> str:
    """What a command prints there."""
    return run(*node.command(*command), seconds=120).stdout
