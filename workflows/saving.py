"""inuse: the computer is being captured. Nobody uses it meanwhile, and its reservation ends afterwards."""

import asyncio

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ChildWorkflowError

from activities.captures import CaptureBegins, CaptureBegun, CaptureRecords
from vclab.model import messages
from vclab.model.captures import CaptureInput, CaptureOutcome
from vclab.model.life import Saving
from vclab.model.messages import How, capture_workflow
from workflows import failures
from workflows.capture import Capture
from workflows.life import Life
from workflows.mending import ask_for_help
from workflows.tasks import in_any_case, whole


async def begin(life: Life, message: messages.Capture) -> str:
    """It is captured from now on; or why not."""

    def begun(answer: CaptureBegun) -> None:
        if answer.becomes is not None:
            life.state.saving = Saving(answer.becomes)

    given = CaptureBegins(life.request.id, message, workflow.now())
    return (await life.record(CaptureRecords.capture_begins, given, begun)).refusal


async def save(life: Life) -> None:
    """Until the capture has ended, well or given up. Then the computer is its user's again, if it has not ended."""
    saving = life.state.saving
    assert saving is not None
    try:
        outcome = await whole(_capture(life, saving))
        while outcome.why_not:
            if await _mended(life, outcome) is not How.RETRY:
                outcome = await whole(_capture(life, saving, give_up=outcome.why_not))
                break
            saving.load.run += 1
            outcome = await whole(_capture(life, saving))
    except asyncio.CancelledError:
        if not saving.done:
            await in_any_case(_give_up(life, saving))
        raise
    life.state.saving = None
    life.says(f"{saving.becomes} was given up: {outcome.why_not}" if outcome.why_not else f"captured: {saving.becomes}")


async def _mended(life: Life, outcome: CaptureOutcome) -> How | None:
    """What an operator chooses; None when it has ended, or nobody came in time."""
    return None if life.ended else await ask_for_help(life, outcome.failed, outcome.why_not, "")


async def _give_up(life: Life, saving: Saving) -> None:
    await _capture(life, saving, give_up="its reservation was cancelled")


async def _capture(life: Life, saving: Saving, give_up: str = "") -> CaptureOutcome:
    """One try; it takes over how far it came. A workflow that was terminated leaves that as it was."""
    becomes = saving.becomes
    life.waits_for(f"{life.target.computer} to be captured as {becomes}")
    life.publish()
    given = CaptureInput(life.target, becomes, life.waits, saving.load, bool(give_up), give_up)
    try:
        outcome: CaptureOutcome = await workflow.execute_child_workflow(
            Capture.run,
            given,
            id=capture_workflow(becomes.capture),
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"capture {life.target.computer} as {becomes}",
        )
    except ChildWorkflowError as error:
        return CaptureOutcome(saving.load, "the capture", failures.reason(error))
    saving.load, saving.done = outcome.load, not outcome.why_not
    return outcome
