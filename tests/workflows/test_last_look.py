"""Nobody is given up unseen: not after a time without a worker, and not on a computer that can't be looked at."""

import asyncio

import pytest
from temporalio.api.enums.v1 import EventType

from tests.workflows.conftest import Life
from tests.workflows.test_in_use import OFFICE, connect, noted
from vclab.model.errors import Unreachable

GIVEN_UP = EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT


async def away(life: Life) -> None:
    """In use, and nobody is connected any more."""
    await life.in_use(hours=4)
    life.world.connected = [False]
    await life.skip(seconds=310)
    await life.when(lambda: len(noted(life, "disconnected")) == 1)


@pytest.mark.parametrize("life", [{"inuse_look": 1, "reconnect": 3, "first_connection_look": 1}], indirect=True)
async def test_who_came_back_while_no_worker_ran_is_not_timed_out(life: Life) -> None:
    """That nobody was there when it was looked last is no word on now."""
    await life.in_use(hours=4)
    life.world.connected = [False]
    await life.when(lambda: len(noted(life, "disconnected")) == 1)
    await life.stop_worker()
    async with asyncio.timeout(60):
        while (await life.handle.fetch_history()).events[-2].event_type != GIVEN_UP:  # then a workflow task waits
            await asyncio.sleep(0.2)
    life.world.connected = [True]
    await life.start_worker()
    await life.when(lambda: len(noted(life, "connected")) == 2)


async def test_who_came_back_and_went_while_nobody_looked_has_the_whole_time_again(life: Life) -> None:
    """As if it had been seen then."""
    await away(life)
    life.world.visit = 300  # further back than the looks of every 15 s ask for
    await life.skip(minutes=16)
    await life.when(lambda: len(noted(life, "connected")) == 2)
    life.world.visit = None
    await life.skip(minutes=16)
    await life.until("inuse")
    await life.skip(minutes=6)
    assert (await life.until("complete")).ending == "timeout"


async def test_who_came_for_the_first_time_while_nobody_looked(life: Life) -> None:
    """The reservation is in use, and the computer tainted."""
    await life.ready(4)
    await connect(life, OFFICE, (OFFICE,))
    life.world.visit = 300
    await life.skip(minutes=16)
    await life.until("inuse")
    assert life.world.done[-1] == "taint"


async def test_it_can_not_be_looked_at_when_the_time_to_come_back_is_over(life: Life) -> None:
    """Then nobody knows, and it is shown."""
    await away(life)
    life.world.look_error = Unreachable("no route to host")
    await life.skip(minutes=20)
    status = await life.reservations.status(life.id)
    assert (status.state, "no route to host" in status.reason) == ("inuse", True)


async def test_who_may_be_at_a_machine_that_cannot_be_looked_at_is_not_given_up(life: Life) -> None:
    """Before the first connection too; the wait begins anew when it can be seen."""
    await life.ready(4)
    await connect(life, OFFICE, (OFFICE,))
    life.world.look_error = Unreachable("no route to host")
    await life.skip(minutes=20)
    status = await life.reservations.status(life.id)
    assert (status.state, status.waits_for, status.then) == (
        "reserved",
        "the computer to be reachable again",
        "it ends",
    )
    assert "the computer can't be looked at" in status.reason
    life.world.look_error = None
    await life.skip(minutes=1)
    status = await life.reservations.status(life.id)
    assert (status.state, status.waits_for, status.reason) == ("reserved", "the first connection", "")
    life.world.connected = [True]
    await life.skip(seconds=20)
    await life.until("inuse")


async def test_a_machine_that_is_never_seen_again(life: Life) -> None:
    """Its reservation ends at its end; further addresses are tried meanwhile."""
    await life.ready(0.5)
    await connect(life, OFFICE, (OFFICE,))
    life.world.look_error = Unreachable("no route to host")
    await life.skip(minutes=20)
    await connect(life, "203.0.113.102", (OFFICE, "203.0.113.102"))
    await life.skip(minutes=15)
    assert (await life.until("complete")).ending == "EOR"
