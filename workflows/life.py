"""What every workflow of ours waits and records with, so that each wait sees the ending, and no record is half done."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError
from temporalio.types import MethodSyncSingleParam

from activities.records import RecordActivities
from vclab.model.states import Ending
from workflows import profiles

P = TypeVar("P")
T = TypeVar("T")
Handle = workflow.ActivityHandle[T]


class Life:
    """Ends by state: whatever ends it sets ``_ending``."""

    def __init__(self) -> None:
        self._ending: Ending | None = None
        self._one_record = asyncio.Lock()

    async def until(self, fact: Callable[[], bool], deadline: datetime, name: str) -> bool:
        """Wait for a fact or the reservation's ending; False when the deadline came first."""
        left = deadline - workflow.now()
        if left <= timedelta(0):
            return fact()
        try:
            await workflow.wait_condition(
                lambda: fact() or self._ending is not None, timeout=left, timeout_summary=name
            )
        except TimeoutError:
            return False
        return True

    async def unless_ended(self, handle: Handle[T], or_else: Callable[[], bool] = lambda: False) -> T | None:
        """The activity's result; or None, after the activity has stopped, when it ended or ``or_else`` came true."""
        wait = workflow.wait_condition(lambda: handle.done() or self._ending is not None or or_else())
        return await result_after(wait, handle)

    async def record(self, what: MethodSyncSingleParam[RecordActivities, P, T], given: P) -> T:
        """One record at a time (concurrent local activities do not replay), and never half of one."""

        async def write() -> T:
            async with self._one_record:
                return await workflow.execute_local_activity_method(what, given, **profiles.record(_name(what)))

        return await whole(write())


def _name(record: object) -> str:
    return getattr(record, "__name__", "record").replace("_", " ")


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end even when the workflow is cancelled meanwhile, so that nothing that was done is forgotten."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await workflow.wait([task])
        raise


async def result_after(wait: Awaitable[None], handle: Handle[T]) -> T | None:
    """The activity's result when it is done after the wait; else None, after the activity has stopped."""
    try:
        await wait
    except asyncio.CancelledError:
        await stopped(handle)
        raise
    if handle.done():
        return await handle
    await stopped(handle)
    return None


async def stopped(handle: Handle[Any]) -> None:
    """Cancel an activity and wait until it has really stopped."""
    handle.cancel()
    with suppress(FailureError, asyncio.CancelledError):
        await handle
