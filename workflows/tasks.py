"""Awaiting things to their end, whatever happens meanwhile."""

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

T = TypeVar("T")
Handle = workflow.ActivityHandle[T]


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end even when the workflow is cancelled meanwhile, so that nothing that was done is forgotten."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await workflow.wait([task])
        raise


async def in_any_case(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end: what is given back is given back, also when the workflow is cancelled meanwhile."""
    with suppress(asyncio.CancelledError):
        await whole(work)


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
