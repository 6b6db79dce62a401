"""The reconciler's schedule, and what a worker's start does to it."""

from temporalio.client import Client

from vclab.settings import ReconcileSettings, Settings
from vclab.temporal import schedules


async def test_a_start_keeps_a_paused_schedule_paused(time_client: Client) -> None:
    """An operator who restores a vCenter must not find the reconciler running. What settings say is taken over."""
    await schedules.ensure(time_client, Settings(reconcile=ReconcileSettings(every=3600)))
    handle = time_client.get_schedule_handle(schedules.RECONCILE)
    try:
        await handle.pause(note="restoring vc1")
        await schedules.ensure(time_client, Settings(reconcile=ReconcileSettings(every=1800)))
        schedule = (await handle.describe()).schedule
        assert (schedule.state.paused, schedule.state.note) == (True, "restoring vc1")
        assert [interval.every.total_seconds() for interval in schedule.spec.intervals] == [1800]
    finally:
        await handle.delete()
        await time_client.get_schedule_handle(schedules.RETENTION).delete()
