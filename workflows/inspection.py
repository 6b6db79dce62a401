"""An inspection: what hardware a computer has is read and compared with the record, because an operator asks for it.

It runs its plan by the same component as a load does. However it ends, the power is put back as it was: by the steps
that undo those that changed it.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.inspections import InspectionActivities, InspectionBegins, InspectionEnded, InspectionRecords
from vclab.model import messages
from vclab.model.inspections import Inspected
from vclab.model.messages import Inspect
from vclab.model.plans import Facts
from vclab.temporal import search_attributes as searchable
from workflows import failures
from workflows.background_owner import BackgroundOwner
from workflows.plan_runner import Policy, load, put_back
from workflows.tasks import in_any_case

PART = "inspection"
"""Of the load log: its steps are no load's."""


@workflow.defn(name=messages.INSPECTION)
class Inspection:
    """Its id lets one run at a time; the tenure keeps everybody else away."""

    @workflow.init
    def __init__(self, given: Inspect) -> None:
        self._given = given
        self._owner = BackgroundOwner("Inspecting", given.computer)
        self._owner.part = PART
        self._not_back = ""

    @workflow.run
    async def run(self, given: Inspect) -> Inspected:
        """What was found. Raises why nothing was."""
        owner = self._owner
        workflow.upsert_search_attributes([searchable.COMPUTER.value_set(given.computer)])
        begins = InspectionBegins(given, workflow.now())
        begun = await owner.record(InspectionRecords.inspection_begins, begins)
        if begun.target is None:
            raise ApplicationError(begun.refusal, type="Refused", non_retryable=True)
        owner.has(begun.target, begun.waits)
        hardware, why_not = "", ""
        try:
            hardware, why_not = await self._read()
        # Exactly what ends a workflow. Anything else is a bug, and changes nothing.
        except (FailureError, asyncio.CancelledError) as error:
            why_not = "it was cancelled" if failures.was_cancelled(error) else failures.reason(error)
        await in_any_case(self._put_back())
        ended = InspectionEnded(owner.target, workflow.now(), hardware, given.accept, why_not, self._not_back)
        found = await owner.record(InspectionRecords.inspection_ended, ended)
        if why_not:
            raise ApplicationError(f"{given.computer}: {why_not}", type="StepFailed", non_retryable=True)
        return found

    @workflow.query(name=messages.STATUS)
    def status(self) -> str:
        """What it does now, in words."""
        return self._owner.doing

    async def _read(self) -> tuple[str, str]:
        """The hardware; or why it is not known."""
        policy = Policy("the inspection fails", plan=InspectionActivities.plan_inspection, what="inspection")
        found = await load(self._owner, policy)
        return (found.hardware, "") if isinstance(found, Facts) else ("", str(found))

    async def _put_back(self) -> None:
        """Its power as it was before. That it can't be is recorded."""
        try:
            await put_back(self._owner, "it goes out of service")
        except FailureError as error:
            self._not_back = f"{self._owner.doing}: {failures.reason(error)}"
