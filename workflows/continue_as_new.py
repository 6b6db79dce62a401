"""A long reservation goes on in a new run of its workflow before the history of the old one grows too long.

Only in use, between two looks: no activity, no record and no message is open then, and all that is known is in the
``State``. The other phases need none. ``new`` and ``reclaim`` are a few steps. ``reserved`` lasts half an hour.
"""

from temporalio import workflow

from vclab.model import messages, rules
from vclab.model.life import ReservationInput
from workflows import live_status
from workflows.life import Life


def run_is_full() -> bool:
    """True when the history is so long that a new run should begin."""
    info = workflow.info()
    return info.get_current_history_length() >= rules.RUN_EVENTS or info.is_continue_as_new_suggested()


async def continue_as_new(life: Life) -> None:
    """End this run and begin the next, unless the reservation ends meanwhile.

    A message that arrives while this run closes is given to the next one: by the server, or by the client that asks
    again (``vclab.temporal.client``). One that is being carried out is waited for.
    """
    await workflow.wait_condition(lambda: workflow.all_handlers_finished() or life.ended)
    if life.ended:
        return
    memo = {messages.LIVE_STATUS: live_status.published(life.state)}
    workflow.continue_as_new(ReservationInput(life.request, life.state), memo=memo)
