"""The bare workflow beside which a life is measured: as many activities up to ready, and nothing in them."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow

QUEUE = "bench"
WAITS = "waits"
"""The memo of one that waits."""


@dataclass(frozen=True)
class Size:
    """So many activities and local activities, one after the other; if it ``waits``, for ever afterwards."""

    activities: int
    local_activities: int
    waits: bool = False


@activity.defn
async def nothing() -> None:
    """No work."""


@activity.defn
async def nothing_local() -> None:
    """No work."""


@workflow.defn
class Bare:
    """The least that a workflow with so many steps can cost on this server and this worker."""

    @workflow.run
    async def run(self, size: Size) -> None:
        """One after the other."""
        limit = timedelta(seconds=60)
        for _ in range(size.activities):
            await workflow.execute_activity(nothing, start_to_close_timeout=limit)
        for _ in range(size.local_activities):
            await workflow.execute_local_activity(nothing_local, start_to_close_timeout=limit)
        if size.waits:
            workflow.upsert_memo({WAITS: True})
            await workflow.wait_condition(lambda: False)
