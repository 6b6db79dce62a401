"""A node of bare metal for the module: a real BMC, a provisioning network, a chassis that boots what its disk says, and
a repository with a system. All is in a network namespace of its own; what drives the node runs in it too."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from tests.netboot.bench import CARD, Provisioning, provisioning, run
from tests.provisioning.bench import FakeContext
from tests.targets import recorded, target_of
from vclab.lab import bmcs, disks, network, rootfs
from vclab.lab.bmcs import Node, Runs
from vclab.lab.machines import Card
from vclab.lab.nodes import Chassis, Hardware, Place
from vclab.lab.serial_port import SerialPort
from vclab.library.repository import Repository
from vclab.model.catalog import Computer, ComputerKind
from vclab.model.errors import NotYet, Unreachable
from vclab.model.plans import Becomes, Facts, NodeStatus, Step, StepInput, Target, lasting_uuid
from vclab.model.power import PowerAddress
from vclab.model.revisions import RevisionRecord
from vclab.model.states import ComputerState
from vclab.netboot import environment
from vclab.netboot.nodes import publish
from vclab.power.control import Limits, Power
from vclab.provisioning import bare_metal
from vclab.provisioning.bare_metal.module import BareMetal
from vclab.provisioning.kind import Metal

MAC, ADDRESS, NAME, SERIAL = "02:76:6d:00:00:01", "10.78.0.51", "metal01", "VC0001"
PASSWORD, IPMI_PORT, SERIAL_PORT = "correct-horse", 6230, 6300
IMAGE_GB, DISK_BYTES = 2, 3 << 30


@dataclass(frozen=True)
class Bootable:
    """A repository with one revision that boots, and the key that its root lets in."""

    repository: Repository
    key: Path


def bootable(folder: Path) -> Bootable:
    """Made once for all nodes."""
    key = folder / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    rootfs.make_layer(folder / "layer", key.with_suffix(".pub").read_text())
    disks.make_master(folder / "disk.vmdk", rootfs.tree(_tell), folder / "layer", IMAGE_GB)
    raw = disks.data_of(folder / "disk.vmdk", child=False)
    repository = Repository.make(folder / "repository")
    repository.keep(record_of(1), raw.stat().st_size, lambda into, told: copied(raw, into))
    return Bootable(repository, key)


def record_of(revision: int) -> RevisionRecord:
    """What is kept beside the bytes."""
    return RevisionRecord(
        "debian-12", revision, "Debian", "", 0, "bare-metal", "linux", 0, 0, datetime(2026, 11, 28, tzinfo=UTC), "olga"
    )


def copied(source: Path, into: Path) -> None:
    """With its holes."""
    run("cp", "--sparse=always", str(source), str(into))


@dataclass
class MetalBench:
    """One node, and the module that loads it."""

    made: Bootable
    wires: Provisioning
    chassis: Chassis
    module: BareMetal
    computer: Computer
    target: Target
    repository: Repository
    metal: Metal
    serial: SerialPort
    context: FakeContext = field(default_factory=FakeContext)
    facts: Facts = field(default_factory=Facts)
    said: list[str] = field(default_factory=list)  #: what attempts said that ``again`` repeated
    others: tuple[str, ...] = ()  #: further names of the same node

    @property
    def node(self) -> Node:
        return self.chassis.node

    @contextmanager
    def inside(self) -> Iterator[None]:
        """In the namespace of the management node."""
        with network.entered(f"/run/netns/{self.wires.tag}"):
            yield

    def group(self) -> list[Computer]:
        """The nodes that there are."""
        return [self.computer, *(replace(self.computer, name=name) for name in self.others)]

    def plan(self) -> list[Step]:
        """The module's own steps of a whole load."""
        steps = self.module.load_plan(self.target, NodeStatus()).steps
        return [step for step in steps if step.name in self.module.steps()]

    def step(
        self,
        name: str,
        context: FakeContext | None = None,
        seconds: float = 60.0,
        target: Target | None = None,
        becomes: Becomes | None = None,
    ) -> Facts:
        """One step, looks again and again; what it learns is laid over."""
        deadline, context = time.monotonic() + seconds, context or FakeContext()
        while True:
            try:
                return self.once(name, context, target, becomes)
            except NotYet as why:
                assert time.monotonic() < deadline, (str(why), self.console()[-2000:])
                context = FakeContext(remembered={**context.remembered, **context.kept})
                time.sleep(0.1)

    def once(
        self,
        name: str,
        context: FakeContext | None = None,
        target: Target | None = None,
        becomes: Becomes | None = None,
    ) -> Facts:
        """One attempt of a step."""
        given = StepInput(f"bare-metal.{name}", name, target or self.target, self.facts, becomes=becomes)
        self.context = context or FakeContext()
        with self.inside():
            found = self.module.steps()[given.step](self.context, given)
        self.facts = self.facts.merged(found)
        return found

    def again(self, name: str, seconds: float = 60.0) -> FakeContext:
        """As the plan's runner does it: again and again, with what is remembered, unless it has failed for good."""
        deadline, context = time.monotonic() + seconds, FakeContext()
        while True:
            try:
                self.once(name, context)
                return context
            except (NotYet, Unreachable) as why:
                self.said.append(str(why))
                assert time.monotonic() < deadline, (self.said, self.console()[-2000:])
            context = FakeContext(remembered={**context.remembered, **context.kept})
            time.sleep(0.3)

    def load(self, upto: str = "") -> None:
        """All steps of the module, or those before one."""
        for step in self.plan():
            name = step.name.partition(".")[2]
            if name == upto:
                return
            self.step(name)

    def start_bmc(self) -> None:
        """And wait until it listens."""
        self.wires.inside(self.wires.tag, *bmcs.ipmi(self.node, serial=f"127.0.0.1:{SERIAL_PORT}"))
        sockets = ("ip", "netns", "exec", self.wires.tag, "cat", "/proc/net/udp")
        self.until(lambda: f":{IPMI_PORT:04X} " in run(*sockets).stdout, 10)

    def console(self) -> str:
        if not self.chassis.console_log.exists():
            return ""
        return self.chassis.console_log.read_text(errors="replace")

    def until(self, wanted: Callable[[], object], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not wanted():
            assert time.monotonic() < deadline, self.console()[-3000:]
            time.sleep(0.05)

    def runs(self, wanted: Runs) -> None:
        self.until(lambda: self.node.runs is wanted)

    def ssh(self, key: str, *command: str) -> str:
        done = self.wires.ssh(ADDRESS, key, self.made.key, *command)
        assert done.returncode == 0, (done.stderr, self.console()[-2000:])
        return done.stdout

    def host_key(self) -> str:
        """What its SSH server shows."""
        words = ("ip", "netns", "exec", self.wires.tag, "ssh-keyscan", "-T", "2", "-t", "ed25519", ADDRESS)
        return " ".join(run(*words, check=False).stdout.split()[1:3])


@contextmanager
def metal_bench(folder: Path, made: Bootable, limits: Limits | None = None, **more: object) -> Iterator[MetalBench]:
    """A node that is off, with an empty disk. ``more``: of its hardware."""
    with ExitStack() as stack:
        wires = stack.enter_context(provisioning(log_file=True))
        node = Node(folder / NAME, NAME, "127.0.0.1", IPMI_PORT, password=PASSWORD)
        node.make()
        hardware = replace(Hardware(SERIAL, DISK_BYTES, (Card(MAC, CARD),)), **more)  # type: ignore[arg-type]
        serial = SerialPort("127.0.0.1", SERIAL_PORT, Path(f"/run/netns/{wires.tag}"))
        chassis = Chassis(node, hardware, Place(wires.tag, folder / "root", serial))
        chassis.start()
        stack.callback(chassis.close)
        publish(wires.network.root, environment.environment(_tell))
        target = target_of(module=bare_metal.NAME, computer=NAME, endpoint="metal", host=NAME, image="debian-12")
        computer = Computer(
            NAME,
            ComputerKind.LAB,
            ComputerState.AVAILABLE,
            "metal",
            private_mac=MAC,
            private_address=ADDRESS,
            power="ipmi",
        )
        bench: MetalBench
        address = f"ipmi://{node.user}@{node.address}:{node.port}"
        metal = Metal(
            power=Power(lambda reference: PASSWORD, limits=limits),
            network=wires.network,
            shared=False,
            ssh_key=made.key,
            switched=lambda name: PowerAddress(address, "power/metal01"),
            repositories=lambda target: [bench.repository.folder],
            all_repositories=lambda: [bench.repository.folder],
            captured=recorded,
            streams_at_once=2,
        )
        target = replace(target, revision=1, private_mac=MAC, spare=lasting_uuid("vclab", NAME))
        module = BareMetal("vclab", lambda endpoint: bench.group(), metal)
        bench = MetalBench(made, wires, chassis, module, computer, target, made.repository, metal, serial)
        bench.start_bmc()
        yield bench


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


IS_ROOT = os.geteuid() == 0
