"""Reading a copy of a revision back: it is right, or broken from then on."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.copies import CopyActivities, CopyBegun, CopyRead, CopyRecords
from vclab.model import messages
from vclab.model.revisions import Content, CopyJob, Wanted
from workflows import failures, profiles
from workflows.tasks import in_any_case, whole


@workflow.defn(name=messages.COPY_VERIFICATION)
class CopyVerification:
    """Its id lets one run at a time at each site. Started by the reconciler."""

    @workflow.run
    async def run(self, wanted: Wanted) -> str:
        """What became of it, in words."""
        title, begins = f"{wanted} on {wanted.place}", CopyRecords.verification_begins
        begun: CopyBegun = await whole(
            workflow.execute_local_activity_method(begins, wanted, **profiles.record_of(begins))
        )
        if begun.job is None:
            return f"{title} is not to be read{': ' * bool(begun.why_not)}{begun.why_not}"
        found, why_not = await self._read(begun.job)
        await in_any_case(self._end(CopyRead(wanted, workflow.now(), found, why_not)))
        if found is None:
            return f"{title} could not be read: {why_not}"
        expected = Content(begun.job.source.sha256, begun.job.source.size)
        return f"{title} is {'right' if found == expected else 'broken'}"

    async def _read(self, job: CopyJob) -> tuple[Content | None, str]:
        """What was read; or why it was not."""
        summary = f"read {job.wanted} on {job.wanted.place}"
        workflow.set_current_details(f"### {summary}")
        try:
            found = await workflow.execute_activity_method(
                CopyActivities.verify_copy, job, **profiles.copy(summary, job.site)
            )
        except ActivityError as error:
            return None, "it was cancelled" if failures.was_cancelled(error) else failures.reason(error)
        return found, ""

    async def _end(self, given: CopyRead) -> None:
        verified = CopyRecords.copy_verified
        await workflow.execute_local_activity_method(verified, given, **profiles.record_of(verified))
