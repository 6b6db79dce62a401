"""new, but its computer is being loaded already, for nobody yet: it is taken when that is done.

The reservation registers with the computer's load and is signalled at its end. That is only the fast way: it also looks
from time to time whether a computer can be had, so a load that was terminated, or a lost signal, lets nobody hang.
"""

from datetime import timedelta

from temporalio import workflow

from workflows import taking
from workflows.life import Life


async def until_loaded(life: Life) -> None:
    """Until the computer is its own; any other that becomes free will do too. Fails when none is had in time.

    Nothing of this is done for what has its computer.
    """
    placed = life.placed
    if placed.held:
        return
    limit = min(workflow.now() + timedelta(seconds=placed.waits.late), placed.end)
    await taking.register(placed.target.computer, life.request.id)
    while not life.ended:
        life.state.load_ended = False
        if await taking.begin(life, await taking.survey_if_any(life)):
            return
        taking.fail_if_late(life, limit)
        await taking.await_place(life, placed, limit)
