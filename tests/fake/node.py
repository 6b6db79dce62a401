"""The fake module and guest on one world, for tests of their steps."""

import asyncio

from tests.provisioning.bench import FakeContext
from tests.targets import target_of
from vclab.fake_world import World
from vclab.guests.fake import FakeGuest
from vclab.model.plans import Access, Becomes, Facts, StepInput, Target
from vclab.model.steps import StepContext
from vclab.provisioning.fake import Fake

TARGET = target_of(
    reservation="r1",
    computer="fk01",
    generation=3,
    module="fake",
    guest="fake",
    endpoint="fakes",
    host="fake1",
    image="debian-12",
    private_mac="02:76:63:00:00:01",
    public_mac="02:76:63:01:00:01",
)
ACCESS = Access("alice", 20001, addresses=("203.0.113.101",))


class Node:
    """The drivers on one world, with a load's facts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.module, self.guest = Fake(world, "vclab"), FakeGuest(world)
        self.facts = Facts()

    def step(
        self,
        name: str,
        target: Target = TARGET,
        context: StepContext | None = None,
        becomes: Becomes | None = None,
    ) -> Facts:
        """Run one step once."""
        given = StepInput(name, name, target, self.facts, becomes=becomes)
        context = context or FakeContext()
        if name in self.module.steps():
            learned = self.module.steps()[name](context, given)
        else:
            learned = asyncio.run(_awaited(self.guest, context, given))
        self.facts = self.facts.merged(learned)
        return learned

    def load(self, target: Target = TARGET) -> Facts:
        """The whole plan."""
        for step in self.module.load_plan(target, self.module.node_status(target)).steps:
            self.step(step.name, target)
        return self.facts


async def _awaited(guest: FakeGuest, context: StepContext, given: StepInput) -> Facts:
    return await guest.steps()[given.step](context, given)
