"""reclaim: the user is out at once; the computer is taken back."""

from contextlib import suppress
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.guest import GuestActivities
from activities.records import KeptInput, RecordActivities
from activities.spares import SpareInput
from vclab.model import messages
from vclab.model.catalog import RELOADED
from vclab.model.messages import Reload, computer_workflow
from vclab.model.reservations import Placed
from vclab.model.states import Ending, ReservationState
from workflows import profiles
from workflows.keeping import made_clean, may_be_kept
from workflows.life import Life
from workflows.reclaim import take_back


class Leaving(Life):
    """From its ending to the computer being anybody's again."""

    async def _reclaim(self, placed: Placed) -> None:
        """Take the computer back; the user has seen Ended already."""
        unused = self._progress.state is ReservationState.RESERVED or self._prepared
        await self._finish(self._ending or Ending.FAILED, self._progress.reason)
        await self._recorded_end()
        self._enter(ReservationState.RECLAIM)
        self._progress.waits(f"{placed.target.computer} to be gone from {placed.target.host}")
        self.tell()
        why_removed = ""
        if unused and may_be_kept(placed, self._ending):
            why_removed = await self._keep(placed)
            if not why_removed:
                self._enter(ReservationState.COMPLETE)
                self._progress.waits("nothing: the computer is clean, and kept as a spare")
                return
        await self._shut(placed)
        why_not = await take_back(placed.target, placed.waits.remove_retry)
        await self.record(RecordActivities.finished, replace(self._event(), not_clean=why_not, detail=why_removed))
        if placed.target.module in RELOADED and not why_not:
            await self._reload(placed.target.computer)
        failed = self._ending is Ending.FAILED
        self._enter(ReservationState.FAILED if failed else ReservationState.COMPLETE)
        self._progress.waits(f"nothing: the computer is {'in maintenance' if why_not else 'taken back'}")

    async def _keep(self, placed: Placed) -> str:
        """Keep a machine that nobody could have logged in to, sanitized, for the next reservation; or why not."""
        target, access = placed.target, replace(placed.access, addresses=self._addresses)
        began = self._grant_began
        seconds = (workflow.now() - began).total_seconds() if began else 0.0
        given = SpareInput(target, self._facts, access, bool(began or self._addresses), seconds)
        why_not = await made_clean(given)
        if not why_not:
            kept = KeptInput(self._request.id, placed.waits.spare, workflow.now())
            why_not = await self.record(RecordActivities.kept, kept)
        reloads = target.module in RELOADED
        return why_not and f"{'loaded anew' if reloads else 'removed, not kept as a spare'}: {why_not}"

    async def _reload(self, computer: str) -> None:
        """Have the computer loaded, for nobody yet: this life does not wait for it. When somebody does it already, or
        nobody can now, the reconciler looks after it."""
        with suppress(FailureError):
            await workflow.start_child_workflow(
                messages.LOAD,
                Reload(computer),
                id=computer_workflow(computer),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
                static_summary=f"load {computer}, for nobody yet",
            )

    async def _shut(self, placed: Placed) -> None:
        """Shut the user out at once: taking the computer back may take long when its endpoint is away."""
        if not self._addresses and not (self._grant_began and self._waits.last_look):
            return
        with suppress(ActivityError):
            await workflow.execute_activity_method(
                GuestActivities.close_access,
                self._guest_input(placed, 0.0),
                **profiles.briefly(f"shut {placed.target.computer}", placed.target.site),
            )
