"""Keeping a computer that nobody could have logged in to for the next reservation of its image."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.spares import SpareActivities, SpareInput
from vclab.model.reservations import Placed
from vclab.model.states import Ending
from workflows import failures, profiles


def may_be_kept(placed: Placed, ending: Ending | None) -> bool:
    """Whether it can be a spare at all: not after a failure, and a lab machine is one anyway."""
    target = placed.target
    if target.traits.reloadable:  # it stays anyway, and is loaded anew if it is not clean
        return target.traits.guest and ending is not Ending.FAILED
    by_setting = placed.waits.spare > 0 and target.traits.guest and not target.traits.lent
    return by_setting and ending is not Ending.FAILED


async def made_clean(given: SpareInput) -> str:
    """See that nobody could have logged in, and sanitize it. The answer is why it can't be kept; or ""."""
    target = given.target
    try:
        why_not: str = await workflow.execute_activity_method(
            SpareActivities.make_spare,
            given,
            **profiles.spare(f"sanitize {target.computer}: nobody has used it", target.site),
        )
    except ActivityError as error:
        if failures.was_cancelled(error):
            raise
        return failures.reason(error)
    return why_not
