"""Taking a reservation that failed off its user's list."""

from temporalio import workflow

from activities.records import DismissInput, RecordActivities
from vclab.model import messages
from vclab.model.messages import Dismiss
from workflows import profiles


@workflow.defn(name=messages.DISMISSAL)
class Dismissal:
    """One record: only workflows have reservations written, and that of one that failed is over."""

    @workflow.run
    async def run(self, message: Dismiss) -> str:
        """The reservation's id."""
        given = DismissInput(message.reservation, message.by, workflow.now())
        await workflow.execute_local_activity_method(RecordActivities.dismissed, given, **profiles.record("dismissed"))
        return message.reservation
