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

from vclab.model import messages
from vclab.settings import Settings

RECONCILE = "reconcile"
RETENTION = "retention"
DAY = timedelta(days=1)


async def ensure(client: Client, settings: Settings) -> None:
    """Make the schedules on the workflows' queue, or change them to what the settings say."""
    queue = settings.temporal.workflow_queue
    await _ensure(client, RECONCILE, "Reconcile", queue, timedelta(seconds=settings.reconcile.every))
    await _ensure(client, RETENTION, messages.RETENTION, queue, DAY, catch_up=DAY)


async def _ensure(
    client: Client,
    id: str,
    workflow: str,
    queue: str,
    every: timedelta,
    catch_up: timedelta = timedelta(seconds=10),
) -> None:
    """Its state is the operators': a schedule that they paused stays paused, with their note."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(workflow, id=id, task_queue=queue),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=catch_up),
    )

    def updated(now: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=replace(schedule, state=now.description.schedule.state))

    try:
        await client.create_schedule(id, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(id).update(updated)
