"""The clock of a reservation in use: notices before the end, and the end itself."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.guest import GuestActivities
from vclab.model import durations
from vclab.model.states import Ending, ReservationState
from vclab.model.times import dated
from workflows import profiles
from workflows.life import Life
from workflows.tasks import Handle, result_after

T = TypeVar("T")


async def while_the_clock_runs(life: Life, handle: Handle[T], or_else: Callable[[], bool] = lambda: False) -> T | None:
    """As ``Life.unless_ended``; the notices are sent meanwhile, and the end is kept."""

    def enough() -> bool:
        return handle.done() or or_else() or is_to_be_saved(life)

    async def wait() -> None:
        while not enough() and not life.ended:
            await tick(life, enough)

    return await result_after(wait(), handle)


async def tick(life: Life, fact: Callable[[], bool], at_most: datetime | None = None) -> None:
    """Wait for a fact, but no longer than to the next moment of the clock: a notice, or the end. Not for one that
    ``is_to_be_saved``."""
    now, state = workflow.now(), life.state
    if now >= life.end:
        await life.finish(Ending.EOR, "the end of the reservation was reached")
        return
    if state.end_moved:
        state.use.noticed = now  # the notices of another end, from now on
    due = _next_notice(life, now)
    if due <= now:  # its moment passed while nobody could tell the time: between two runs, without a worker
        state.use.noticed = now
        await _notify(life)
        return
    state.end_moved = False
    moment = min(due, at_most or due)
    came = await life.until(lambda: fact() or state.end_moved, moment, _clock(due, life.end))
    if not came and moment == due and due != life.end:
        state.use.noticed = due
        await _notify(life)


def is_to_be_saved(life: Life) -> bool:
    """Its end has come, and it is to be captured first."""
    state = life.state
    wanted = life.request.capture_at_end and not state.saved and state.saving is None
    in_use = state.state is ReservationState.INUSE and not life.ended
    return wanted and in_use and workflow.now() >= life.end


def _clock(due: datetime, end: datetime) -> str:
    """The name of the timer."""
    return f"the end, {dated(due, UTC)}" if due == end else f"tell the user how much time is left, {dated(due, UTC)}"


def _next_notice(life: Life, now: datetime) -> datetime:
    """When the next notice is due, or was; the end when there is none."""
    use = life.state.use
    use.noticed = noticed = use.noticed or now
    moments = (life.end - timedelta(seconds=seconds) for seconds in life.waits.notices)
    return min((moment for moment in moments if moment > noticed), default=life.end)


async def _notify(life: Life) -> None:
    if not life.has_guest:
        return
    left = durations.format_duration((life.end - workflow.now()).total_seconds())
    text = f"Your reservation ends in {left}. Save your work, or extend it: vclab extend {life.request.id} --by 1h"
    text += _of_imaging(life)
    with suppress(ActivityError):
        await life.unless_ended(
            workflow.start_activity_method(
                GuestActivities.notify_user,
                replace(life.guest_input(), text=text),
                **profiles.briefly(f"notify the user: {left} left", life.target.site),
            )
        )


def _of_imaging(life: Life) -> str:
    """What becomes of what was reserved for imaging, and is not captured yet."""
    if not life.request.imaging or life.state.saved or life.state.saving is not None:
        return ""
    if life.request.capture_at_end:
        return ". It is captured at its end: this computer shuts down then"
    return f". It is not captured yet, and is lost then: vclab capture {life.request.id}"
