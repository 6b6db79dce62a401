"""Queries at the wrong moment: what they do to histories, and that the server's setting prevents it.

With the SDK alone: a workflow that makes records (local activities), some of them for updates, while it is asked again
and again. Since SDK 1.32 a query may be answered while a local activity runs; that answer completes the task before the
workflow has its result.
"""

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from tests.temporal_server import free_ports
from vclab.lab import tools
from vclab.lab.parts import temporal_server
from vclab.temporal import health

BURSTS = 60
AT_ONCE = 6
QUERIES = 3
UPDATES = 6


@activity.defn
async def record() -> int:
    """Takes as long as a record."""
    await asyncio.sleep(0.005)
    return 1


@workflow.defn(sandboxed=False)
class Recording:
    """Makes records, now and then and for each update."""

    def __init__(self) -> None:
        self._done = 0

    @workflow.run
    async def run(self) -> int:
        """How many."""
        for _ in range(8):
            await self._record()
            await workflow.sleep(timedelta(milliseconds=20))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._done

    @workflow.update
    async def more(self) -> int:
        """One more."""
        await self._record()
        return self._done

    async def _record(self) -> None:
        self._done += await workflow.execute_local_activity(record, start_to_close_timeout=timedelta(seconds=10))

    @workflow.query
    def done(self) -> int:
        """So far."""
        return self._done


@asynccontextmanager
async def server(folder: Path, *settings: str) -> AsyncIterator[Client]:
    """A server with these settings, and a worker."""
    (port,) = free_ports(1)
    words = (*temporal_server(tools.temporal(), f"127.0.0.1:{port}", folder / "temporal.db"), "-log-level", "error")
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([*words, *(f"-set={one}" for one in settings)], stdout=log, stderr=log)
    try:
        client = await _client(f"127.0.0.1:{port}")
        async with Worker(client, task_queue="queries", workflows=[Recording], activities=[record]):
            yield client
    finally:
        process.terminate()
        process.wait(20)


async def _client(address: str) -> Client:
    async with asyncio.timeout(30):
        while True:
            with suppress(RuntimeError):
                return await Client.connect(address)
            await asyncio.sleep(0.1)


async def burst(client: Client) -> bool:
    """One workflow under updates and queries; whether its history can be replayed."""
    handle = await client.start_workflow(Recording.run, id=uuid.uuid4().hex, task_queue="queries")
    asking = [asyncio.create_task(_keep_asking(handle)) for _ in range(QUERIES)]
    asking.append(asyncio.create_task(_update(handle)))
    with suppress(TimeoutError):  # a damaged one stands still
        async with asyncio.timeout(5):
            await handle.result()
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    replayer = Replayer(workflows=[Recording], workflow_runner=UnsandboxedWorkflowRunner())
    result = await replayer.replay_workflow(await handle.fetch_history(), raise_on_replay_failure=False)
    return result.replay_failure is None


async def _keep_asking(handle: WorkflowHandle[Recording, int]) -> None:
    while True:
        with suppress(RPCError, WorkflowQueryFailedError):
            await handle.query(Recording.done, rpc_timeout=timedelta(seconds=2))
        await asyncio.sleep(0.002)


async def _update(handle: WorkflowHandle[Recording, int]) -> None:
    with suppress(RPCError):
        for _ in range(UPDATES):
            await handle.execute_update(Recording.more)


async def damaged(client: Client) -> int:
    """Of 60 bursts, those whose history can't be replayed."""
    replayed = [await asyncio.gather(*(burst(client) for _ in range(AT_ONCE))) for _ in range(BURSTS // AT_ONCE)]
    return sum(not fine for row in replayed for fine in row)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The SDK logs each task that fails."""
    with caplog.at_level("CRITICAL", "temporalio"):
        yield


@pytest.mark.long
async def test_queries_damage_no_history_with_the_setting(tmp_path: Path) -> None:
    async with server(tmp_path) as client:
        assert await health.refuses_early_queries(client)
        assert await damaged(client) == 0


@pytest.mark.long
async def test_queries_damage_histories_without_the_setting(tmp_path: Path) -> None:
    """If this finds nothing any more, the SDK is mended: the setting can go."""
    async with server(tmp_path, "history.MaxBufferedQueryCount=1") as client:
        assert not await health.refuses_early_queries(client)
        assert await damaged(client) > 0
