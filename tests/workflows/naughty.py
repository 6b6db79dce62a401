"""Workflows that do what no workflow should: one reads a clock of its own when told to, one computes for long."""

import time

from temporalio import workflow


@workflow.defn
class Naughty:
    """Good, or naughty."""

    @workflow.run
    async def run(self, naughty: bool) -> str:
        """How it was."""
        return f"at {time.time()}" if naughty else "good"


@workflow.defn
class Slow:
    """What a busy machine makes of a workflow's first task."""

    @workflow.run
    async def run(self) -> str:
        """Computes for longer than the SDK allows."""
        with workflow.unsafe.sandbox_unrestricted():
            time.sleep(2.5)
        return "done"


@workflow.defn
class Buggy:
    """Has a bug."""

    @workflow.run
    async def run(self) -> None:
        """Fails its task, and so is tried again for ever."""
        raise ZeroDivisionError
