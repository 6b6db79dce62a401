"""Workflows of a kind share their imports, and the sandbox still forbids what it forbids."""

import asyncio
import hashlib
import importlib
import inspect
import pkgutil

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

import workflows
from tests.workflows.naughty import Naughty, Slow
from vclab.temporal.sandbox import REACHED, patient, sandbox


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(workflows.__path__)])
def test_no_workflow_module_has_a_global_that_can_be_changed(module: str) -> None:
    """One reservation would see what another one did, and a replay would not."""
    found = vars(importlib.import_module(f"workflows.{module}"))
    changeable = [n for n, value in found.items() if not n.startswith("__") and isinstance(value, (list, dict, set))]
    assert not changeable, f"workflows.{module} has {changeable}: make tuples or frozen mappings of them"


READ = {
    "_Instance": "ae425d05c0252f87",
    "Importer": "e72ae6f92fb0354a",
    "RestrictionContext": "fbea73c2e06ec215",
    "SandboxedWorkflowRunner": "eb546690ee66e397",
    "_WorkflowWorker": "c54d939538b0eb2f",
}
"""The sources of the SDK that ``vclab/temporal/sandbox.py`` was written for, by their hashes."""


def test_the_sdk_is_as_it_was_when_the_sandbox_was_written() -> None:
    """After an update of the SDK: read what has changed, then sandbox.py, and put the new hashes here."""
    now = {each.__name__: hashlib.sha256(inspect.getsource(each).encode()).hexdigest()[:16] for each in REACHED}
    assert now == READ, {name for name in READ if now[name] != READ[name]}


async def test_what_is_not_deterministic_is_refused_also_beside_others(time_client: Client) -> None:
    """The first one imports; those after it, some at the same time, use what it imported."""

    async def live(name: str, naughty: bool) -> str:
        return await time_client.execute_workflow(Naughty.run, naughty, id=name, task_queue="naughty")

    runner = sandbox()
    async with Worker(
        time_client,
        task_queue="naughty",
        workflows=[Naughty],
        workflow_runner=runner,
        workflow_failure_exception_types=[Exception],
    ):
        assert await live("good", False) == "good"
        outcomes = await asyncio.gather(*(live(f"beside-{n}", n % 2 == 1) for n in range(8)), return_exceptions=True)
    assert outcomes[::2] == ["good"] * 4
    for refused in outcomes[1::2]:
        assert isinstance(refused, WorkflowFailureError)
        assert "Cannot access time.time" in str(refused.cause)


async def test_a_workflow_task_that_takes_long_is_not_interrupted(time_client: Client) -> None:
    """On a busy machine the first one may: an interrupted workflow could not go on, and its worker could not end."""
    slow = Worker(time_client, task_queue="slow", workflows=[Slow], workflow_runner=sandbox())
    async with patient(slow):
        handle = await time_client.start_workflow(Slow.run, id="slow", task_queue="slow")
        assert await handle.result() == "done"
    failed = [e async for e in handle.fetch_history_events() if e.HasField("workflow_task_failed_event_attributes")]
    assert not failed
