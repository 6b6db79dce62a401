"""Making a copy of a revision at a place, for whoever waits for it. It belongs to no reservation: it outlives them, and
ends when nobody wants it any more."""

from contextlib import suppress

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, FailureError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.copies import UNWANTED, CopyActivities, CopyBegun, CopyEnded, CopyRecords, Waiters
from vclab.model import messages
from vclab.model.errors import CopyLost
from vclab.model.messages import copy_workflow, workflow_id
from vclab.model.revisions import Copied, CopyJob, Wanted
from workflows import failures, profiles
from workflows.tasks import in_any_case, whole


@workflow.defn(name=messages.COPY)
class CopyImage:
    """Its id lets one run at a time, and each place is one."""

    @workflow.run
    async def run(self, wanted: Wanted) -> str:
        """What became of it, in words."""
        self._title = f"{wanted} on {wanted.place}"
        begins = CopyRecords.copy_begins
        begun: CopyBegun = await whole(
            workflow.execute_local_activity_method(begins, wanted, **profiles.record_of(begins))
        )
        if begun.job is None and not begun.why_not:
            return f"{self._title} need not be copied"
        ended = CopyEnded(wanted, workflow.now(), why_not=begun.why_not)
        if begun.job is not None:
            ended = await self._make(begun.job)
        self._ended(ended.why_not or ("" if ended.copied else "nobody waits for it any more"))
        await in_any_case(self._end(ended))
        return f"{self._title}: {ended.why_not or ('copied' if ended.copied else 'not wanted any more')}"

    async def _make(self, job: CopyJob) -> CopyEnded:
        """The copy; or why there is none; neither when nobody wants it."""
        workflow.set_current_details(f"### Copying {self._title}")
        try:
            copied: Copied = await workflow.execute_activity_method(
                CopyActivities.make_copy, job, **profiles.copy(f"copy {self._title}", job.site)
            )
        except ActivityError as error:
            kind, now = failures.type_of(error), workflow.now()
            if kind == UNWANTED:
                return CopyEnded(job.wanted, now)
            why_not = "it was cancelled" if failures.was_cancelled(error) else failures.reason(error)
            lost = job.source.at if kind == CopyLost.__name__ else None
            return CopyEnded(job.wanted, now, why_not=why_not, lost=lost)
        return CopyEnded(job.wanted, workflow.now(), copied)

    async def _end(self, given: CopyEnded) -> None:
        """Write it down, and tell all who wait. One that has ended need not know."""
        ended = CopyRecords.copy_ended
        waiting: Waiters = await workflow.execute_local_activity_method(ended, given, **profiles.record_of(ended))
        for reservation in waiting.reservations:
            with suppress(FailureError):
                handle = workflow.get_external_workflow_handle(workflow_id(reservation))
                await handle.signal(messages.COPIED, str(given.wanted))

    def _ended(self, why_not: str) -> None:
        workflow.set_current_details(f"### {self._title}\n\n{why_not or 'copied'}")


async def started(wanted: Wanted) -> None:
    """Have the copy's workflow run; harmless when it does."""
    with suppress(WorkflowAlreadyStartedError):
        await workflow.start_child_workflow(
            CopyImage.run,
            wanted,
            id=copy_workflow(wanted),
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"copy {wanted} to {wanted.place}",
        )
