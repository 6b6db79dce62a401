"""The capture of a reservation's computer. The reservation waits for it, and asks for help when a step fails.

It runs its plan by the same component as a load does, and is begun again, with what was done, to go on or to be given
up. The reservation has the tenure all the time: nobody else touches the computer.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.captures import CaptureActivities, CaptureEnded, CaptureRecords
from vclab.model import messages
from vclab.model.captures import CaptureInput, CaptureOutcome
from vclab.model.plans import Facts
from workflows import failures
from workflows.background_owner import BackgroundOwner
from workflows.plan_runner import Policy, load, put_back
from workflows.tasks import whole

POLICY = Policy("the capture waits for an operator", plan=CaptureActivities.plan_capture, what="capture")


@workflow.defn(name=messages.CAPTURE_WORKFLOW)
class Capture:
    """One try at a capture, from where it stands."""

    @workflow.init
    def __init__(self, given: CaptureInput) -> None:
        self._owner = BackgroundOwner("Capturing", given.target.computer, given.load)
        self._owner.has(given.target, given.waits)

    @workflow.run
    async def run(self, given: CaptureInput) -> CaptureOutcome:
        """It has ended, or stands at a step that failed."""
        if given.give_up:
            return await whole(self._give_up(given))
        try:
            done = await load(self._owner, POLICY)
        # Exactly what ends a workflow. Anything else is a bug, and changes nothing.
        except (FailureError, asyncio.CancelledError) as error:
            why_not = "it was cancelled" if failures.was_cancelled(error) else failures.reason(error)
            return CaptureOutcome(self._owner.load, self._owner.doing, why_not)
        assert done is not None  # it does not end meanwhile
        if not isinstance(done, Facts):
            return CaptureOutcome(self._owner.load, done.title, str(done))
        await self._end(CaptureEnded(given.becomes, workflow.now(), done))
        return CaptureOutcome(self._owner.load)

    @workflow.query(name=messages.STATUS)
    def status(self) -> str:
        """What it does now, in words."""
        return self._owner.doing

    async def _give_up(self, given: CaptureInput) -> CaptureOutcome:
        """All is put back as far as that can be."""
        why = given.why
        try:
            await put_back(self._owner, "what is left is told")
        except FailureError as error:
            why = f"{why}; not all could be put back: {self._owner.doing}: {failures.reason(error)}"
        await self._end(CaptureEnded(given.becomes, workflow.now(), why_not=why))
        return CaptureOutcome(self._owner.load, why_not=why)

    async def _end(self, given: CaptureEnded) -> None:
        await self._owner.record(CaptureRecords.capture_ended, given)
