"""Pretended bare metal: what it holds stays, is written anew by a load, and is unknown once it was taken back."""

import asyncio
from dataclasses import replace

import pytest

from tests.fake.node import ACCESS
from tests.provisioning.bench import FakeContext
from tests.targets import target_of
from vclab.fake_world import Behaviour, Held, World
from vclab.guests.fake import FakeGuest
from vclab.model.catalog import Computer, ComputerKind
from vclab.model.errors import Fenced, NotOurs, StepFailed
from vclab.model.plans import Becomes, Facts, Plan, Status, StepInput, Target, lasting_uuid
from vclab.model.states import ComputerState
from vclab.model.steps import StepContext
from vclab.provisioning.fake_metal import FakeMetal

METAL1 = Computer("m1", ComputerKind.LAB, ComputerState.AVAILABLE, "room", private_address="10.77.0.31")
METAL2 = replace(METAL1, name="m2", private_address="10.77.0.32")
TARGET = target_of(
    reservation="r1",
    computer="m1",
    generation=3,
    module="fake-metal",
    guest="fake",
    endpoint="room",
    host="m1",
    image="os",
    spare=lasting_uuid("vclab", "m1"),
)
LATER = replace(TARGET, reservation="r2", generation=4)


class Room:
    """The drivers on one world."""

    def __init__(self) -> None:
        self.world = World(Behaviour(enabled=True))
        self.module, self.guest = FakeMetal(self.world, "vclab", lambda _: [METAL1, METAL2]), FakeGuest(self.world)

    def step(
        self,
        name: str,
        target: Target,
        facts: Facts | None = None,
        context: StepContext | None = None,
        becomes: Becomes | None = None,
    ) -> Facts:
        """Run one step once."""
        given, context = StepInput(name, name, target, facts or Facts(), becomes=becomes), context or FakeContext()
        if name in self.module.steps():
            return self.module.steps()[name](context, given)

        async def run() -> Facts:
            return await self.guest.steps()[name](context, given)

        return asyncio.run(run())

    def load(self, target: Target = TARGET) -> list[str]:
        """The whole plan, each step twice: the second time changes nothing."""
        facts, plan = Facts(), self.module.load_plan(target, self.module.node_status(target))
        for step in plan.steps:
            facts = facts.merged(self.step(step.name, target, facts))
            before = self.world.find(target.instance_uuid)
            self.step(step.name, target, facts)
            assert self.world.find(target.instance_uuid) == before
        return [step.name for step in plan.steps]

    def status(self, target: Target) -> Status:
        return self.module.node_status(target).status


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_load_and_a_short_one(room: Room) -> None:
    assert "nothing was ever loaded" in room.module.node_status(TARGET).why
    assert room.load()[:2] == ["fake-metal.deploy", "fake-metal.power_on"]
    assert room.module.whereabouts(TARGET).address
    assert room.status(LATER) is Status.READY
    assert room.load(LATER) == ["fake-metal.adopt", "fake.post_load", "fake.read_public_address"]
    machine = room.world.find(TARGET.instance_uuid)
    assert machine is not None and (machine.generation, machine.boots) == (4, 1)
    assert room.status(replace(LATER, image="other")) is Status.RELOAD


def test_taken_back_it_holds_nothing_that_is_known(room: Room) -> None:
    """Also when nothing says that it was used; what a user left goes with the next load."""
    room.load()
    asyncio.run(room.guest.grant_access(TARGET, Facts(), ACCESS))
    for _ in range(2):
        room.module.remove(FakeContext(), TARGET)
    machine = room.world.find(TARGET.instance_uuid)
    assert machine is not None and (machine.on, machine.let_in, machine.image) == (False, (), "")
    assert room.status(LATER) is Status.RELOAD
    room.load(LATER)
    machine = room.world.find(TARGET.instance_uuid)
    assert machine is not None and (machine.accounts, machine.tainted) == ((), "")


def test_it_is_switched_by_whom_it_belongs_to(room: Room) -> None:
    room.load()
    room.module.power_off(FakeContext(), TARGET)
    assert room.module.power_status(TARGET) == "off"
    room.module.power_on(FakeContext(), TARGET)
    assert room.module.power_status(TARGET) == "on"
    room.load(LATER)
    for switch in (room.module.power_on, room.module.power_off, room.module.power_reset):
        with pytest.raises(NotOurs):
            switch(FakeContext(), TARGET)


def test_one_that_is_off_and_right_is_switched_on(room: Room) -> None:
    """It is not written anew; what it holds is asked of the record, for nobody is inside."""
    room.load()
    room.module.power_off(FakeContext(), TARGET)
    status = room.module.node_status(LATER)
    assert (status.status, status.power, status.why) == (Status.POST_LOAD, "off", "it is off, and holds the image")
    assert room.load(LATER) == [
        "fake-metal.adopt",
        "fake-metal.power_on",
        "fake-metal.find_address",
        "fake.wait_ssh",
        "fake.post_load",
        "fake.read_public_address",
    ]
    machine = room.world.find(TARGET.instance_uuid)
    assert machine is not None and (machine.on, machine.boots, machine.generation) == (True, 2, 4)
    room.module.power_off(FakeContext(), LATER)
    assert room.status(replace(LATER, image="other")) is Status.RELOAD
    room.world.change(TARGET.instance_uuid, tainted="somebody was there")
    assert room.status(LATER) is Status.RELOAD


def test_broken_off_it_holds_nothing(room: Room) -> None:
    """The fence is asked before each write; a disk that is half written boots nothing."""
    room.load()
    context = FakeContext(allowed=1)
    with pytest.raises(Fenced):
        room.step("fake-metal.deploy", LATER, context=context)
    assert room.status(LATER) is Status.RELOAD
    with pytest.raises(StepFailed, match="no system to boot"):
        room.step("fake-metal.power_on", LATER)


def test_what_is_newer_or_not_ours_stays(room: Room) -> None:
    room.load(LATER)
    before = room.world.find(TARGET.instance_uuid)
    with pytest.raises(NotOurs, match="newer"):
        room.step("fake-metal.deploy", TARGET)
    with pytest.raises(NotOurs, match="newer"):
        room.module.remove(FakeContext(), TARGET)
    with pytest.raises(NotOurs):
        room.module.remove(FakeContext(), replace(LATER, installation="another"))
    assert room.world.find(TARGET.instance_uuid) == before


# --- captures -----------------------------------------------------------------------------------------------------

BECOMES = Becomes("c1", "class", 2, reservation="r1", computer="m1", generation=3, access=ACCESS)
SPARE = replace(TARGET, computer="m2", host="m2", generation=1, member=1, spare=lasting_uuid("vclab", "m2"))
SEALING = replace(SPARE, isolated=True)
TRYING = replace(SPARE, generation=2, image="class", revision=2)


def stage(room: Room, plan: Plan, target: Target, known: Facts, times: int = 1) -> Facts:
    """A plan, each step so many times. Once it is sealed, a computer does not answer any more."""
    facts = known
    for step in plan.steps:
        for _ in range(times):
            if step.name != "fake.seal" or room.module.power_status(target) == "on":
                facts = facts.merged(room.step(step.name, target, facts, becomes=BECOMES))
    return facts


@pytest.mark.parametrize("times", [1, 2])
def test_what_it_holds_is_sealed_on_another_computer(room: Room, times: int) -> None:
    """It is its user's again, unharmed; the other one ends with unknown content, and nothing is left of the capture but
    the revision."""
    room.load()
    room.world.change(TARGET.instance_uuid, accounts=(ACCESS.login,), tainted="alice was there")
    facts = stage(room, room.module.capture(TARGET), TARGET, Facts(), times)
    before = room.world.find(TARGET.instance_uuid)
    assert before is not None and not before.on and facts.raw_sha256 == before.holds.sha256
    assert stage(room, room.module.hand_back(TARGET), TARGET, Facts(), times).private_address == "10.77.0.31"
    sealed = stage(room, room.module.seal(SEALING), SEALING, Facts(unlike=facts.unlike), times)
    assert sealed.disk_sha256 == Held("os", 1).sha256
    room.module.remove(FakeContext(), SEALING)
    tried = stage(room, room.module.boot_test(TRYING), TRYING, Facts(unlike=facts.unlike), times)
    assert tried.private_address == "10.77.0.32"
    room.module.remove(FakeContext(), TRYING)
    stage(room, room.module.publish(TRYING), TRYING, Facts(), times)
    assert [(disk.path, disk.holds) for disk in room.world.disks("room")] == [
        ("[repository] class/2/disk.vmdk", Held("os", 1))
    ]
    source, other = room.world.find(TARGET.instance_uuid), room.world.find(SPARE.instance_uuid)
    assert source is not None and source.on and source.holds == before.holds
    assert other is not None and (other.image, other.on, other.accounts) == ("", False, ())


def test_what_an_earlier_try_has_left_is_written_anew(room: Room) -> None:
    """The second try seals the raw copy, not what the first one has half sealed."""
    room.load()
    facts = Facts(unlike=stage(room, room.module.capture(TARGET), TARGET, Facts()).unlike)
    plan = room.module.seal(SEALING)
    stage(room, replace(plan, steps=plan.steps[:3]), SEALING, facts)
    room.world.change(SEALING.instance_uuid, accounts=("mallory",))
    assert stage(room, plan, SEALING, facts).disk_sha256 == Held("os", 1).sha256


def test_the_captured_computer_itself_is_never_sealed(room: Room) -> None:
    room.load()
    facts = stage(room, room.module.capture(TARGET), TARGET, Facts())
    facts = stage(room, room.module.hand_back(TARGET), TARGET, facts)
    with pytest.raises(StepFailed, match="m1 is the captured computer itself"):
        room.step("fake.seal", replace(TARGET, isolated=True), facts, becomes=BECOMES)
