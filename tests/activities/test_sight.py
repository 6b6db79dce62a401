"""A computer that is off may be deleted while it is waited for: people are told that too, and not only "it is off"."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from temporalio.testing import ActivityEnvironment

from activities.looks import LookActivities, Sighting
from activities.reach import GuestInput, Reach
from activities.watch import Watch
from tests.activities.test_fenced_look import Fence
from tests.fakes import FakeGuest, World
from tests.targets import target_of
from vclab.model.errors import Unreachable
from vclab.model.plans import Access, Facts, Target, Whereabouts

OFF, GONE = Whereabouts(trouble="vm01 is off", off=True), Whereabouts(trouble="vm01 is gone", gone=True)
GIVEN = GuestInput(target_of(), Facts(), Access("alice", 20001), look_seconds=0.05, in_use=True)


def looks(*found: Whereabouts) -> LookActivities:
    """Looks whose endpoint says these, one after the other, and then the last one."""
    left: Iterator[Whereabouts] = iter(found)

    def whereabouts(_: Target) -> Whereabouts:
        return next(left, found[-1])

    return LookActivities(
        Reach({"linux": FakeGuest(World(look_error=Unreachable("no route")))}, whereabouts), Fence(), Watch()
    )


async def seen(activities: LookActivities, given: GuestInput) -> Sighting:
    async with asyncio.timeout(10):
        sighting: Sighting = await ActivityEnvironment().run(activities.await_sight, given)
        return sighting


async def test_what_was_off_and_is_gone_is_told_once_it_is() -> None:
    sighting = await seen(looks(OFF, OFF, GONE), replace(GIVEN, unseen="vm01 is off"))
    assert (sighting.connected, sighting.unseen) == (False, "vm01 is gone")


async def test_what_is_off_is_told_at_once_to_whom_does_not_know_it() -> None:
    assert (await seen(looks(OFF), replace(GIVEN, unseen="no route to host"))).unseen == "vm01 is off"


async def test_before_somebody_is_in_what_is_off_is_only_waited_for() -> None:
    """It may be switched on again in time."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await ActivityEnvironment().run(looks(OFF, GONE).await_sight, replace(GIVEN, in_use=False))
