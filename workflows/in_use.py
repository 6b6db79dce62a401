"""inuse: looks at who is connected, until the end, or until nobody comes back."""

from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.looks import LookActivities, Sighting
from activities.records import RecordActivities
from vclab.model.states import Ending
from workflows import failures
from workflows.access import attend, found, must_attend, narrow
from workflows.continue_as_new import continue_as_new, run_is_full
from workflows.life import Life
from workflows.looks import cannot_look, last_look, start_look
from workflows.notices import is_to_be_saved, tick, while_the_clock_runs
from workflows.saving import save, save_at_end
from workflows.tasks import Handle


async def use(life: Life) -> None:
    """Until its end, until nobody comes back, or until it is to be reinstalled: looks, notices, addresses that come and
    go, restarts."""
    while not life.ended and not life.state.reinstall:
        if _must_go_on_anew(life):
            await continue_as_new(life)
        elif must_attend(life):
            await _attend(life)
        else:
            seen = await _watch(life)
            if life.state.reinstall:
                return
            if not life.ended and must_attend(life):
                await _attend(life)
            elif not life.ended and seen is not None:
                await _saw(life, seen)


def _must_go_on_anew(life: Life) -> bool:
    """Not while a capture goes on: it reports to this run."""
    return run_is_full() and life.state.saving is None


async def _attend(life: Life) -> None:
    if life.state.saving is not None and not life.state.saving.taken:
        await save(life)
    elif is_to_be_saved(life):
        await save_at_end(life)
    else:
        await attend(life)


async def _watch(life: Life) -> Sighting | None:
    """What the next look sees, while the clock runs on; None when it was broken off or could not look.

    No fault of ours ends anything: a look that fails is shown, waited out and begun again. Without a guest there is
    nothing to look at: only the clock runs.
    """
    known, began = life.state.let_in.addresses, workflow.now()

    def broken_off() -> bool:
        return must_attend(life) or _must_go_on_anew(life) or life.state.let_in.addresses != known

    if not life.has_guest:
        _wait_for_the_end(life)
        await tick(life, broken_off)
        return None
    look = _start(life)
    try:
        return await while_the_clock_runs(life, look, broken_off)
    except ActivityError as error:
        seen = await _no_answer(life, error, began)
        life.state.use.back_by = None
        return seen


def _start(life: Life) -> Handle[Sighting]:
    """Every 5 min while connected (VCL general_inuse_check), or while it can't be looked at. After a disconnection
    every 15 s for as long as the user may stay away."""
    waits, use = life.waits, life.state.use
    if use.unseen:
        _wait_for_the_end(life)
        summary = "can the computer be reached again?"
        return start_look(life, LookActivities.await_sight, waits.inuse_look, None, summary)
    if use.connected:
        _wait_for_the_end(life)
        summary = "is the user still connected?"
        return start_look(life, LookActivities.await_disconnection, waits.inuse_look, None, summary)
    within = None if _never_times_out(life) else _may_stay_away(life)
    life.waits_for("the user to come back", within, "it ends as timeout" if within else "")
    every = waits.first_connection_look
    return start_look(life, LookActivities.await_connection, every, within, "has the user come back?")


def _wait_for_the_end(life: Life) -> None:
    """Until the end, also when it is moved."""
    life.waits_for("the end of the reservation", None, "it ends")
    life.state.wait.until = life.end


def _may_stay_away(life: Life) -> float:
    """Seconds that are left to the user to come back. A look that was broken off does not begin them anew."""
    use = life.state.use
    use.back_by = use.back_by or workflow.now() + timedelta(seconds=life.waits.reconnect)
    return max((use.back_by - workflow.now()).total_seconds(), 0.1)


def _never_times_out(life: Life) -> bool:
    """A reservation of a day or more needs no connection (VCL ignore_connections_gte). As there, what counts is its
    length as it is now, with all extensions."""
    longest = life.waits.no_timeout_from
    extended = life.end - (life.state.planned_end or life.end)
    return life.request.seconds + extended.total_seconds() >= longest


async def _no_answer(life: Life, error: ActivityError, began: datetime) -> Sighting | None:
    """A look was given up: the user stayed away for too long, or the computer can't be looked at."""
    away, use = not life.state.use.connected and failures.timed_out(error), life.state.use
    if away and not failures.could_not_look(error):
        return None if _never_times_out(life) else await _still_away(life, began)
    if away:
        use.unseen = cannot_look(error)
        life.says(use.unseen)
    else:
        await _look_failed(life, error)
    return None


async def _still_away(life: Life, since: datetime) -> Sighting | None:
    """End it when the user has not been seen in all that time, and is not now; else what is seen."""
    try:
        seen = await last_look(life, since)
    except ActivityError as error:
        await _look_failed(life, error)
        return None
    if seen is None or seen.connected or seen.unseen:
        return seen
    await life.finish(Ending.TIMEOUT, "the user was disconnected for too long")
    return None


async def _look_failed(life: Life, error: ActivityError) -> None:
    life.says(cannot_look(error))
    again = workflow.now() + timedelta(seconds=life.waits.first_connection_look)
    while workflow.now() < again and not life.ended and not must_attend(life):
        await tick(life, lambda: must_attend(life), again)


async def _saw(life: Life, seen: Sighting) -> None:
    """What a look saw goes to the record, if it is news."""
    use = life.state.use
    if seen.unseen:
        life.says(f"{seen.unseen}. If it is only off, `vclab reboot {life.request.id}` starts it")
    elif use.unseen:
        life.says("")
    use.unseen, use.back_by = seen.unseen, None
    await found(life, seen.facts)
    if seen.connected != use.connected:
        record = RecordActivities.connected if seen.connected else RecordActivities.disconnected
        event = replace(life.event(addresses=seen.addresses), detail=seen.unseen)
        life.heed(await life.record(record, event))
    use.connected = seen.connected
    if not seen.unseen:
        narrow(life, seen.addresses)
