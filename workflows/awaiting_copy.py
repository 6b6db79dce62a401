"""Waiting for the copy that a machine's disk is made from, where it is not there yet."""

from datetime import timedelta

from temporalio import workflow

from activities.copies import AwaitCopy, CopyAwaited, CopyRecords
from workflows import copy_image
from workflows.life import Life
from workflows.plan_runner import Failed

LOOK, LONGEST_LOOK = 60.0, 600.0
"""Seconds until it is looked anew, longer each time: a copy whose workflow was terminated, or a lost signal, lets
nobody hang."""
AWAIT_COPY = "await_copy"


async def have_copy(life: Life) -> Failed | None:
    """Wait until the copy is there, or say why it is not to be had. At once when it is there, or the life has ended."""
    again, pause, limit = True, LOOK, workflow.now() + timedelta(seconds=life.waits.load_ceiling)
    while life.target.awaits_copy and not life.ended:
        wanted = life.target.made_from
        outcome = await _ask(life, again)
        if outcome.why_not:
            return Failed(AWAIT_COPY, 0, f"the copy of {wanted}", outcome.why_not, blames_nobody=True)
        if not life.target.awaits_copy:
            return None
        again, life.state.copy_ended = False, False
        await copy_image.started(wanted)
        life.waits_for(f"{wanted} to be copied to {wanted.place}")
        if workflow.now() >= limit:
            return Failed(AWAIT_COPY, 0, f"the copy of {wanted}", "it was not made in time", blames_nobody=True)
        deadline = min(workflow.now() + timedelta(seconds=pause), limit)
        pause = min(2 * pause, LONGEST_LOOK)
        await life.until(lambda: life.state.copy_ended, deadline, f"wait for {wanted} on {wanted.place}")
    return None


async def _ask(life: Life, again: bool) -> CopyAwaited:
    def taken(outcome: CopyAwaited) -> None:
        life.place_is(outcome.placed)

    given = AwaitCopy(life.request.id, workflow.now(), again)
    outcome: CopyAwaited = await life.record(CopyRecords.copy_awaited, given, taken)
    return outcome
