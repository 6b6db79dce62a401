"""Removing spares whose room somebody needs."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.provisioning import ProvisioningActivities
from activities.records import RecordActivities, SpareEvent
from vclab.model.plans import Target
from workflows import failures, profiles
from workflows.life import Life


async def evict(life: Life, spares: tuple[Target, ...]) -> None:
    """Remove these spares. What is left when the reservation ends is the reconciler's to remove."""
    for spare in spares:
        life.waits_for(f"{spare.computer} to be gone from {spare.host}: its room is needed")
        summary = f"remove the spare {spare.computer} from {spare.host}"
        try:
            await life.unless_ended(
                workflow.start_activity_method(
                    ProvisioningActivities.remove_computer,
                    spare,
                    **profiles.reclaim(summary, spare.site, life.waits.remove_retry),
                )
            )
        except ActivityError as error:
            if not failures.is_fenced(error):
                raise
            # The reconciler has removed it meanwhile: it does so while a reservation waits for its time.
        if life.ended:
            return
        gone = SpareEvent(spare.computer, workflow.now(), spare.generation)
        await life.record(RecordActivities.spare_removed, gone)
