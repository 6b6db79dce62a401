"""Removing records: those that are too old, every day; and what tells who somebody was, when that is asked for."""

from temporalio import workflow

from activities.retention import RetentionActivities
from vclab.model.retention import Forget, Forgotten, Swept
from workflows import profiles


@workflow.defn
class Retention:
    """One round, started by a schedule."""

    @workflow.run
    async def run(self) -> Swept:
        """How many rows went, of what. A round that fails is left to the next one."""
        return await workflow.execute_activity_method(
            RetentionActivities.sweep, **profiles.removal_of_records("remove records that are too old")
        )


@workflow.defn
class Forgetting:
    """Forgets one person. Its history has no name in it, only the intent that has."""

    @workflow.run
    async def run(self, given: Forget) -> Forgotten:
        """What stands for them now."""
        return await workflow.execute_activity_method(
            RetentionActivities.forget_person, given, **profiles.removal_of_records("forget a person")
        )
