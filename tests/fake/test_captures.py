"""Captures of pretended machines, step by step: what the real module would make, and nothing left over."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake.node import ACCESS, TARGET, Node
from tests.provisioning.bench import FakeContext
from vclab.fake_world import Behaviour, Failure, World
from vclab.guests.fake import FakeGuest
from vclab.model.errors import Fenced, NotOurs, NotYet, StepFailed
from vclab.model.plans import Becomes, Facts, Plan, Target
from vclab.provisioning.fake import Fake
from vclab.provisioning.vsphere.module import VSphere

SOURCE = replace(TARGET, storage="fake-ds", disk_gb=8)
BECOMES = Becomes("c1", "class", 2, reservation="r1", computer="fk01", generation=3, access=ACCESS)
SEALING = replace(SOURCE, computer="fk08", isolated=True)
TRYING = replace(SOURCE, computer="fk08", image="class", revision=2, private_mac="02:76:63:00:00:08")
RAW, SEALED, PUBLISHED = (
    "[fake-ds] capture-c1/raw.vmdk",
    "[fake-ds] capture-c1/sealed.vmdk",
    "[fake-ds] class/2/disk.vmdk",
)


class Captured:
    """A machine that is in use, and is captured stage by stage; each step runs so many times."""

    def __init__(self, node: Node, times: int = 1) -> None:
        self.node, self.times, self.facts = node, times, Facts()
        node.load(SOURCE)
        (source,) = node.world.all("fakes")
        node.world.change(source.uuid, accounts=(ACCESS.login,))
        self.source = source.uuid

    def take(self) -> None:
        """The raw copy is taken, and its user has the computer again."""
        self.stage(self.node.module.capture(SOURCE), SOURCE)
        self.stage(self.node.module.hand_back(SOURCE), SOURCE)

    def seal(self) -> None:
        """On a throw-away computer, which is taken back."""
        self.stage(self.node.module.seal(SEALING), SEALING)
        self.node.module.remove(FakeContext(), SEALING)

    def try_(self) -> None:
        """The same, on another one."""
        self.stage(self.node.module.boot_test(TRYING), TRYING)
        self.node.module.remove(FakeContext(), TRYING)

    def publish(self) -> None:
        """It is the revision's."""
        self.stage(self.node.module.publish(TRYING), TRYING)

    def step(self, name: str, target: Target) -> Facts:
        """One step once."""
        return self.node.step(name, target, becomes=BECOMES)

    def paths(self) -> list[str]:
        """The disks that there are."""
        return [disk.path for disk in self.node.world.disks("fakes")]

    def stage(self, plan: Plan, target: Target) -> None:
        """A plan. Once it is sealed, a computer does not answer any more."""
        self.node.facts = Facts(unlike=self.facts.unlike)
        for step in plan.steps:
            for _ in range(self.times):
                if step.name != "fake.seal" or self.node.module.power_status(target) == "on":
                    self.step(step.name, target)
        self.facts = self.facts.merged(self.node.facts)


@pytest.fixture
def captured(node: Node) -> Iterator[Captured]:
    """A machine in use."""
    yield Captured(node)


def test_the_plans_are_those_of_vsphere() -> None:
    """Titles, profiles, and what is put back, so that what is rehearsed is what is lived."""
    real = VSphere(lambda name: None, lambda ref: "", "vclab", 1)  # type: ignore[arg-type, return-value]
    mine = Fake(World(), "vclab")
    for stage in ("capture", "hand_back", "seal", "boot_test", "publish"):
        expected = getattr(real, stage)(replace(SOURCE, module="vsphere", guest="linux")).steps
        steps = getattr(mine, stage)(SOURCE).steps
        assert [(s.title, s.profile, s.undo.partition(".")[2]) for s in steps] == [
            (s.title, s.profile, s.undo.partition(".")[2]) for s in expected
        ]
        assert {s.name for s in steps} | {s.undo for s in steps if s.undo} <= {
            *mine.steps(),
            *FakeGuest(World()).steps(),
        }
    with pytest.raises(StepFailed, match="without a guest"):
        mine.capture(replace(SOURCE, guest=""))


@pytest.mark.parametrize("times", [1, 2])
def test_a_capture(node: Node, times: int) -> None:
    """Each step once, or twice: the copies are where they belong, and the source is unharmed."""
    captured = Captured(node, times)
    before = node.world.find(captured.source)
    captured.take()
    assert captured.paths() == [RAW]
    captured.seal()
    assert captured.paths() == [RAW, SEALED]
    captured.try_()
    captured.publish()
    (disk,) = node.world.disks("fakes")
    (machine,) = node.world.all("fakes")
    assert (disk.path, disk.holds.accounts) == (PUBLISHED, ())
    facts = captured.facts
    assert (facts.copy, facts.disk_sha256, facts.disk_size) == (PUBLISHED, disk.holds.sha256, 8 << 30)
    assert facts.raw_sha256 not in ("", facts.disk_sha256)
    assert before is not None
    assert machine == replace(before, powered_on_at=machine.powered_on_at, boots=2) and machine.on


def test_what_is_put_back_is_gone(captured: Captured) -> None:
    captured.take()
    captured.seal()
    captured.step("fake.publish_copy", TRYING)
    for _ in range(2):
        captured.step("fake.withdraw_copy", TRYING)
        captured.step("fake.discard_capture", SOURCE)
    assert captured.paths() == []


def test_the_raw_copy_stays_while_a_machine_is_made_from_it(captured: Captured) -> None:
    captured.take()
    captured.step("fake.create_vm", SEALING)
    with pytest.raises(StepFailed, match=r"is made from .*raw"):
        captured.step("fake.discard_raw", SEALING)
    assert captured.paths() == [RAW]


def test_what_was_not_sealed_is_seen(captured: Captured) -> None:
    """The account of whoever was let in is on the raw copy, and on what is made from it."""
    captured.take()
    captured.stage(captured.node.module.load_plan(SEALING, captured.node.module.node_status(SEALING)), SEALING)
    captured.node.module.power_off(FakeContext(), SEALING)
    captured.step("fake.copy_sealed", SEALING)
    captured.node.module.remove(FakeContext(), SEALING)
    with pytest.raises(StepFailed, match="the account alice is in the sealed copy"):
        captured.try_()


def test_a_copy_of_what_has_changed_is_made_anew(captured: Captured) -> None:
    node = captured.node
    node.module.power_off(FakeContext(), SOURCE)
    captured.step("fake.copy_raw", SOURCE)
    node.world.change(captured.source, accounts=("alice", "bob"))
    learned = captured.step("fake.verify_raw", SOURCE)
    (disk,) = node.world.disks("fakes")
    assert disk.holds.accounts == ("alice", "bob") and learned.raw_sha256 == disk.holds.sha256


def test_a_machine_that_stays_on(captured: Captured) -> None:
    """It is waited for; then it is powered off hard with the user's word only."""
    context, node = FakeContext(), captured.node
    with pytest.raises(StepFailed, match="is on"):
        captured.step("fake.copy_raw", SOURCE)
    for _ in range(10):
        with pytest.raises(NotYet):
            node.step("fake.await_off", SOURCE, context, BECOMES)
        context.remembered = context.kept
    with pytest.raises(StepFailed, match="--force-off"):
        node.step("fake.await_off", SOURCE, context, BECOMES)
    node.step("fake.await_off", SOURCE, context, replace(BECOMES, force_off=True))
    assert node.module.power_status(SOURCE) == "off"


def test_what_can_t_be_captured_is_told_before_anything_is_touched(captured: Captured) -> None:
    node = captured.node
    with pytest.raises(StepFailed, match="is not being captured"):
        node.step("fake.check_machine", SOURCE)
    with pytest.raises(NotOurs, match="newer"):
        captured.step("fake.check_machine", replace(SOURCE, generation=2, spare=captured.source))
    with pytest.raises(StepFailed, match=r"there is no .*sealed"):
        captured.step("fake.publish_copy", TRYING)
    with pytest.raises(StepFailed, match="could be made from"):
        captured.step("fake.create_vm", SEALING)
    captured.take()
    captured.seal()
    captured.publish()
    other = replace(BECOMES, capture="c2")
    with pytest.raises(StepFailed, match="is there already"):
        node.step("fake.check_machine", SOURCE, becomes=other)
    with pytest.raises(StepFailed, match="is not this capture's"):
        node.step("fake.publish_copy", TRYING, becomes=other)
    node.step("fake.withdraw_copy", TRYING, becomes=other)
    assert captured.paths() == [PUBLISHED]


@pytest.mark.parametrize("name", ["copy_raw", "publish_copy", "withdraw_copy", "discard_raw"])
def test_each_act_on_disks_is_fenced(captured: Captured, name: str) -> None:
    captured.take()
    captured.seal()
    if name == "copy_raw":
        captured.node.module.power_off(FakeContext(), SOURCE)
        captured.step("fake.discard_capture", SOURCE)
    if name == "withdraw_copy":
        captured.step("fake.publish_copy", TRYING)
    before = captured.paths()
    with pytest.raises(Fenced):
        captured.node.step(f"fake.{name}", SOURCE, FakeContext(allowed=0), BECOMES)
    assert captured.paths() == before


def test_a_misfortune_leaves_nothing(captured: Captured) -> None:
    node = captured.node
    node.world.behaviour = replace(node.world.behaviour, failures={"fake.copy_raw": Failure(times=1)})
    with pytest.raises(StepFailed, match=r"fake\.copy_raw fails on fake1"):
        captured.take()
    assert captured.paths() == []
    captured.take()
    assert captured.paths() == [RAW]


def test_disks_in_files_outlive_the_worker(tmp_path: Path) -> None:
    captured = Captured(Node(World(Behaviour(world=tmp_path))))
    captured.take()
    again = World(Behaviour(world=tmp_path))
    assert again.disks("fakes") == captured.node.world.disks("fakes") != []
    assert again.all("fakes") == captured.node.world.all("fakes") != []
