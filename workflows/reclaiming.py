"""reclaim: the user is out at once; the computer is taken back."""

from contextlib import suppress
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.guest import GuestActivities
from activities.records import KeptInput, RecordActivities
from activities.spares import SpareInput
from vclab.model import messages
from vclab.model.messages import Reload, computer_workflow
from vclab.model.states import Ending, ReservationState
from workflows import profiles
from workflows.life import Life
from workflows.reclaim import take_back
from workflows.saving import settled
from workflows.spare_policy import made_clean, may_be_kept


async def reclaim(life: Life) -> None:
    """Take the computer back, from its ending until it is anybody's again; the user has seen Ended already."""
    state, target = life.state, life.target
    unused = state.state is ReservationState.RESERVED or state.prepared
    await life.finish(state.ending or Ending.FAILED, state.reason)
    await life.record_ending()
    life.enter(ReservationState.RECLAIM)
    life.waits_for(f"{target.computer} to be gone from {target.host}")
    life.publish()
    why_removed = ""
    if unused and may_be_kept(life.placed, state.ending):
        why_removed = await _keep(life)
        if not why_removed:
            life.enter(ReservationState.COMPLETE)
            life.waits_for("nothing: the computer is clean, and kept as a spare")
            return
    await shut(life)
    why_not = await take_back(target, life.waits.remove_retry)
    await settled(life)
    await life.record(RecordActivities.finished, replace(life.event(), not_clean=why_not, detail=why_removed))
    if target.traits.reloadable and not why_not:
        await _reload(target.computer)
    life.enter(ReservationState.FAILED if state.ending is Ending.FAILED else ReservationState.COMPLETE)
    life.waits_for(f"nothing: the computer is {'in maintenance' if why_not else 'taken back'}")


async def _keep(life: Life) -> str:
    """Keep a machine that nobody could have logged in to, sanitized, for the next reservation; or why not."""
    target, let_in = life.target, life.state.let_in
    access = replace(life.placed.access, addresses=let_in.addresses)
    seconds = (workflow.now() - let_in.began).total_seconds() if let_in.began else 0.0
    given = SpareInput(target, life.state.facts, access, bool(let_in.began or let_in.addresses), seconds)
    why_not = await made_clean(given)
    if not why_not:
        kept = KeptInput(life.request.id, life.waits.spare, workflow.now())
        why_not = await life.record(RecordActivities.kept, kept)
    reloads = target.traits.reloadable
    return why_not and f"{'loaded anew' if reloads else 'removed, not kept as a spare'}: {why_not}"


async def _reload(computer: str) -> None:
    """Have the computer loaded, for nobody yet: this life does not wait for it. When somebody does it already, or
    nobody can now, the reconciler looks after it."""
    with suppress(FailureError):
        await workflow.start_child_workflow(
            messages.LOAD,
            Reload(computer),
            id=computer_workflow(computer),
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
            static_summary=f"load {computer} in the background",
        )


async def shut(life: Life) -> None:
    """Shut the user out at once: taking the computer back may take long when its endpoint is away."""
    let_in = life.state.let_in
    if not life.has_guest or not (let_in.addresses or let_in.began):
        return
    with suppress(ActivityError):
        await workflow.execute_activity_method(
            GuestActivities.close_access,
            life.guest_input(),
            **profiles.briefly(f"close {life.target.computer} to its user", life.target.site),
        )
