"""inuse: the computer is brought back to its image. Then it is prepared, and waits for its user, as a new one."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.reinstalls import ReinstallBegins, ReinstallBegun, ReinstallInput, ReinstallRecords
from vclab.model.life import LetIn, Load, Mending, Use
from vclab.model.messages import Reinstall
from vclab.model.plans import Facts
from vclab.model.states import ReservationState
from workflows import failures
from workflows.life import Life
from workflows.placing import show_place
from workflows.reclaiming import shut
from workflows.relocation import clear


async def ask(life: Life, message: Reinstall) -> str:
    """It is reinstalled as soon as its look is interrupted; or why it can't be."""
    given = ReinstallInput(life.request.id, message, workflow.now())
    asked = await life.record(ReinstallRecords.reinstall_asked, given)
    life.state.reinstall = asked.revision
    return asked.refusal


async def begin_anew(life: Life) -> None:
    """Shut the user out, remove what was there, and take the computer anew. That it can't be removed is shown: then
    all stays as it is."""
    await shut(life)
    try:
        await clear(life)
    except ActivityError as error:
        if failures.was_cancelled(error) or failures.is_fenced(error):
            raise
        life.state.reinstall = 0
        life.state.let_in.granted = ()  # who was shut out is let in again
        life.says(f"the reinstall failed: {failures.reason(error)}; try it again")
        return
    if life.ended:
        return

    def begun(outcome: ReinstallBegun) -> None:
        if outcome.placed is not None:
            life.place_is(outcome.placed)
            _forget(life)

    given = ReinstallBegins(life.target, life.state.reinstall, workflow.now())
    await life.record(ReinstallRecords.reinstall_begins, given, begun)
    life.enter(ReservationState.NEW)
    show_place(life)


def _forget(life: Life) -> None:
    """What was known of the computer that is gone; not from where its user comes."""
    state = life.state
    state.reinstall, state.reinstalled = 0, True
    state.load, state.mending, state.use, state.facts = Load(), Mending(), Use(), Facts()
    state.let_in = LetIn(state.let_in.addresses)
