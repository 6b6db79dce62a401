"""Restarting a computer: softly, and by force when that fails or does not bring it back, if its module can."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.guest import GuestActivities
from activities.looks import LookActivities
from activities.provisioning import ProvisioningActivities
from vclab.model.plans import Facts
from vclab.model.traits import Operation
from workflows import profiles
from workflows.life import Life
from workflows.notices import while_the_clock_runs

BACK_SECONDS = 300.0
"""How long a boot may take (VCL wait_for_reboot)."""
LOOK_SECONDS = 5.0


async def restart(life: Life, hard: bool) -> Facts | None:
    """What is so after the restart: boot id and public address. None when the reservation ended meanwhile.

    Raises ``ActivityError`` when nothing brought it back.
    """
    by_force = life.target.traits.can(Operation.POWER_RESET)
    if life.has_guest and not (hard and by_force):
        try:
            return await _softly(life)
        except ActivityError:
            if not by_force:
                raise
    return await _by_force(life)


async def _softly(life: Life) -> Facts | None:
    target = life.target
    asked = workflow.start_activity_method(
        GuestActivities.reboot_guest,
        life.guest_input(LOOK_SECONDS),
        **profiles.short(f"ask {target.computer} to restart", target.site, 60),
    )
    await while_the_clock_runs(life, asked)
    return await _back(life)


async def _by_force(life: Life) -> Facts | None:
    target = life.target
    forced = workflow.start_activity_method(
        ProvisioningActivities.reset_computer,
        target,
        **profiles.short(f"restart {target.computer} by force", target.site, BACK_SECONDS),
    )
    await while_the_clock_runs(life, forced)
    return await _back(life)


async def _back(life: Life) -> Facts | None:
    if life.ended or not life.has_guest:
        return None if life.ended else Facts()
    look = workflow.start_activity_method(
        LookActivities.await_boot,
        life.guest_input(LOOK_SECONDS),
        **profiles.look(f"is {life.target.computer} back?", life.target.site, LOOK_SECONDS, BACK_SECONDS),
    )
    facts: Facts | None = await while_the_clock_runs(life, look)
    return facts
