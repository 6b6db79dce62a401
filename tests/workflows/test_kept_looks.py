"""Looks as workers keep them in use: in real time, for a workflow's clock does not go on while an activity runs."""

import asyncio
from collections.abc import Callable

import pytest
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutError, TimeoutType

from tests.workflows.conftest import Life
from tests.workflows.test_in_use import OFFICE, noted
from vclab.model.messages import Acknowledge, End
from workflows import failures

SOON = {"looks": {"kept": True}, "inuse_look": 0.5, "first_connection_look": 0.2, "reconnect": 5}

kept = pytest.mark.parametrize("life", [SOON], indirect=True)


async def look(life: Life, fact: Callable[[PendingActivityInfo], bool] = lambda _: True) -> PendingActivityInfo:
    """The pending look, once the fact is so."""
    async with asyncio.timeout(30):
        while True:
            pending = (await life.handle.describe()).raw_description.pending_activities
            found = [each for each in pending if each.activity_options.task_queue.name == "looks-default"]
            if found and fact(found[-1]):
                return found[-1]
            await asyncio.sleep(0.05)


def is_kept(each: PendingActivityInfo) -> bool:
    """The worker keeps the look at a user who is connected."""
    return each.activity_type.name == "await_disconnection" and each.HasField("heartbeat_details")


@kept
async def test_a_healthy_look_is_one_attempt_without_a_failure(life: Life) -> None:
    """What the Temporal UI shows of it is calm, however often it is looked."""
    await life.in_use()
    await look(life, is_kept)
    before = (await life.handle.describe()).raw_description.workflow_execution_info.history_length
    await asyncio.sleep(2)
    seen = await look(life)
    after = (await life.handle.describe()).raw_description.workflow_execution_info.history_length
    assert (seen.attempt, seen.HasField("last_failure"), after) == (1, False, before)
    assert b"connected" in seen.heartbeat_details.payloads[0].data


@kept
async def test_a_new_worker_takes_up_the_looks(life: Life) -> None:
    """At once after a graceful stop; the disconnection is seen by it."""
    await life.in_use()
    await look(life, is_kept)  # one that is only scheduled would stay so
    await life.stop_worker()
    handed = await look(life, lambda each: each.attempt == 2)
    assert handed.last_failure.message == "the worker was stopped; the next one goes on"
    life.world.connected = [False]
    await life.start_worker()
    await life.when(lambda: len(noted(life, "disconnected")) == 1)


@kept
async def test_an_end_does_not_wait_for_a_look_that_hangs(life: Life) -> None:
    """Nor does another address: a look changes nothing."""
    await life.ready()
    never = asyncio.Event()

    async def hang(*_: object) -> None:
        await never.wait()

    life.guest.connections = hang  # type: ignore[assignment]
    await life.reservations.acknowledge(life.id, Acknowledge(OFFICE))
    await look(life)
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.102"))
    await life.when(lambda: life.world.granted[-1:] == [(OFFICE, "203.0.113.102")], 10)
    await life.reservations.end(life.id, End())
    await life.until("complete", seconds=10)
    never.set()


def test_what_a_look_saw_last_counts_when_its_time_is_over() -> None:
    """Also when an earlier attempt, of a worker that stopped, ended otherwise."""

    def given_up(unseen: str) -> ActivityError:
        details = [unseen or "nobody", {"said": unseen or "nobody", "unseen": unseen}]
        timeout = TimeoutError("timeout", type=TimeoutType.SCHEDULE_TO_CLOSE, last_heartbeat_details=details)
        timeout.__cause__ = ApplicationError("the worker was stopped", type="HandedOver")
        error = ActivityError(
            "failed",
            scheduled_event_id=1,
            started_event_id=2,
            identity="",
            activity_type="await_connection",
            activity_id="1",
            retry_state=RetryState.TIMEOUT,
        )
        error.__cause__ = timeout
        return error

    assert failures.could_not_look(given_up("no route")) and not failures.could_not_look(given_up(""))
    assert failures.reason(given_up("no route")) == "it did not finish in time; last: no route"
