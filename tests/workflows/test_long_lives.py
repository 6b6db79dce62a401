"""Reservations of months: one life in many runs, with messages arriving all the while."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHistory
from temporalio.common import TypedSearchAttributes
from temporalio.service import RPCError
from temporalio.worker import Replayer

from tests.workflows.conftest import Life
from vclab.model import rules
from vclab.model.errors import Refused
from vclab.model.messages import Acknowledge, Extend, Reboot
from vclab.store import audit
from vclab.temporal import sandbox
from vclab.temporal import search_attributes as searchable
from vclab.temporal.converter import CONVERTER
from workflows import WORKFLOWS

DAYS = 120
LIMIT = 120
"""Events after which a new run begins in these tests."""
EXTENSIONS, CONNECTS, RESTARTS, SIGNALS = 40, 12, 3, 20
READERS = 8
METADATA = "__temporal_workflow_metadata"
"""The server's own query, by which the Temporal UI reads Current Details."""


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are followed by others soon."""
    monkeypatch.setattr(rules, "RUN_EVENTS", LIMIT)


async def histories(life: Life) -> list[WorkflowHistory]:
    """Of all runs of the reservation, back from the newest."""
    found, run_id = [], (await life.handle.describe()).run_id
    while run_id:
        history = await life.client.get_workflow_handle(life.handle.id, run_id=run_id).fetch_history()
        found.append(history)
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return found


def noted(life: Life, what: str) -> list[str]:
    """The details of all audit events of this kind."""
    with life.store.read() as session:
        return [event.detail for event in audit.events(session, life.id) if event.what == what]


async def searchable_by(life: Life, end: datetime) -> TypedSearchAttributes:
    """The search attributes, once they tell this end."""
    async with asyncio.timeout(60):
        while True:
            found = (await life.handle.describe()).typed_search_attributes
            if found.get(searchable.END) == end:
                return found
            await asyncio.sleep(0.05)


async def people(life: Life, ends: list[datetime], trouble: bool) -> None:
    """Extend again and again and connect from three places, at the same time; with ``trouble`` also restart, and let
    the worker die: then no time is skipped, for that would run out what a dead worker has begun."""

    async def extend() -> None:
        for number, end in enumerate(ends):
            message = Extend(end, intent=f"x{number}{trouble}")
            assert (await life.operator.extend(life.id, message)).end == end
            if number % 10 == 0:
                assert (await life.operator.extend(life.id, message)).end == end

    async def connect() -> None:
        for number in range(CONNECTS):
            await life.reservations.acknowledge(life.id, Acknowledge(f"203.0.113.{101 + number % 3}"))

    async def restart() -> None:
        for number in range(RESTARTS):
            message = Reboot(intent=f"r{number}")
            await life.when(lambda done=number: life.world.done.count("reboot") >= done, 60)  # type: ignore[misc]
            await insistently(lambda message=message: life.reservations.reboot(life.id, message))  # type: ignore[misc]
            await life.reservations.reboot(life.id, message)

    async def die() -> None:
        await life.when(lambda: len(noted(life, "extended")) > EXTENSIONS / 4, 60)
        await life.stop_worker()
        await life.start_worker()

    await asyncio.gather(extend(), connect(), *((restart(), die()) if trouble else ()))


@asynccontextmanager
async def readers(life: Life) -> AsyncIterator[list[str]]:
    """So many people look at it all the while; yields the words that they read."""
    words: list[str] = []
    done = asyncio.Event()

    async def read() -> None:
        while not done.is_set():
            words.append((await life.reservations.status(life.id, 60)).word)
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        for _ in range(READERS):
            group.create_task(read())
        try:
            yield words
        finally:
            done.set()


async def details(life: Life) -> str:
    """What the Temporal UI shows of the newest run as *Current Details*."""
    async with asyncio.timeout(60):
        while True:
            with suppress(RPCError):  # refused while a workflow task runs
                answer: WorkflowMetadata = await life.handle.query(METADATA, result_type=WorkflowMetadata)
                if answer.current_details:
                    return str(answer.current_details)
            await asyncio.sleep(0.05)


async def insistently(act: Callable[[], Awaitable[object]]) -> None:
    """Until it is not refused any more."""
    async with asyncio.timeout(60):
        while True:
            try:
                await act()
                return
            except Refused:
                await asyncio.sleep(0.05)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("life", [{"inuse_look": 8 * 86_400, "notices": (604_800, 86_400)}], indirect=True)
@pytest.mark.long
async def test_four_months(life: Life) -> None:
    """Connections come and go, people extend, connect from elsewhere and restart, the worker dies, and many look at it
    all the while: nothing is lost, nothing is done twice, no history grows long, and all can be replayed."""
    await life.reserve(DAYS * 24, operator=True)
    await life.until("reserved")
    life.world.connected = [True, *[False, True] * 2000]
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    view = await life.until("inuse")
    ends = [view.end + timedelta(minutes=number) for number in range(1, EXTENSIONS + 1)]
    half = EXTENSIONS // 2
    async with readers(life) as words:
        await people(life, ends[:half], trouble=True)
        await life.when(lambda: life.world.done.count("reboot") >= RESTARTS, 60)
        await asyncio.gather(people(life, ends[half:], trouble=False), life.skip(days=100))
        for _ in range(SIGNALS):
            await life.handle.signal("extend", "1m")
        last = ends[-1] + timedelta(minutes=SIGNALS)
        found = await searchable_by(life, last)
    assert set(words) == {"In use"}
    assert len(words) > READERS
    assert (found[searchable.STATE], found[searchable.USER], found[searchable.COMPUTER]) == ("inuse", "alice", "vm01")
    assert len(noted(life, "extended")) == EXTENSIONS + SIGNALS
    assert life.world.done.count("reboot") == RESTARTS
    assert noted(life, "disconnected")
    assert life.world.notices == []
    assert (await life.reservations.reserve(life.request)).end == last

    await life.skip(days=21)
    assert (await life.until("complete", seconds=60)).ending == "EOR"
    assert len(life.world.notices) == 2
    await assert_many_short_runs(life)


async def assert_many_short_runs(life: Life) -> None:
    """No history is much longer than the limit, and all can be taken up by another worker."""
    runs = await histories(life)
    assert len(runs) > 4
    assert max(len(run.events) for run in runs) < 3 * LIMIT
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=sandbox.sandbox(), data_converter=CONVERTER)
    for run in runs:
        await replayer.replay_workflow(run)


@pytest.mark.parametrize("life", [{"inuse_look": 7 * 86_400}], indirect=True)
async def test_an_end_or_a_cancellation_while_a_new_run_begins(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """With runs so short that each message begins a new one."""
    monkeypatch.setattr(rules, "RUN_EVENTS", 5)
    await life.reserve(48, operator=True)
    await life.until("reserved")
    life.world.connected = [True]
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    view = await life.until("inuse")
    for number in range(1, 6):
        end = view.end + timedelta(hours=number)
        assert (await life.operator.extend(life.id, Extend(end))).end == end
    assert "**debian-12** for **alice**" in await details(life), "the server keeps a summary for the first run only"
    status = await life.reservations.status(life.id)
    assert (status.word, status.waits_for, status.until) == ("In use", "the end of the reservation", end)
    await life.handle.cancel()
    assert (await life.until("complete")).ending == "released"
    assert len(await histories(life)) > 3
