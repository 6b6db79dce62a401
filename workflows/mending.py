"""What follows a reservation's load that failed: one other place; then an operator's help, as often as needed."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from temporalio import workflow

from activities.failed_steps import FailedStepRecords, HelpInput, Resolved, ResolveInput
from vclab.model.intents import Verb
from vclab.model.messages import How, Resolve
from vclab.model.states import Ending
from vclab.model.times import dated
from vclab.temporal import search_attributes as searchable
from workflows.life import Life
from workflows.plan_runner import Failed
from workflows.relocation import relocate

NEEDS_HELP = "needs-help"
"""What the search attribute for the state says meanwhile."""


async def mend(life: Life, failed: Failed) -> bool:
    """Relocate a load that failed, or wait for an operator. True: it goes on, or has ended."""
    why_not = ""
    if not life.state.mending.relocated and not life.ended:
        why_not = await relocate(life)
        if not why_not:
            return True
    while not life.ended:
        reason = f"{failed}; {why_not}" if why_not else str(failed)
        if life.waits.help <= 0:
            await life.finish(Ending.FAILED, reason)
            break
        how = await ask_for_help(life, failed.title, reason, why_not)
        if how is None and not life.ended:
            await life.finish(Ending.FAILED, f"no operator helped in time: {reason}")
        if how is None:
            break
        if how is How.RETRY:
            life.state.load.run += 1
            break
        why_not = await relocate(life)
        if not why_not:
            break
    return True


async def ask_for_help(life: Life, failed: str, reason: str, no_other_place: str) -> How | None:
    """How an operator lets it go on; None when nobody came in time, or it has ended. ``failed``: the step's title."""
    mending, since = life.state.mending, workflow.now()
    if life.waits.help <= 0:
        return None
    spent = since - (mending.began or since)
    limit = await _needs_help(life, HelpInput(life.target, reason, since, no_other_place))
    if life.ended:
        return None
    _says_so(life, reason)
    resolution = await _resolution(life, failed, since + limit)
    mending.needs_help = False
    if resolution is None:
        return None
    mending.began = workflow.now() - spent  # the wait is credited by itself
    mending.credited += (workflow.now() - since).total_seconds()
    workflow.upsert_search_attributes([searchable.STATE.value_set(life.state.state)])
    return How(resolution.how)


async def ask_beside(life: Life, reason: str) -> How | None:
    """As ``ask_for_help``, for what goes on beside the reservation, and after its end: nobody loses time by it."""
    mending, since = life.state.mending, workflow.now()
    if life.waits.help <= 0:
        return None
    limit = await _needs_help(life, HelpInput(life.target, reason, since))
    _says_so(life, reason)
    life.publish()
    name = f"wait for an operator's help until {dated(since + limit, UTC)}"
    with suppress(TimeoutError):
        await workflow.wait_condition(lambda: mending.resolved, timeout=limit, timeout_summary=name)
    mending.needs_help = False
    life.publish()
    workflow.upsert_search_attributes([searchable.STATE.value_set(life.state.state)])
    return How(mending.resolution.how) if mending.resolved and mending.resolution is not None else None


async def _needs_help(life: Life, given: HelpInput) -> timedelta:
    """Record that an operator is needed; for how long they are waited for."""
    life.state.mending.resolution, life.state.mending.resolved = None, False
    waits = await life.record(FailedStepRecords.help_needed, given)
    return timedelta(seconds=waits.help)


def _says_so(life: Life, reason: str) -> None:
    life.state.mending.needs_help = True
    life.says(reason)
    workflow.upsert_search_attributes([searchable.STATE.value_set(NEEDS_HELP)])


async def _resolution(life: Life, failed: str, limit: datetime) -> Resolve | None:
    """What an operator chooses; None at the limit, at the end of the reservation, or when it was ended."""
    state = life.state
    while not state.mending.resolved and not life.ended:
        state.end_moved = False
        until = min(limit, life.end)
        left = (until - workflow.now()).total_seconds()
        life.waits_for(f"help: {failed} has failed", left, _then(life))
        name = f"wait for an operator's help until {dated(until, UTC)}"
        if not await life.until(lambda: state.mending.resolved or state.end_moved, until, name):
            return None
    return state.mending.resolution if state.mending.resolved else None


def _then(life: Life) -> str:
    """What happens when nobody comes."""
    return "it ends as failed" if life.state.saving is None else "the capture is given up"


def give_up(life: Life) -> None:
    """A capture that goes on beside the reservation, and needs no help: it stops, and what it has made is deleted."""
    saving = life.state.saving
    if saving is not None:
        saving.given_up = True
    if life.capture is not None:
        life.capture.cancel()


async def resolve(life: Life, message: Resolve) -> None:
    """Take the first operator's choice. Its record is written before anything is done about it."""
    mending = life.state.mending
    if message.how == How.GIVE_UP and life.state.saving is None:
        await life.end_for(message.intent, Verb.RESOLVE, Ending.FAILED, life.state.reason)
        return
    mending.resolution = message
    saving = life.state.saving
    beside = saving is not None and saving.taken
    given = ResolveInput(life.request.id, message, workflow.now(), beside)
    try:
        resolved: Resolved = await life.record(FailedStepRecords.resolved, given)
    except BaseException:
        mending.resolution = None
        raise
    if beside and message.how == How.GIVE_UP and not mending.needs_help:
        give_up(life)
    if mending.needs_help:
        mending.resolved = True
        life.credit(resolved.end)
        life.says(resolved.credit)
