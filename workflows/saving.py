"""inuse: the computer is being captured. Nobody uses it until what it holds is taken; the rest goes on beside it, and
after its end."""

import asyncio

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ChildWorkflowError

from activities.captures import CaptureBegins, CaptureBegun, CaptureRecords
from vclab.model import messages
from vclab.model.captures import CaptureInput, CaptureOutcome
from vclab.model.life import Saving
from vclab.model.messages import How, capture_workflow
from vclab.model.states import Ending
from workflows import failures
from workflows.access import found
from workflows.capture import Capture
from workflows.life import Life
from workflows.mending import ask_beside, ask_for_help
from workflows.tasks import in_any_case, whole


async def begin(life: Life, message: messages.Capture) -> str:
    """It is captured from now on; or why not."""

    def begun(answer: CaptureBegun) -> None:
        if answer.becomes is not None:
            life.state.saving = Saving(answer.becomes, message.release)

    given = CaptureBegins(life.request.id, message, workflow.now())
    return (await life.record(CaptureRecords.capture_begins, given, begun)).refusal


async def save_at_end(life: Life) -> None:
    """Its end has come: it is captured first, as a revision of its image. That it can't be is told."""
    life.state.saved = True
    wanted = messages.Capture(f"{life.request.id}-end", release=True)
    refusal = await begin(life, wanted)
    if refusal:
        await life.finish(Ending.EOR, f"the end of the reservation was reached; it could not be captured: {refusal}")
    else:
        await save(life)


async def save(life: Life) -> None:
    """Until what the computer holds is taken, or the capture given up. Then it is its user's again, if it has not
    ended; what was taken becomes a revision beside it."""
    saving = life.state.saving
    assert saving is not None
    life.waits_for(f"{life.target.computer} to be captured as {saving.becomes}")
    try:
        outcome = await _tried(life, saving)
    except asyncio.CancelledError:
        if not saving.done and not saving.taken:
            await in_any_case(_give_up(life, saving))
        raise
    await _handed_back(life, outcome)
    if saving.taken:
        life.beside = asyncio.ensure_future(_make(life, saving))
        if saving.release:
            ending = Ending.EOR if workflow.now() >= life.end else Ending.RELEASED
            await life.finish(ending, f"it is being captured as {saving.becomes}")
    else:
        _over(life, saving, outcome)


async def settled(life: Life) -> None:
    """Until a capture that goes on beside a reservation that has ended has ended too."""
    if life.beside is not None:
        saving = life.state.saving
        if saving is not None:
            life.waits_for(f"what was captured to become {saving.becomes}")
            life.publish()
        await life.beside


async def _make(life: Life, saving: Saving) -> None:
    """Beside the reservation, and whatever becomes of it."""
    _over(life, saving, await _tried(life, saving))


async def _tried(life: Life, saving: Saving) -> CaptureOutcome:
    """With an operator's help, as often as needed; else it is given up."""
    while not saving.given_up:
        outcome = await whole(_capture(life, saving))
        if not outcome.why_not:
            return outcome
        if saving.given_up:
            break
        if await _mended(life, saving, outcome) is not How.RETRY:
            return await whole(_capture(life, saving, given_up=outcome.why_not))
        saving.progress.load.run += 1
    return await whole(_capture(life, saving, given_up="an operator gave it up"))


async def _mended(life: Life, saving: Saving, outcome: CaptureOutcome) -> How | None:
    """What an operator chooses; None when nobody came in time, or it has ended before anything was taken."""
    if saving.taken or workflow.now() >= life.end:
        return await ask_beside(life, f"{saving.becomes}: {outcome.why_not}")
    return None if life.ended else await ask_for_help(life, outcome.failed, outcome.why_not, "")


async def _handed_back(life: Life, outcome: CaptureOutcome) -> None:
    """The computer is its user's again. It has another address, perhaps."""
    use = life.state.use
    if outcome.handed_back.private_address:
        use.unseen, use.back_by = "", None
        if not life.ended:
            await found(life, outcome.handed_back)
    if outcome.not_handed_back:
        use.unseen = f"it does not come back after its capture: {outcome.not_handed_back}"
        life.says(use.unseen)


def _over(life: Life, saving: Saving, outcome: CaptureOutcome) -> None:
    life.state.saving, life.state.saved = None, life.state.saved or saving.done
    said = f"{saving.becomes} was given up: {outcome.why_not}" if outcome.why_not else f"captured: {saving.becomes}"
    if not life.ended:
        life.says(said)
        life.publish()


async def _give_up(life: Life, saving: Saving) -> None:
    await _capture(life, saving, given_up="its reservation was cancelled")


async def _capture(life: Life, saving: Saving, given_up: str = "") -> CaptureOutcome:
    """One try; it takes over how far it came. A workflow that was terminated leaves that as it was."""
    becomes = saving.becomes
    life.publish()
    given = CaptureInput(
        life.target,
        becomes,
        life.waits,
        life.state.facts,
        saving.progress,
        hand_back=not (saving.release or life.ended),
        given_up=given_up,
    )
    try:
        life.capture = await workflow.start_child_workflow(
            Capture.run,
            given,
            id=capture_workflow(becomes.capture),
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"capture {life.target.computer} as {becomes}",
        )
        outcome: CaptureOutcome = await life.capture
    except ChildWorkflowError as error:
        return CaptureOutcome(saving.progress, "the capture", failures.reason(error))
    finally:
        life.capture = None
    saving.progress, saving.taken = outcome.progress, saving.taken or outcome.taken
    saving.done = not outcome.why_not and not outcome.taken
    return outcome
