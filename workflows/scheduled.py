"""scheduled: a reservation for later. It waits, takes a computer, loads it before the start, and hands it over then.

A preload is a courtesy: one that fails, or whose computer can't be had, is shown, and the start does it again.
"""

from datetime import UTC, datetime, timedelta
from functools import partial

from temporalio import workflow

from activities.records import PutOffInput, RecordActivities, RescheduleInput
from activities.spares import SpareInput
from vclab.model.messages import Reschedule
from vclab.model.plans import Facts
from vclab.model.states import Ending, ReservationState
from vclab.model.times import dated
from vclab.temporal import search_attributes as searchable
from workflows import taking
from workflows.awaiting_copy import have_copy
from workflows.eviction import evict
from workflows.life import Life
from workflows.plan_runner import Failed, Policy, load
from workflows.preparing import hand_over, start_of
from workflows.reclaim import take_back
from workflows.relocation import start_over
from workflows.spare_policy import made_clean, may_be_kept


async def until_start(life: Life) -> None:
    """Until it is ready at its start; or until the start has come without a preload, and the load is up to it.

    Nothing of this is done for what begins at once.
    """
    if life.placed.start is None:
        return
    failed_for: datetime | None = None
    while not life.ended:
        preload = failed_for != life.placed.start
        await _await_time(life, preload)
        if life.ended or life.state.start_moved:
            continue
        limit = min(start_of(life) + timedelta(seconds=life.waits.late), life.end)
        if not await taking.take(life, limit):
            continue
        start = start_of(life)
        if workflow.now() >= start or await _preload(life):
            return
        failed_for = start


async def _await_time(life: Life, preload: bool) -> None:
    """Until its load begins, or its start is moved."""
    placed, state = life.placed, life.state
    moment = placed.preload_at if preload and placed.preload_at else start_of(life)
    left = (moment - workflow.now()).total_seconds()
    life.waits_for("the time to prepare the computer", max(left, 0.0), "a computer is taken and loaded")
    state.start_moved = False
    await life.until(lambda: state.start_moved, moment, f"wait to take and load a computer at {dated(moment, UTC)}")


async def _preload(life: Life) -> bool:
    """Load it before the start, and hand it over then. False: it was taken back, and the wait begins anew.

    Neither another place is tried nor an operator asked: the start does all that, if it comes to that.
    """
    await evict(life, life.placed.evicted)
    if life.ended:
        return True
    loaded = await load(life, Policy(before=partial(have_copy, life)))
    if isinstance(loaded, Failed):
        await _put_back(life, f"the preload failed: {loaded}")
        return False
    if loaded is not None and not life.ended:
        await hand_over(life, loaded)
    if not life.ended and life.state.state is not ReservationState.RESERVED:
        await _put_back(life, "")
        return False
    return True


async def _put_back(life: Life, why: str) -> None:
    """Give the computer back before the start, as if it had never been taken; the claims stay."""
    placed, state = life.placed, life.state
    start_over(life)
    life.says(why)
    life.waits_for(f"{placed.target.computer} to be taken back")
    life.publish()
    if state.prepared and may_be_kept(placed, state.ending):
        if not await made_clean(SpareInput(placed.target, state.facts, placed.access)):
            await _put_off(life, PutOffInput(life.request.id, workflow.now(), why, keep=placed.waits.spare))
        if life.ended:
            return  # it is kept, or taken back, by that
    state.facts, state.prepared = Facts(), False
    if life.placed.held:
        not_clean = await take_back(placed.target, placed.waits.remove_retry)
        await _put_off(life, PutOffInput(life.request.id, workflow.now(), why, not_clean))
    if not life.ended:
        life.enter(ReservationState.SCHEDULED)


async def _put_off(life: Life, given: PutOffInput) -> None:
    """Unless it has ended: then its computer is that ending's."""
    if not life.ended:
        await life.record(RecordActivities.put_off, given, life.place_is)


async def drop(life: Life) -> None:
    """Ended before it took a computer: there is nothing to take back."""
    await life.finish(life.state.ending or Ending.FAILED, life.state.reason)
    await life.record_ending()
    await life.record(RecordActivities.finished, life.event())
    life.enter(ReservationState.FAILED if life.state.ending is Ending.FAILED else ReservationState.COMPLETE)
    life.waits_for("nothing: no computer was taken")


async def reschedule(life: Life, message: Reschedule) -> str:
    """Move the start; the refusal's text when that is not possible, else empty."""
    answers = await taking.answers_if_any(life)  # only another place needs them
    given = RescheduleInput(life.request.id, message, answers or (), workflow.now())
    outcome = await life.record(RecordActivities.reschedule, given)
    if outcome.placed is None:
        return outcome.refusal.text() if outcome.refusal else "refused"
    life.state.placed, life.state.planned_end = outcome.placed, outcome.placed.end
    life.state.end_moved = life.state.start_moved = True
    workflow.upsert_search_attributes([searchable.END.value_set(life.end), searchable.HOST.value_set(life.target.host)])
    life.end_is(life.end)
    return ""
