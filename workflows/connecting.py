"""reserved: it waits for Connect, lets the user in, and waits for the first connection."""

from datetime import UTC, datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.looks import LookActivities, Sighting
from activities.records import RecordActivities
from vclab.model.states import Ending, ReservationState
from vclab.model.times import dated
from workflows import failures
from workflows.access import attend, found, grant, must_attend, narrow, not_let_in
from workflows.life import Life
from workflows.looks import cannot_look, last_look, start_look


async def connect(life: Life) -> None:
    """From ready to the first connection, or to its ending. What has no guest is handed out at Connect."""
    if not life.has_guest:
        await _hand_out(life)
        return
    if not await _let_in(life):
        return
    seen = await _first_connection(life)
    if seen is None:
        return
    life.heed(await life.record(RecordActivities.connected, life.event(addresses=seen.addresses)))
    life.state.use.connected = True
    await found(life, seen.facts)
    life.enter(ReservationState.INUSE)
    narrow(life, seen.addresses)


async def _hand_out(life: Life) -> None:
    """It is in use from now on: nobody can see by whom."""
    await _await_connect(life, life.waits.acknowledge)
    if life.ended:
        return
    life.state.let_in.granted = life.state.let_in.addresses
    life.heed(await life.record(RecordActivities.handed_out, life.event()))
    life.enter(ReservationState.INUSE)


async def _let_in(life: Life) -> bool:
    """Wait for Connect, let the user in. One who can't be let in is shown why, and may press Connect again: a fault of
    ours ends nothing. False when it has ended."""
    while True:
        await _await_connect(life, life.waits.acknowledge)
        if life.ended:
            return False
        tried = life.state.let_in.addresses
        try:
            return await grant(life)
        except ActivityError as error:
            if failures.was_cancelled(error) or failures.is_fenced(error):
                raise
            await not_let_in(life, tried, failures.reason(error))


async def _await_connect(life: Life, seconds: float) -> None:
    """Until Connect is pressed, or it has ended because nobody did."""
    state = life.state
    life.waits_for("Connect", seconds, "it ends as noack")
    deadline = workflow.now() + timedelta(seconds=seconds)
    while not state.let_in.addresses and not life.ended:
        state.end_moved = False
        until = min(deadline, life.end)
        name = f"wait for Connect until {dated(until, UTC)}"
        if not await life.until(lambda: bool(state.let_in.addresses) or state.end_moved, until, name):
            ending = Ending.NOACK if until == deadline else Ending.EOR
            await life.finish(ending, "nobody pressed Connect in time")


async def _first_connection(life: Life) -> Sighting | None:
    """What the look saw that saw somebody; None when it has ended, because nobody came in time."""
    began, patience = workflow.now(), timedelta(seconds=life.waits.first_connection)
    while not life.ended:
        until = min(began + patience, life.end)
        seen = await _look_for_connection(life, until)
        if seen is not None and not seen.unseen:
            return seen
        if seen is None and workflow.now() < min(began + patience, life.end):
            continue
        if workflow.now() < life.end:
            seen = seen or await last_look(life, began)
            if seen is not None and seen.connected:
                return seen
            if seen is not None and seen.unseen:
                began = await _until_seen(life, seen.unseen)
            if seen is None or seen.unseen:
                continue
        ending = Ending.EOR if workflow.now() >= life.end else Ending.NOLOGIN
        await life.finish(ending, "nobody connected in time")
    return None


async def _look_for_connection(life: Life, until: datetime) -> Sighting | None:
    """The first connection seen, or that it could not be looked until then; or None: no time left, ended, or another
    address was let in meanwhile."""
    within = (until - workflow.now()).total_seconds()
    if within <= 0:
        return None
    life.waits_for("the first connection", within, "it ends as nologin")
    every = life.waits.first_connection_look
    look = start_look(life, LookActivities.await_connection, every, within, "is the user connected?")
    try:
        seen = await life.unless_ended(look, lambda: must_attend(life))
    except ActivityError as error:
        if not failures.timed_out(error):
            raise
        seen = Sighting(False, unseen=cannot_look(error)) if failures.could_not_look(error) else None
    if must_attend(life) and not life.ended:
        await attend(life)
    return seen


async def _until_seen(life: Life, why: str) -> datetime:
    """A computer that can't be looked at does not tell that nobody is there. Returns when it can be, or at the end:
    from when on the user is waited for anew."""
    use = life.state.use
    use.unseen = why
    life.says(why)
    while not life.ended and use.unseen and workflow.now() < life.end:
        within = (life.end - workflow.now()).total_seconds()
        life.waits_for("the computer to be reachable again", within, "it ends")
        every, summary = life.waits.first_connection_look, "can the computer be reached again?"
        look = start_look(life, LookActivities.await_sight, every, within, summary)
        try:
            seen = await life.unless_ended(look, lambda: must_attend(life))
        except ActivityError as error:
            if not failures.timed_out(error):
                raise
            continue
        if seen is not None:
            use.unseen = ""
            life.says("")
        elif not life.ended:
            await attend(life)
    use.unseen = ""
    return workflow.now()
