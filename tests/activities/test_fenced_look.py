"""A look that comes too late, when the computer is somebody else's by now, writes nothing into it."""

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.looks import LookActivities
from activities.reach import GuestInput, Reach
from activities.watch import Watch
from tests.fakes import FakeGuest, World
from tests.targets import target_of
from vclab.model.attempts import ActivityAttempt
from vclab.model.errors import Fenced
from vclab.model.plans import Access, Facts, Target

TARGET = target_of(computer="pc1", host="pc1")
GIVEN = GuestInput(TARGET, Facts(), Access("alice", 20001, addresses=("203.0.113.101",)))


class Fence:
    """It is not ours any more."""

    def begin(self, target: Target, attempt: ActivityAttempt) -> None:
        """Well."""

    def check(self, target: Target, attempt: ActivityAttempt | None) -> None:
        """Never."""
        raise Fenced(f"{target.computer} is held by another one")


@pytest.mark.parametrize("look", ["await_connection", "last_look"])
async def test_no_taint_without_the_tenure(look: str) -> None:
    world = World(connected=[True])
    activities = LookActivities(Reach({"linux": FakeGuest(world)}), Fence(), Watch())
    with pytest.raises(ApplicationError, match="held by another one"):
        await ActivityEnvironment().run(getattr(activities, look), GIVEN)
    assert world.done == []
