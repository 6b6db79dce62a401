"""Would workflows that run go on with other code than they began with? Their histories are replayed; nothing is done.

A worker replays the history of each workflow that it takes over. Where the code then asks for something else than is
in the history, the workflow stands still until the code that it began with is back.
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer

from vclab.temporal.client import quiet
from vclab.temporal.converter import CONVERTER
from vclab.temporal.refusals import failed
from vclab.temporal.sandbox import sandbox

AHEAD = 4
"""So many histories are fetched while one is replayed. One may be megabytes long, and thousands may run."""

LONGEST = 300
_MESSAGE = re.compile(r'message: "((?:[^"\\]|\\.)*)"')
_KIND = re.compile(r'r#type: "(\w+)"')
_DATA = re.compile(r" from [{\[].*")  # what could not be decoded is recorded data, and long
_ESCAPED = re.compile(r"\\(.)")
_TIMEOUT = timedelta(seconds=20)  # of each call
_RUNNING = 'ExecutionStatus = "Running"'
_BUILD = "replay"  # the SDK would else read and hash all modules, for seconds


@dataclass(frozen=True)
class Replayed:
    """One workflow that was replayed."""

    workflow: str  #: its id
    run: str
    kind: str  #: the workflow's name
    why_not: str = ""  #: why it would stand still, in one line; empty: it goes on


async def count(client: Client) -> int:
    """How many workflows run, about: the server counts with a delay. Raises ``Unreachable``."""
    try:
        return (await client.count_workflows(_RUNNING, rpc_timeout=_TIMEOUT)).count
    except RPCError as error:
        raise failed(error.message) from None


async def running(client: Client, queue: str, workflows: Sequence[type]) -> AsyncGenerator[Replayed, None]:
    """Each workflow that a worker with this code would take over from the queue, as soon as it is replayed; then those
    of the same kinds on other queues, which it would leave alone.

    One that ends meanwhile is left out. Raises ``Unreachable``.
    """
    try:
        async with aclosing(replayed(_histories(client, queue), workflows)) as results:
            async for one in results:
                if not one.why_not or await _runs(client, one):
                    yield one
        async for found in client.list_workflows(f'{_RUNNING} AND TaskQueue != "{queue}"', rpc_timeout=_TIMEOUT):
            if found.workflow_type in _names(workflows):
                why_not = f"it is on the queue {found.task_queue}, and temporal.workflow_queue is {queue}"
                yield Replayed(found.id, found.run_id, found.workflow_type, why_not)
    except RPCError as error:
        raise failed(error.message) from None


async def replayed(
    histories: AsyncIterator[WorkflowHistory], workflows: Sequence[type]
) -> AsyncGenerator[Replayed, None]:
    """Replay each history against this code."""
    replayer = Replayer(
        workflows=workflows,
        workflow_runner=sandbox(),
        data_converter=CONVERTER,
        build_id=_BUILD,
        runtime=quiet(),
    )
    with _unlogged():
        async with replayer.workflow_replay_iterator(histories) as results:
            async for result in results:
                history, failure = result.history, result.replay_failure
                started = history.events[0].workflow_execution_started_event_attributes
                why_not = _one_line(failure) if failure else ""
                yield Replayed(history.workflow_id, history.run_id, started.workflow_type.name, why_not)


async def _histories(client: Client, queue: str) -> AsyncIterator[WorkflowHistory]:
    """Of what runs on the queue, some fetched ahead."""
    ahead: deque[asyncio.Task[WorkflowHistory | None]] = deque()
    try:
        async for found in client.list_workflows(f'{_RUNNING} AND TaskQueue = "{queue}"', rpc_timeout=_TIMEOUT):
            ahead.append(asyncio.create_task(_history(client, found)))
            if len(ahead) > AHEAD and (history := await ahead.popleft()):
                yield history
        while ahead:
            if history := await ahead.popleft():
                yield history
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)


async def _history(client: Client, found: WorkflowExecution) -> WorkflowHistory | None:
    """None when it has ended meanwhile, and is forgotten."""
    try:
        return await client.get_workflow_handle(found.id, run_id=found.run_id).fetch_history(rpc_timeout=_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


def _names(workflows: Sequence[type]) -> set[str | None]:
    return {workflow._Definition.must_from_class(one).name for one in workflows}


async def _runs(client: Client, one: Replayed) -> bool:
    try:
        found = await client.get_workflow_handle(one.workflow, run_id=one.run).describe(rpc_timeout=_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return found.status is WorkflowExecutionStatus.RUNNING


@contextmanager
def _unlogged() -> Iterator[None]:
    """The SDK logs each failed replay with its traceback: the caller tells what failed in a line."""
    log = logging.getLogger("temporalio")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def _one_line(error: Exception) -> str:
    """The SDK's text; of a failure that it prints with all its fields, the types and messages, causes last."""
    printed = str(error)
    messages = [_DATA.sub("", message) for message in _MESSAGE.findall(printed)]
    kinds = _KIND.findall(printed)[::-1]  # a cause is printed inside of its effect
    if len(kinds) == len(messages):
        messages = [f"{kind}: {message}" for kind, message in zip(kinds, messages, strict=True)]
    text = _ESCAPED.sub(lambda found: " " if found[1] in "nrt" else found[1], ": ".join(messages))
    return " ".join((text or printed or type(error).__name__).split())[:LONGEST]
