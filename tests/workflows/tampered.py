"""Workflows under the names of ours that do something else: as if somebody had changed them without care."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow

from vclab.model import messages


@workflow.defn(name=messages.WORKFLOW)
class Sleeper:
    """A reservation that begins with a timer."""

    @workflow.run
    async def run(self, given: Any) -> None:
        """Sleep."""
        await asyncio.sleep(timedelta(hours=1).total_seconds())


@workflow.defn(name=messages.WORKFLOW)
class Broken:
    """A reservation with a mistake."""

    @workflow.run
    async def run(self, given: Any) -> None:
        """Fail."""
        raise KeyError("placed")
