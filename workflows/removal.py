"""Removing a spare that nobody's reservation looks after."""

from dataclasses import dataclass

from temporalio import workflow

from activities.records import RecordActivities, SpareEvent
from vclab.temporal import search_attributes as searchable
from workflows import profiles
from workflows.reclaim import take_back

SEARCHABLE = "removal-searchable"
"""A patch: it is found by its computer and host in the Temporal UI, as loads and reservations are."""


@dataclass(frozen=True)
class RemovalInput:
    """A computer whose spare is to go."""

    computer: str
    longest_pause: float = 60.0


@workflow.defn
class Removal:
    """Removes a spare that nobody wanted in time, or that was in the way. Started by the reconciler."""

    @workflow.run
    async def run(self, given: RemovalInput) -> str:
        """What became of it."""
        event = SpareEvent(given.computer, workflow.now())
        held = await workflow.execute_local_activity_method(
            RecordActivities.spare_leaves, event, **profiles.record_of(RecordActivities.spare_leaves)
        )
        if held.target is None:
            return f"{given.computer} has no spare that is to go"
        if workflow.patched(SEARCHABLE):
            workflow.upsert_search_attributes(
                [searchable.COMPUTER.value_set(held.target.computer), searchable.HOST.value_set(held.target.host)]
            )
        await take_back(held.target, given.longest_pause)
        gone = SpareEvent(given.computer, workflow.now(), held.target.generation)
        await workflow.execute_local_activity_method(
            RecordActivities.spare_removed, gone, **profiles.record_of(RecordActivities.spare_removed)
        )
        return f"{held.target.machine_name} is gone from {held.target.host}"
