"""What runs is replayed against the code that would take it over: what would stand still is named, and why."""

import asyncio
from collections.abc import Sequence

import pytest
from temporalio.client import Client

from tests.workflows.conftest import QUEUE, Life
from tests.workflows.tampered import Broken, Sleeper
from vclab.model.messages import workflow_id
from vclab.temporal.replay import Replayed, count, running
from workflows import WORKFLOWS
from workflows.reservation import Reservation

OTHERS = tuple(each for each in WORKFLOWS if each is not Reservation)


async def replay(life: Life, code: Sequence[type], queue: str = QUEUE) -> list[Replayed]:
    """What is said of the reservation."""
    await visible(life)
    return [one async for one in running(life.client, queue, code) if one.workflow == workflow_id(life.id)]


async def visible(life: Life) -> None:
    """The server lists with a delay what has begun."""
    query = f'WorkflowId = "{workflow_id(life.id)}"'
    async with asyncio.timeout(30):
        while not [one async for one in life.client.list_workflows(query)]:
            await asyncio.sleep(0.1)


async def test_a_reservation_that_runs_goes_on_with_the_code_that_it_began_with(life: Life) -> None:
    await life.in_use()
    (found,) = await replay(life, WORKFLOWS)
    assert (found.kind, found.why_not) == ("Reservation", "")
    assert await count(life.client) >= 1


@pytest.mark.parametrize(
    ("code", "why_not"),
    [
        ((Sleeper, *OTHERS), "Nondeterminism error: Timer machine does not handle this event"),
        ((Broken, *OTHERS), "KeyError: 'placed'"),
        (OTHERS, "NotFoundError: Workflow class Reservation is not registered"),
    ],
    ids=["another command", "a mistake", "no such workflow"],
)
async def test_what_would_stand_still_is_named(life: Life, code: tuple[type, ...], why_not: str) -> None:
    await life.ready()
    (found,) = await replay(life, code)
    assert why_not in found.why_not
    assert "\n" not in found.why_not


async def test_one_on_another_queue_would_be_left_alone(life: Life) -> None:
    await life.ready()
    (found,) = await replay(life, WORKFLOWS, queue="lives")
    assert found.why_not == f"it is on the queue {QUEUE}, and temporal.workflow_queue is lives"


async def test_one_that_ends_while_it_is_replayed_is_left_out(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    await life.ready()
    await visible(life)
    listed = Client.list_workflows

    def stale(client: Client, query: str, **others: object) -> object:
        """As a server whose list is old: it has what has ended."""
        return listed(client, query.replace('ExecutionStatus = "Running"', 'ExecutionStatus != "Failed"'), **others)  # type: ignore[arg-type]

    await life.handle.terminate("it ends")
    monkeypatch.setattr(Client, "list_workflows", stale)
    assert await replay(life, (Sleeper, *OTHERS)) == []
