"""What the suite of the interface tries: each provisioning module with a computer of its own, on what it works with."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest

from tests.power import nodes
from tests.provisioning.bench import Bench, FakeContext
from tests.targets import recorded, target_of
from vclab.fake_world import World
from vclab.library.repository import Repository
from vclab.model.catalog import Computer, ComputerKind, Endpoint
from vclab.model.errors import NotYet
from vclab.model.plans import Becomes, Facts, NodeStatus, Profile, Step, StepInput, Target, lasting_uuid
from vclab.model.power import PowerAddress
from vclab.model.states import ComputerState
from vclab.netboot.dnsmasq import Network
from vclab.netboot.environment import INITRD, KERNEL, MANIFEST, Environment
from vclab.netboot.nodes import prepare, publish
from vclab.power.control import Power
from vclab.provisioning import bare_metal, fake, fake_metal, registry, standalone, toy, vsphere
from vclab.provisioning.bare_metal.module import BareMetal
from vclab.provisioning.base import ProvisioningModule
from vclab.provisioning.kind import Metal, Surroundings

MAC = "02:76:63:00:00:01"
ENDPOINT = Endpoint("e", "", "", "", "", "")
SURROUNDINGS = Surroundings(
    installation="vclab",
    endpoints=lambda name: ENDPOINT,
    password=lambda ref: "",
    group=lambda endpoint: [],
    why_not_free=lambda computer: "",
    sanitize=lambda target, fence: None,
    wake=lambda computer, context: None,
)

each_kind = pytest.mark.parametrize("kind", registry.KINDS, ids=lambda kind: kind.name)


@dataclass
class Subject:
    """A module, and a computer that nothing was done with yet."""

    module: ProvisioningModule
    target: Target

    @property
    def own_steps(self) -> list[Step]:
        """The module's own steps of a load. Those of the guest are tried in tests/guests."""
        plan = self.module.load_plan(self.target, NodeStatus())
        return [step for step in plan.steps if step.name in self.module.steps()]

    @property
    def loads(self) -> bool:
        """Its loads write something; others only look."""
        return any(step.profile is not Profile.LOOK for step in self.own_steps)

    def tries(self, step: Step) -> bool:
        """Whether what the step needs is there."""
        return True

    def load(self, target: Target | None = None, steps: int | None = None, times: int = 1) -> None:
        """The module's part of a load, or its first steps, each so many times."""
        for step in self.own_steps[:steps]:
            for _ in range(times):
                with suppress(NotYet):  # of a look: no guest is inside
                    self.step(step.name, target)

    def step(self, name: str, target: Target | None = None, becomes: Becomes | None = None) -> Facts:
        """One step once."""
        given = StepInput(name, name, target or self.target, Facts(), becomes=becomes)
        return self.module.steps()[name](FakeContext(), given)

    def remove(self, target: Target | None = None, context: FakeContext | None = None) -> None:
        """Take it back."""
        self.module.remove(context or FakeContext(), target or self.target)


Maker = Callable[[pytest.FixtureRequest, ExitStack], Subject]


def _fake(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    target = target_of(module=fake.NAME, guest="fake", endpoint="fakes", host="fake1", storage="fake-ds")
    return Subject(fake.Fake(World(), "vclab"), replace(target, private_mac=MAC))


def _fake_metal(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    target = target_of(module=fake_metal.NAME, guest="fake", computer="m1", endpoint="room", host="m1")
    module = fake_metal.FakeMetal(World(), "vclab", lambda endpoint: [_computer("m1", endpoint)])
    return Subject(module, replace(target, spare=lasting_uuid("vclab", "m1")))


def _text_file(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    folder: Path = request.getfixturevalue("tmp_path")
    data = toy.EndpointData(folder=str(folder)).encoded()
    module = toy.TextFile(
        "vclab",
        lambda name: Endpoint(name, toy.NAME, "", "", "", "", module_data=data),
        lambda endpoint: [_computer("note1", endpoint)],
    )
    target = target_of(module=toy.NAME, guest="", computer="note1", endpoint="texts", host="note1")
    return Subject(module, replace(target, image_data=toy.ImageData(text="Hello").encoded(), endpoint_data=data))


def _standalone(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    """A lab machine of which only the SSH port is real."""
    answering = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr(f"{standalone.__name__}.SSH_PORT", answering.getsockname()[1])
    module = standalone.Standalone(
        group=lambda endpoint: [_computer("lab01", endpoint, "127.0.0.1")],
        why_not_free=lambda computer: "",
        sanitize=lambda target, fence: fence(),
        wake=lambda computer, context: context.fence(),
    )
    return Subject(module, target_of(module=standalone.NAME, computer="lab01", endpoint="labs", host="lab01"))


class _Booted(Subject):
    """A node of which the BMC and what the network serves are real; that its system answers is pretended. All of a load
    is real in test_bare_metal.py."""

    @property
    def own_steps(self) -> list[Step]:
        return [step for step in super().own_steps if self.tries(step)]

    def tries(self, step: Step) -> bool:
        return step.name.partition(".")[2] in ("check_bmc", "set_network", "boot_network", "boot_disk")


def _bare_metal(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    folder: Path = request.getfixturevalue("tmp_path")
    running = stack.enter_context(nodes.running(folder, "ipmi", "metal01"))
    network = provisioning_network(folder / "netboot")
    held = recorded(Becomes("", "i", 1))
    Repository.make(folder / "repository").keep(held, 1 << 20, lambda disk, told: disk.touch())
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(folder / "key")
    metal = Metal(
        power=Power(nodes.password_of),
        network=network,
        shared=False,
        ssh_key=folder / "key",
        switched=lambda computer: PowerAddress(str(running.bmc().address), "endpoint/right"),
        repositories=lambda target: [folder / "repository"],
        all_repositories=lambda: [folder / "repository"],
        captured=recorded,
        streams_at_once=1,
    )
    target = target_of(module=bare_metal.NAME, computer="metal01", endpoint="metal", host="metal01")
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr(f"{BareMetal.__module__}._answers", lambda computer: (running.node.power == "on",) * 2)
    node = replace(_computer("metal01", "metal", "10.78.0.51"), private_mac=MAC, power="ipmi")
    module = BareMetal("vclab", lambda endpoint: [node], metal)
    return _Booted(module, replace(target, spare=lasting_uuid("vclab", "metal01")))


def provisioning_network(root: Path) -> Network:
    """One that has an imaging environment, of files that nothing boots from."""
    root.mkdir(mode=0o750)
    built = root.with_name("built")
    built.mkdir()
    for name in (KERNEL, INITRD):
        (built / name).write_bytes(b"nothing")
    (built / MANIFEST).write_text('{"name": "nothing-1"}')
    prepare(root)
    publish(root, Environment(built))
    return Network("eth0", "10.78.0.1/24", root)


def _vsphere(request: pytest.FixtureRequest, stack: ExitStack) -> Subject:
    """On a simulated vCenter."""
    bench: Bench = request.getfixturevalue("bench")
    return Subject(bench.module, bench.target())


def _computer(name: str, group: str, address: str = "") -> Computer:
    return Computer(name, ComputerKind.LAB, ComputerState.AVAILABLE, group, private_address=address)


SUBJECTS: dict[str, Maker] = {
    vsphere.NAME: _vsphere,
    standalone.NAME: _standalone,
    bare_metal.NAME: _bare_metal,
    fake.NAME: _fake,
    fake_metal.NAME: _fake_metal,
    toy.NAME: _text_file,
}
"""By module."""


@contextmanager
def subject_of(module: str, request: pytest.FixtureRequest) -> Iterator[Subject]:
    """That of a module. Nothing is left of it."""
    with ExitStack() as stack:
        made = SUBJECTS[module](request, stack)
        yield made
        made.remove(replace(made.target, generation=made.target.generation + 1))
