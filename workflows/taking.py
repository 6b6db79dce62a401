"""Taking a computer: at the promised place, or any other; looked for until one can be had, or until it is too late."""

from contextlib import suppress
from datetime import datetime

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from activities.places import AwaitPlace, PlaceActivities
from activities.provisioning import Survey
from activities.records import BeginInput, RecordActivities
from vclab.model import messages
from vclab.model.catalog import RELOADED
from vclab.model.messages import computer_workflow
from vclab.model.reservations import Placed
from vclab.model.states import ReservationState
from workflows import failures, profiles
from workflows.life import Life
from workflows.placing import ask_endpoints, show_place


async def begin(life: Life, survey: Survey | None) -> bool:
    """Take a computer now, if one can be had. Else it is shown why not."""
    if survey is None:
        return False
    given = BeginInput(life.request.id, survey.inventories, workflow.now())
    outcome = await life.record(RecordActivities.begin, given)
    if outcome.placed is None:
        life.says(f"no computer yet: {outcome.refusal.text() if outcome.refusal else ''}")
        return False
    life.state.placed = outcome.placed
    life.says("")
    life.enter(ReservationState.NEW)
    show_place(life)
    return True


def fail_if_late(life: Life, limit: datetime) -> None:
    """Raise what ends it when no computer could be had until then."""
    if workflow.now() >= limit:
        raise ApplicationError(life.state.reason, type="NoComputer", non_retryable=True)


async def survey_if_any(life: Life) -> Survey | None:
    """What the endpoints say now; None, and the reason shown, when nobody could be asked."""
    life.publish()
    try:
        return await ask_endpoints()
    except ActivityError as error:
        if failures.was_cancelled(error):
            raise
        life.says(f"no computer yet: {failures.reason(error)}")
        return None


async def await_place(life: Life, placed: Placed, limit: datetime) -> Survey | None:
    """Look until a computer can be had. None: not in time; or it has ended, its start was moved, or the load of the
    computer that it waits for has ended."""
    if placed.start is not None and placed.late_credited and placed.target.module in RELOADED:
        life.state.load_ended = False
        await register(placed.target.computer, life.request.id)
    within, every, site = (limit - workflow.now()).total_seconds(), placed.waits.place_look, placed.target.site
    life.waits_for(_awaited(placed), within, "it fails")
    look = workflow.start_activity_method(
        PlaceActivities.await_place,
        AwaitPlace(life.request.id, every, site),
        **profiles.look("can a computer be had?", site, every, within),
    )
    try:
        return await life.unless_ended(look, lambda: life.state.load_ended or life.state.start_moved)
    except ActivityError as error:
        if not failures.timed_out(error):
            raise
        life.says(failures.reason(error))
        return None


async def register(computer: str, reservation: str) -> None:
    """Have the computer's load signal this reservation when it ends. That it has ended meanwhile, or is gone, the first
    look sees."""
    with suppress(FailureError):
        load = workflow.get_external_workflow_handle(computer_workflow(computer))
        await load.signal(messages.WAITER, reservation)


def _awaited(placed: Placed) -> str:
    if placed.loaded_by is None:
        return "a computer"
    until = f", probably until {placed.loaded_by:%H:%M:%S} UTC"
    return f"{placed.target.computer} to be loaded, which goes on already{until}"
