"""reclaim: the user is out at once; the computer is taken back."""

from contextlib import suppress
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.guest import GuestActivities
from activities.records import RecordActivities
from vclab.model.reservations import Placed
from vclab.model.states import Ending, ReservationState
from workflows import profiles
from workflows.life import Life
from workflows.reclaim import take_back


class Leaving(Life):
    """From its ending to the computer being anybody's again."""

    async def _reclaim(self, placed: Placed) -> None:
        """Take the computer back; the user has seen Ended already."""
        await self._finish(self._ending or Ending.FAILED, self._progress.reason)
        await self._recorded_end()
        self._enter(ReservationState.RECLAIM)
        self._progress.waits(f"{placed.target.computer} to be gone from {placed.target.host}")
        await self._shut(placed)
        why_not = await take_back(placed.target, placed.waits.remove_retry)
        await self.record(RecordActivities.finished, replace(self._event(), not_clean=why_not))
        failed = self._ending is Ending.FAILED
        self._enter(ReservationState.FAILED if failed else ReservationState.COMPLETE)
        self._progress.waits(f"nothing: the computer is {'in maintenance' if why_not else 'taken back'}")

    async def _shut(self, placed: Placed) -> None:
        """Shut the user out at once: taking the computer back may take long when its endpoint is away."""
        if not self._addresses:
            return
        with suppress(ActivityError):
            await workflow.execute_activity_method(
                GuestActivities.close_access,
                self._guest_input(placed, 0.0),
                **profiles.briefly(f"shut {placed.target.computer}", placed.target.site),
            )
