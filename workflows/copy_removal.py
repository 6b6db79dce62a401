"""Deleting a copy of a revision. It is retiring before this begins, so nothing new is made from it."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.copies import CopyActivities, CopyBegun, CopyEnded, CopyRecords
from vclab.model import messages
from vclab.model.revisions import CopyJob, Wanted
from workflows import failures, profiles
from workflows.tasks import in_any_case, whole


@workflow.defn(name=messages.COPY_REMOVAL)
class CopyRemoval:
    """Its id lets one run at a time. Started by whoever deletes, and by the reconciler."""

    @workflow.run
    async def run(self, wanted: Wanted) -> str:
        """What became of it, in words."""
        leaves = CopyRecords.copy_leaves
        begun: CopyBegun = await whole(
            workflow.execute_local_activity_method(leaves, wanted, **profiles.record_of(leaves))
        )
        if begun.job is None:
            return f"{wanted} on {wanted.place} is not to be deleted{': ' * bool(begun.why_not)}{begun.why_not}"
        why_not = await self._remove(begun.job)
        await in_any_case(self._end(CopyEnded(wanted, workflow.now(), why_not=why_not)))
        return f"{wanted} on {wanted.place}: {why_not or 'deleted'}"

    async def _remove(self, job: CopyJob) -> str:
        """Why it stays; empty when it is gone. Raises ``ActivityError`` when nobody knows: then it is still to be
        deleted, and the reconciler begins anew."""
        summary = f"delete {job.wanted} on {job.wanted.place}"
        workflow.set_current_details(f"### {summary}")
        try:
            await workflow.execute_activity_method(CopyActivities.remove_copy, job, **profiles.copy(summary, job.site))
        except ActivityError as error:
            if failures.was_cancelled(error) or failures.timed_out(error):
                raise
            return failures.reason(error)
        return ""

    async def _end(self, given: CopyEnded) -> None:
        gone = CopyRecords.copy_gone
        await workflow.execute_local_activity_method(gone, given, **profiles.record_of(gone))
