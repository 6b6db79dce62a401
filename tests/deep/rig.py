"""Computers with a BMC that are virtual machines: ``ipmi_sim`` starts and kills their QEMU, without KVM. The module
bare-metal loads them, from a repository.

All of a rig is in one network namespace: dnsmasq on its bridge, BMCs on its loopback addresses, the machines' cards. A
test that runs in ``rig(…)`` is there too, as the worker of a management node is.
"""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.labfixture import eventually
from tests.netboot.bench import Log, Provisioning, provisioning, run
from tests.targets import recorded, target_of
from vclab.imaging.node import Node
from vclab.lab import bmcs
from vclab.lab.network import NETNS, entered
from vclab.library.repository import Repository
from vclab.model.catalog import Computer, ComputerKind
from vclab.model.errors import NotYet
from vclab.model.plans import Facts, NodeStatus, StepInput
from vclab.model.power import PowerAddress
from vclab.model.states import ComputerState
from vclab.model.steps import Unattended
from vclab.netboot import environment, values
from vclab.netboot.load import load_initrd, new_host_key
from vclab.netboot.nodes import Load, publish
from vclab.netboot.values import State
from vclab.power.address import parse
from vclab.power.base import Bmc, Boot, BootDevice, PowerState
from vclab.power.control import Power
from vclab.provisioning import bare_metal
from vclab.provisioning.bare_metal import imaging
from vclab.provisioning.bare_metal.module import BareMetal
from vclab.provisioning.kind import Metal

OVMF = Path("/usr/share/OVMF")
CHASSIS = Path(__file__).with_name("chassis.sh")
PASSWORD, PORT = "correct-horse", 623
BOOT_SECONDS = 900.0
"""Until a machine is up: 30 to 60 s on two cores with nothing else to do."""
CONTROLLERS = {
    "ahci": "-device ide-hd,drive=d0,bus=ide.0",
    "nvme": "-device nvme,drive=d0",
    "virtio-blk": "-device virtio-blk-pci,drive=d0",
    "virtio-scsi": "-device virtio-scsi-pci,id=s0 -device scsi-hd,drive=d0,bus=s0.0",
}
"""What the disk is behind. Machines of kind q35 bring AHCI along."""
FURTHER = {
    "ahci": "-device ide-hd,drive=d{number},bus=ide.{number}",
    "nvme": "-device nvme,drive=d{number}",
    "virtio-blk": "-device virtio-blk-pci,drive=d{number}",
    "virtio-scsi": "-device virtio-scsi-pci,id=s{number} -device scsi-hd,drive=d{number},bus=s{number}.0",
}
FURTHER_SIZE = 64 << 20
"""Bytes of a further disk."""


@dataclass(frozen=True)
class Build:
    """A machine as it is built. ``firmware``: "bios" or "efi"; ``disk``: bytes; ``more``: what further disks are
    behind."""

    number: int
    controller: str
    firmware: str
    disk: int = 2 << 30
    more: tuple[str, ...] = ()

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

    @property
    def bmc(self) -> str:
        """Its BMC's address."""
        return f"127.78.0.{self.number}"


class Machine:
    """One of a rig: off, with an empty disk."""

    def __init__(self, build: Build, network: Provisioning, folder: Path, login: Path) -> None:
        self.build, self._network, self._folder, self._login = build, network, folder, login
        self._node = bmcs.Node(folder, build.name, build.bmc, PORT, password=PASSWORD)
        self._power = Power(lambda reference: PASSWORD)
        self._make()
        tail = ("tail", "--lines=+1", "--follow", str(folder / "console"))
        self.console = Log(network.inside(network.tag, *tail, stdout=subprocess.PIPE).stdout)

    @property
    def power_address(self) -> str:
        """Where it is switched."""
        return f"ipmi://{self._node.user}@{self._node.address}:{self._node.port}"

    @property
    def variables(self) -> Path:
        """The flash memory of its UEFI."""
        return self._folder / "variables.fd"

    @property
    def told(self) -> list[str]:
        """What its BMC was told."""
        return self._node.told

    def computer(self) -> Computer:
        """As it is recorded."""
        build = self.build
        return Computer(
            build.name,
            ComputerKind.LAB,
            ComputerState.AVAILABLE,
            "metal",
            private_mac=build.mac,
            private_address=build.address,
            power="ipmi",
            module_data=json.dumps({"disk": f"serial={build.serial}", "firmware": build.firmware}),
        )

    @property
    def processor_seconds(self) -> float:
        """Of its processor since it was switched on, firmware and all; 0: it is off."""
        with suppress(FileNotFoundError):
            pid = (self._folder / "qemu.pid").read_text().strip()
            spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def to_imaging(self, environment: str) -> Node:
        """Boot it over the network, without the module, into the imaging environment of a new load: who runs programs
        there."""
        private, public = new_host_key()
        load = f"load-{secrets.token_hex(3)}"
        initrd = load_initrd(private, [self._login.with_suffix(".pub").read_text()], load)
        self._network.nodes.set(self.build.mac, State.IMAGE, Load(environment, load, initrd))
        known, before = self._folder / "known_hosts", len(self.console.lines)
        known.write_text(f"{self.build.address} {public}\n")
        self._power.off(self._bmc, Unattended())
        self._power.set_boot_device(self._bmc, Boot(BootDevice.NETWORK), Unattended())
        self._power.on(self._bmc, Unattended())
        for said in (f"state image, load {load}", "Server listening"):
            self.console.wait_for(said, BOOT_SECONDS, before)
        return Node("", self._network.ssh_words(self.build.address, known, self._login))

    def start_again(self) -> None:
        """Off and on, and its BMC says nothing: it boots as its firmware is set, and comes up in the same load. What a
        BMC says, QEMU hands to OVMF as an order of devices, and that deletes entries that are not in it."""
        before = len(self.console.lines)
        self._power.off(self._bmc, Unattended())
        self._power.on(self._bmc, Unattended())
        self.console.wait_for("Server listening", BOOT_SECONDS, before)

    def pull_plug(self) -> None:
        """Off, whatever it does."""
        self._power.off(self._bmc, Unattended())

    def await_off(self) -> None:
        """Until its system has switched it off."""
        eventually(lambda: self._power.status(self._bmc, Unattended()).state is PowerState.OFF, BOOT_SECONDS, 1.0)

    @property
    def _bmc(self) -> Bmc:
        return Bmc(self.build.name, parse(self.power_address), "bmc")

    @property
    def disk(self) -> Path:
        """The file that is its first disk."""
        return self._folder / "disk.raw"

    def further(self, number: int) -> Path:
        """The file that is a further disk: 1, 2, …"""
        return self._folder / f"further-{number}.raw"

    def _make(self) -> None:
        """Disk, firmware, card and BMC."""
        build, network = self.build, self._network
        sizes = {self.disk: build.disk} | {self.further(n): FURTHER_SIZE for n, _ in enumerate(build.more, 1)}
        for file, size in sizes.items():
            with file.open("xb") as disk:
                disk.truncate(size)
        shutil.copy(OVMF / "OVMF_VARS_4M.fd", self.variables)
        (self._folder / "console").touch()
        network.tap(f"tap{build.number}")
        network.nodes.enlist(network.network, values.Node(build.mac, build.name, build.address))
        self._node.make()
        for device in ("none", "pxe", "default"):
            (self._folder / f"start.{device}").write_text(shlex.join(self._qemu(device)) + "\n")
        with (self._folder / "bmc.log").open("wb") as log:
            command = bmcs.ipmi(self._node, chassis=CHASSIS)
            process = network.inside(network.tag, *command, stdout=log, stderr=log)
        place = "".join(f"{int(part):02X}" for part in reversed(build.bmc.split("."))) + f":{PORT:04X} "
        eventually(lambda: place in Path(f"/proc/{process.pid}/net/udp").read_text(), 10)

    def _qemu(self, device: str) -> list[str]:
        """The words that start it. What the BMC said goes to the firmware as an order of devices. With nothing said a
        UEFI boots as its variables say; a BIOS keeps nothing, and tries the network first."""
        build, folder = self.build, self._folder
        first = {"none": "" if build.firmware == "efi" else "card", "pxe": "card", "default": "disk"}[device]
        order = {part: f",bootindex={1 if part == first else 2}" if first else "" for part in ("card", "disk")}
        words = ["nice", "-n", "15", "qemu-system-x86_64", "-daemonize", "-pidfile", f"{folder}/qemu.pid"]
        words += ["-accel", "tcg", "-cpu", "max", "-m", "1024", "-nodefaults", "-display", "none", "-no-reboot"]
        words += ["-chardev", f"file,id=c0,path={folder}/console,append=on", "-serial", "chardev:c0"]
        words += ["-machine", "q35", "-drive", f"file={self.disk},if=none,id=d0,format=raw,discard=unmap,cache=unsafe"]
        words += f"{CONTROLLERS[build.controller]},serial={build.serial}{order['disk']}".split()
        for number, controller in enumerate(build.more, 1):
            file, drive = self.further(number), FURTHER[controller].format(number=number)
            words += ["-drive", f"file={file},if=none,id=d{number},format=raw,discard=unmap,cache=unsafe"]
            words += f"{drive},serial={build.serial}-{number}".split()
        words += ["-netdev", f"tap,id=n0,ifname=tap{build.number},script=no,downscript=no"]
        rom = ",romfile=" if build.firmware == "efi" else ""
        words += ["-device", f"virtio-net-pci,netdev=n0,mac={build.mac}{rom}{order['card']}"]
        if build.firmware == "efi":
            words += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.fd"]
            words += ["-drive", f"if=pflash,format=raw,file={self.variables}"]
        return words


class Rig:
    """A provisioning network with machines, and the module that loads them from a repository. ``login``: the management
    node's private key, beside its public one."""

    def __init__(self, network: Provisioning, folder: Path, login: Path, repositories: list[Path]) -> None:
        self.network, self.login, self._folder = network, login, folder
        self.machines: list[Machine] = []
        metal = Metal(
            power=Power(lambda reference: PASSWORD),
            network=network.network,
            shared=False,
            ssh_key=login,
            switched=self._switched,
            repositories=lambda target: repositories,
            all_repositories=lambda: repositories,
            captured=recorded,
            streams_at_once=1,
        )
        self.module = BareMetal("vclab", lambda endpoint: [each.computer() for each in self.machines], metal)

    def machine(self, controller: str, firmware: str, *more: str) -> Machine:
        """Another one, with its disk and further ones behind these controllers."""
        build = Build(len(self.machines) + 1, controller, firmware, more=more)
        folder = self._folder / build.name
        folder.mkdir()
        self.machines.append(Machine(build, self.network, folder, self.login))
        return self.machines[-1]

    def _switched(self, name: str) -> PowerAddress:
        (found,) = (each for each in self.machines if each.build.name == name)
        return PowerAddress(found.power_address, "bmc")


@contextmanager
def rig(folder: Path, login: Path, repository: Repository | None = None) -> Iterator[Rig]:
    """One that is gone afterwards."""
    folder.mkdir()
    built = environment.environment(say)
    with provisioning() as network, entered(NETNS / network.tag):
        publish(network.network.root, built)
        yield Rig(network, folder, login, [repository.folder] if repository else [])


class Context(Unattended):
    """A step's runner that keeps what it is told."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.said: list[str] = []

    def progress(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)

    def remember(self, **details: str) -> None:
        """Keep it."""
        self.kept.update(details)


@dataclass
class Loading:
    """A load of a machine with a revision, by the module's steps."""

    rig: Rig
    machine: Machine
    revision: int = 1
    facts: Facts = field(default_factory=Facts)
    is_up: bool = False  #: its own system

    def run(self, after: str = "", upto: str = "") -> None:
        """All steps of its plan, or those behind one, or up to one."""
        plan = self.rig.module.load_plan(self._given("").target, NodeStatus())
        names = [step.name.removeprefix("bare-metal.") for step in plan.steps if step.name in self.rig.module.steps()]
        begin, end = names.index(after) + 1 if after else 0, names.index(upto) + 1 if upto else len(names)
        for name in names[begin:end]:
            self.step(name)

    def step(self, name: str, context: Context | None = None) -> None:
        """One step, again and again until it has what it looks for."""
        began, context = time.monotonic(), context or Context()
        while True:
            try:
                given = self._given(name)
                self.facts = self.facts.merged(self.rig.module.steps()[given.step](context, given))
                break
            except NotYet as why:
                assert time.monotonic() < began + BOOT_SECONDS, (str(why), self.machine.console.lines[-40:])
                time.sleep(why.next_look_seconds)
        self.is_up = name == "await_system"
        told = context.said[-1] if context.said else ""
        took, spent = time.monotonic() - began, self.machine.processor_seconds
        say(f"{self.machine.build.name}: {name}: {took:.0f} s, of its processor {spent:.0f} s since it is on; {told}")

    @contextmanager
    def there(self) -> Iterator[Node]:
        """The imaging environment, with its disk."""
        key, mac = self.facts.imaging_key, self.machine.build.mac
        name = imaging.load_name(self._given("").target)
        expected = imaging.Expected(self.machine.build.name, self.machine.build.address, mac, key, name)
        with imaging.reached(expected, self.rig.login, self.facts.disk) as found:
            yield found

    def system(self, command: str) -> str:
        """What a command prints in its own system."""
        address = self.machine.build.address
        key = " ".join(run("ssh-keyscan", "-T", "30", "-t", "ed25519", address).stdout.split()[1:3])
        assert key and key != self.facts.imaging_key
        done = self.rig.network.ssh(address, key, self.rig.login, command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def _given(self, name: str) -> StepInput:
        build = self.machine.build
        target = target_of(
            module=bare_metal.NAME,
            guest="",
            endpoint="metal",
            computer=build.name,
            host=build.name,
            private_mac=build.mac,
            image="debian",
            revision=self.revision,
        )
        return StepInput(f"bare-metal.{name}", name, target, self.facts)


def say(text: str) -> None:
    """For whoever waits."""
    print(f"test-deep: {text}", file=sys.stderr, flush=True)


def output(node: Node, *command: str) -> str:
    """What a command prints there."""
    return run(*node.command(*command), seconds=300).stdout
