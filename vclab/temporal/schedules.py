"""Schedules, declared in code and brought in line at each start of a worker."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from vclab.settings import ReconcileSettings
from vclab.temporal.client import QUEUE

RECONCILE = "reconcile"


async def ensure(client: Client, settings: ReconcileSettings) -> None:
    """Make the reconciler's schedule, or change it to what the settings say."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow("Reconcile", id="reconcile", task_queue=QUEUE),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=settings.every))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(seconds=10)),
    )

    def updated(_: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=schedule)

    try:
        await client.create_schedule(RECONCILE, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(RECONCILE).update(updated)
