"""Taking a computer back. Nobody else gets it before that is verified."""

from dataclasses import dataclass

from temporalio import workflow

from activities.provisioning import ProvisioningActivities
from activities.records import EndedInput, Event, RecordActivities
from vclab.model.plans import Target
from vclab.model.states import Ending
from workflows import profiles


async def take_back(target: Target, longest_pause: float) -> str:
    """Take the computer back, and go on trying until that is verified. The answer is why nobody may get it; or ""."""
    why_not: str | None = await workflow.execute_activity_method(
        ProvisioningActivities.remove_computer,
        target,
        **profiles.reclaim(f"take back {target.computer} from {target.host}", target.site, longest_pause),
    )
    return why_not or ""


@dataclass(frozen=True)
class ReclaimInput:
    """A reservation whose workflow is gone (terminated or reset by an operator, or lost)."""

    reservation: str
    longest_pause: float = 60.0


@workflow.defn
class Reclaim:
    """Takes back what a reservation without a workflow left behind. Started by the reconciler."""

    @workflow.run
    async def run(self, given: ReclaimInput) -> str:
        """The reservation's id, when its computer is taken back."""
        reason = "its workflow was terminated or lost"
        ended = EndedInput(given.reservation, Ending.FAILED, workflow.now(), reason)
        await workflow.execute_local_activity_method(
            RecordActivities.ended, ended, **profiles.record_of(RecordActivities.ended)
        )
        held = await workflow.execute_local_activity_method(
            RecordActivities.held, given.reservation, **profiles.record_of(RecordActivities.held)
        )
        why_not = await take_back(held.target, given.longest_pause) if held.target is not None else ""
        event = Event(given.reservation, workflow.now(), not_clean=why_not)
        await workflow.execute_local_activity_method(
            RecordActivities.finished, event, **profiles.record_of(RecordActivities.finished)
        )
        return given.reservation
