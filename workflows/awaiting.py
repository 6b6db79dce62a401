"""new, but its computer is being loaded already, for nobody yet: it is taken when that is done.

The reservation registers with the computer's load and is signalled at its end. That is only the fast way: it also looks
from time to time whether a computer can be had, so a load that was terminated, or a lost signal, lets nobody hang.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.provisioning import Survey
from activities.records import BeginInput, RecordActivities
from vclab.model import messages
from vclab.model.catalog import RELOADED
from vclab.model.messages import computer_workflow
from vclab.model.reservations import Placed, ReserveRequest
from workflows.scheduled import Scheduled


class Awaiting(Scheduled):
    """From placed to the computer that is being loaded. Nothing of this is done for what has its computer."""

    def __init__(self, request: ReserveRequest) -> None:
        super().__init__(request)
        self._was_told = False  #: the load of the computer has ended, one way or the other

    async def _awaiting(self, placed: Placed) -> None:
        """Until the computer is its own; any other that becomes free will do too. Fails when none is had in time."""
        if placed.held:
            return
        limit = min(workflow.now() + timedelta(seconds=placed.waits.late), placed.end)
        await self._register(placed.target.computer)
        while self._ending is None:
            self._was_told = False
            survey = await self._survey_if_any()
            if survey is not None:
                given = BeginInput(self._request.id, survey.inventories, workflow.now())
                outcome = await self.record(RecordActivities.begin, given)
                if outcome.placed is not None:
                    self._taken(outcome.placed)
                    return
                self._progress.says(f"no computer yet: {outcome.refusal.text() if outcome.refusal else ''}")
            if workflow.now() >= limit:
                raise ApplicationError(self._progress.reason, type="NoComputer", non_retryable=True)
            await self._await_place(placed, (limit - workflow.now()).total_seconds())

    async def _await_place(self, placed: Placed, within: float) -> Survey | None:
        """What is reserved for later is told too when the load of its computer ends, instead of looking for it only."""
        if placed.start is not None and placed.late_credited and placed.target.module in RELOADED:
            self._was_told = False
            await self._register(placed.target.computer)
        return await super()._await_place(placed, within)

    async def _register(self, computer: str) -> None:
        """Tell the computer's load who wants it. That it has ended meanwhile, or is gone, the first look sees."""
        with suppress(FailureError):
            load = workflow.get_external_workflow_handle(computer_workflow(computer))
            await load.signal(messages.WAITER, self._request.id)

    def _wakes(self) -> bool:
        return self._was_told or super()._wakes()

    def _what_place(self, placed: Placed) -> str:
        if placed.loaded_by is None:
            return super()._what_place(placed)
        return f"{placed.target.computer} to be loaded, which goes on already{_about(placed.loaded_by)}"


def _about(moment: datetime) -> str:
    return f", probably until {moment:%H:%M:%S} UTC"
