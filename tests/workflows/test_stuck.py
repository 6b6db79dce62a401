"""A workflow with a bug stands still until it is mended: people are told."""

import asyncio

from temporalio.client import Client
from temporalio.worker import Worker

from tests.workflows.naughty import Buggy
from vclab.temporal.client import failing_workflows
from vclab.temporal.sandbox import sandbox


async def test_a_workflow_whose_task_fails_again_and_again_is_named(time_client: Client) -> None:
    handle = await time_client.start_workflow(Buggy.run, id="buggy", task_queue="buggy")
    assert (await failing_workflows(time_client)).text() == "none is stuck"
    async with Worker(time_client, task_queue="buggy", workflows=[Buggy], workflow_runner=sandbox()):
        async with asyncio.timeout(60):
            while not (await failing_workflows(time_client)).workflows:
                await asyncio.sleep(0.2)
    assert (await failing_workflows(time_client)).text().startswith("buggy: a task fails again and again; ")
    await handle.terminate()
