"""Taking a computer: at the promised place, or any other; looked for until one can be had, or until it is too late."""

from datetime import UTC, datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from activities.places import AwaitPlace, PlaceActivities
from activities.records import BeginInput, PlaceOutcome, RecordActivities
from vclab.model import messages
from vclab.model.inventory import Answered
from vclab.model.messages import computer_workflow
from vclab.model.reservations import Placed
from vclab.model.states import ReservationState
from vclab.model.times import dated
from workflows import failures, profiles
from workflows.life import Life
from workflows.placing import ask_endpoints, show_place


async def until_loaded(life: Life) -> None:
    """new, but its computer is being loaded already, for nobody yet: until that is its own. Any other that becomes free
    will do too. Nothing of this is done for what has its computer."""
    if not life.placed.held:
        limit = min(workflow.now() + timedelta(seconds=life.waits.late), life.end)
        await take(life, limit)


async def take(life: Life, limit: datetime) -> bool:
    """Take a computer; false when it has ended or its start was moved meanwhile. Raises what ends it when none can be
    had until the limit."""
    while not life.ended and not life.state.start_moved:
        answers = await answers_if_any(life)
        if answers is not None and await _begin(life, answers):
            return True
        if workflow.now() >= limit:
            raise ApplicationError(life.state.reason, type="NoComputer", non_retryable=True)
        await _await_place(life, limit)
    return False


async def answers_if_any(life: Life) -> tuple[Answered, ...] | None:
    """What the endpoints say now. None when it has ended, or nobody could be asked: then the reason is shown."""
    try:
        return await ask_endpoints(life)
    except ActivityError as error:
        life.says(f"no computer yet: {failures.reason(error)}")
        return None


async def _begin(life: Life, answers: tuple[Answered, ...]) -> bool:
    """Take a computer now, if one can be had. Else it is shown why not."""
    given = BeginInput(life.request.id, answers, workflow.now())

    def taken(outcome: PlaceOutcome) -> None:
        if outcome.placed is not None:
            life.place_is(outcome.placed)

    outcome = await life.record(RecordActivities.begin, given, taken)
    if outcome.placed is None:
        life.says(f"no computer yet: {outcome.refusal.text() if outcome.refusal else ''}")
        return False
    life.says("")
    life.enter(ReservationState.NEW)
    show_place(life)
    return True


async def _await_place(life: Life, limit: datetime) -> None:
    """Look until a computer can be had, or the limit is reached; or it has ended, or its start was moved, or the load
    of the computer that it waits for has ended.

    That load's signal is only the fast way: a load that was terminated, or a lost signal, lets nobody hang.
    """
    life.state.load_ended = False
    if life.target.traits.reloadable:
        await _register(life.target.computer, life.request.id)
    within, every, site = (limit - workflow.now()).total_seconds(), life.waits.place_look, life.target.site
    life.waits_for(_awaited(life.placed), within, "it fails")
    look = workflow.start_activity_method(
        PlaceActivities.await_place,
        AwaitPlace(life.request.id, every, site),
        **profiles.search("is a computer available?", site, every, within),
    )
    try:
        await life.unless_ended(look, lambda: life.state.load_ended or life.state.start_moved)
    except ActivityError as error:
        if not failures.timed_out(error):
            raise
        life.says(failures.reason(error))


async def _register(computer: str, reservation: str) -> None:
    """Have the computer's load signal this reservation when it ends. That it has ended meanwhile, or is gone, the first
    look sees."""
    load = workflow.get_external_workflow_handle(computer_workflow(computer))
    try:
        await load.signal(messages.WAITER, reservation)
    except FailureError as error:
        if failures.was_cancelled(error):
            raise


def _awaited(placed: Placed) -> str:
    if placed.loaded_by is None:
        return "a computer"
    until = f", probably until {dated(placed.loaded_by, UTC)}"
    return f"{placed.target.computer} to be loaded, which goes on already{until}"
