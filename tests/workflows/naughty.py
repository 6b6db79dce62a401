"""A workflow that reads a clock of its own when told to."""

import time

from temporalio import workflow


@workflow.defn
class Naughty:
    """Good, or naughty."""

    @workflow.run
    async def run(self, naughty: bool) -> str:
        """How it was."""
        return f"at {time.time()}" if naughty else "good"
