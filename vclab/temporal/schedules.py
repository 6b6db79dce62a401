"""Schedules, declared in code and brought in line at each start of a worker."""

from dataclasses import replace
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

RECONCILE = "reconcile"


async def ensure(client: Client, settings: ReconcileSettings, queue: str) -> None:
    """Make the reconciler's schedule on the workflows' queue, or change it to what the settings say.

    Its state is the operators': a schedule that they paused stays paused, with their note.
    """
    schedule = Schedule(
        action=ScheduleActionStartWorkflow("Reconcile", id="reconcile", task_queue=queue),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=settings.every))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(seconds=10)),
    )

    def updated(now: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=replace(schedule, state=now.description.schedule.state))

    try:
        await client.create_schedule(RECONCILE, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(RECONCILE).update(updated)
