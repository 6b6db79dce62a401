"""new: the computer is brought to the image; then it is handed over, but not before its start."""

from datetime import UTC, datetime
from functools import partial

from temporalio import workflow

from activities.records import LateInput, LateOutcome, RecordActivities
from vclab.model.life import Load
from vclab.model.plans import Facts
from vclab.model.reservations import Waits
from vclab.model.states import ReservationState
from vclab.model.times import dated
from workflows.awaiting_copy import have_copy
from workflows.eviction import evict
from workflows.life import Life
from workflows.mending import mend
from workflows.plan_runner import Policy, load

LATE = 60.0
"""Seconds after its start. Times are shown by the minute, so less is not late."""

THEN = "another place is tried, or an operator is asked for help"


async def prepare(life: Life) -> None:
    """Load the computer; when that fails, in another place, or with help. What is ready already is left as it is."""
    if life.state.state is ReservationState.RESERVED:
        return
    await evict(life, life.placed.evicted)
    life.state.mending.began = workflow.now()
    facts = await load(life, Policy(THEN, partial(mend, life), partial(have_copy, life)))
    if isinstance(facts, Facts) and not life.ended:
        await hand_over(life, facts)


async def hand_over(life: Life, facts: Facts) -> None:
    """It is the user's, and waits for Connect. Not before its start; not at all when that was moved far away."""
    if life.placed.start is not None:
        await _await_start(life, facts)
        if life.ended or too_early(life):
            return
        life.state.prepared = False
    life.state.facts, life.state.load = facts, Load()
    life.heed(await _record_ready(life, facts))
    life.enter(ReservationState.RESERVED)


async def _record_ready(life: Life, facts: Facts) -> Waits:
    """Late, by whatever: the preload failed, no computer was to be had, the load took long. Time is given back."""
    start = life.placed.start
    late = 0.0 if start is None or life.state.reinstalled else (workflow.now() - start).total_seconds()
    if late < LATE:
        waits: Waits = await life.record(RecordActivities.ready, life.event(facts=facts))
        return waits
    given = LateInput(life.event(facts=facts), life.state.mending.credited)
    ready: LateOutcome = await life.record(RecordActivities.ready_late, given)
    life.credit(ready.end)
    life.says(ready.credit or life.state.reason)
    return ready.waits


async def _await_start(life: Life, facts: Facts) -> None:
    """The computer is ready; until its start nobody is let in, and no wait for Connect runs out."""
    if workflow.now() >= start_of(life) or too_early(life):
        return
    life.state.facts = facts
    await life.record(RecordActivities.preloaded, life.event(facts=facts))
    life.state.prepared = True
    life.enter(ReservationState.SCHEDULED)
    while not life.ended and not too_early(life):
        start = start_of(life)
        left = (start - workflow.now()).total_seconds()
        if left <= 0:
            return
        life.waits_for(f"its start; {life.target.computer} is ready", left, "it can be connected to")
        life.state.start_moved = False
        await life.until(lambda: life.state.start_moved, start, f"wait for its start at {dated(start, UTC)}")


def too_early(life: Life) -> bool:
    """The start was moved so far away that a computer is held for nothing."""
    preload_at = life.placed.preload_at
    return preload_at is not None and preload_at > workflow.now()


def start_of(life: Life) -> datetime:
    """When it starts. Only of what was reserved for later."""
    assert life.placed.start is not None
    return life.placed.start
