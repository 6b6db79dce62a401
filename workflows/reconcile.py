"""The reconciler's workflow: one round, started by a schedule."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from activities.reconcile import ReconcileActivities, Strays
from workflows import profiles


@workflow.defn
class Reconcile:
    """Looks for what no workflow looks after any more."""

    @workflow.run
    async def run(self) -> Strays:
        """What was found and done; a round that fails is left to the next one."""
        return await workflow.execute_activity_method(
            ReconcileActivities.find_strays,
            summary="look for reservations and machines that nobody looks after",
            start_to_close_timeout=timedelta(minutes=10),
            # A round whose worker died would else hold up all rounds after it: the schedule skips while one runs.
            heartbeat_timeout=profiles.HEARTBEAT,
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
