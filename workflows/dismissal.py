"""Dismissing: a failed reservation is taken off its user's list."""

from temporalio import workflow

from activities.records import DismissInput, RecordActivities
from vclab.model import messages
from vclab.model.messages import Dismiss
from workflows import profiles


@workflow.defn(name=messages.DISMISSAL)
class Dismissal:
    """Writes one record. Only workflows write reservations, and that of the failed one has ended."""

    @workflow.run
    async def run(self, message: Dismiss) -> str:
        """The reservation's id."""
        given = DismissInput(message, workflow.now())
        await workflow.execute_local_activity_method(
            RecordActivities.dismissed, given, **profiles.record_of(RecordActivities.dismissed)
        )
        return message.reservation
