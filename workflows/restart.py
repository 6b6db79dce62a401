"""Restarting a computer: softly, and by force when that fails or does not bring it back."""

from collections.abc import Callable
from contextlib import suppress

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.guest import GuestActivities, GuestInput
from activities.provisioning import ProvisioningActivities
from vclab.model.plans import Facts
from workflows import profiles
from workflows.load import UnlessEnded

BACK_SECONDS = 300.0
"""How long a boot may take (VCL wait_for_reboot)."""
LOOK_SECONDS = 5.0


async def restart(given: GuestInput, hard: bool, unless_ended: UnlessEnded, ended: Callable[[], bool]) -> Facts | None:
    """What is so after the restart: boot id and public address. None when the reservation ended meanwhile.

    Raises ``ActivityError`` when even force did not bring it back.
    """
    target = given.target
    if not hard:
        with suppress(ActivityError):
            asked = workflow.start_activity_method(
                GuestActivities.reboot_guest,
                given,
                **profiles.short(f"ask {target.computer} to restart", target.site, 60),
            )
            await unless_ended(asked)
            return await _back(given, unless_ended) if not ended() else None
    forced = workflow.start_activity_method(
        ProvisioningActivities.reset_computer,
        target,
        **profiles.short(f"restart {target.computer} by force", target.site, BACK_SECONDS),
    )
    await unless_ended(forced)
    return await _back(given, unless_ended) if not ended() else None


async def _back(given: GuestInput, unless_ended: UnlessEnded) -> Facts | None:
    look = workflow.start_activity_method(
        GuestActivities.await_boot,
        given,
        **profiles.look(f"is {given.target.computer} back?", given.target.site, LOOK_SECONDS, BACK_SECONDS),
    )
    facts: Facts | None = await unless_ended(look)
    return facts
