"""Looks at a computer that a person may use. One that can't be looked at is not "disconnected"."""

from dataclasses import replace
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.types import MethodAsyncSingleParam

from activities.looks import LookActivities, Sighting
from activities.reach import GuestInput
from vclab.model.states import ReservationState
from workflows import failures, profiles
from workflows.access import attend, must_attend
from workflows.life import Life
from workflows.notices import while_the_clock_runs
from workflows.tasks import Handle


def start_look(
    life: Life,
    look: MethodAsyncSingleParam[LookActivities, GuestInput, Sighting],
    every: float,
    within: float | None,
    summary: str,
) -> Handle[Sighting]:
    """Look ``every`` seconds, for at most ``within`` seconds."""
    in_use, unseen = life.state.state is ReservationState.INUSE, life.state.use.unseen
    return workflow.start_activity_method(
        look,
        replace(life.guest_input(every), in_use=in_use, unseen=unseen),
        **profiles.look(summary, life.target.site, every, within),
    )


async def last_look(life: Life, since: datetime) -> Sighting | None:
    """Before somebody is given up: the looks may have ended with the last worker, and the user be there by now, or have
    been since then. None: it has ended, or what somebody wanted came first."""
    life.waits_for("a last look whether the user is connected")
    look = workflow.start_activity_method(
        LookActivities.last_look,
        life.guest_input((workflow.now() - since).total_seconds()),
        **profiles.look("is the user really not connected?", life.target.site, life.waits.first_connection_look, None),
    )
    if life.state.state is ReservationState.INUSE:
        return await while_the_clock_runs(life, look, lambda: must_attend(life))
    seen = await life.unless_ended(look, lambda: must_attend(life))
    if seen is None and not life.ended:
        await attend(life)
    return seen


def cannot_look(error: ActivityError) -> str:
    """In words."""
    return f"the computer can't be looked at: {failures.reason(error)}"
