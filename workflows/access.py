"""Access and restarts: acts that interrupt a look at the computer."""

from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.failed_steps import FailedStepRecords, NotLetIn
from activities.guest import GuestActivities
from activities.records import AcknowledgeInput, Event, RebootInput, RecordActivities
from vclab.model import addresses
from vclab.model.addresses import newest_last
from vclab.model.messages import Acknowledge, Reboot
from vclab.model.plans import Facts
from vclab.model.states import ReservationState
from vclab.model.traits import Operation
from workflows import failures, profiles
from workflows.life import Life
from workflows.notices import is_to_be_saved, while_the_clock_runs
from workflows.restart import BACK_SECONDS, restart

NOWHERE = ""
"""Instead of an address, for what is handed out: it lets nobody in."""


async def acknowledge(life: Life, message: Acknowledge) -> None:
    """Connect was pressed: let this address in too. Records that are written meanwhile know of it."""
    let_in, address = life.state.let_in, message.address
    if not life.has_guest:
        life.heed(await life.record(RecordActivities.acknowledged, _pressed(life, message, ())))
        let_in.addresses = (NOWHERE,)
        return
    let_in.asking = newest_last(let_in.asking, address)
    try:
        given = _pressed(life, message, newest_last(let_in.addresses, *let_in.asking))
        life.heed(await life.record(RecordActivities.acknowledged, given))
    finally:
        let_in.asking = tuple(each for each in let_in.asking if each != address)
    let_in.addresses = newest_last(let_in.addresses, address)
    life.state.use.back_by = None


def _pressed(life: Life, message: Acknowledge, addresses: tuple[str, ...]) -> AcknowledgeInput:
    return AcknowledgeInput(life.request.id, message, addresses, workflow.now())


async def ask_for_reboot(life: Life, message: Reboot) -> None:
    """The computer is restarted as soon as its look is interrupted."""
    await life.record(RecordActivities.reboot_asked, RebootInput(life.request.id, message, workflow.now()))
    life.state.use.reboot = message


def must_attend(life: Life) -> bool:
    """An act interrupts a look: another address to let in, a restart, a capture, or a reinstall."""
    state, let_in = life.state, life.state.let_in
    saving = state.saving is not None and not state.saving.taken
    asked = saving or is_to_be_saved(life) or state.use.reboot is not None or state.reinstall > 0
    return asked or set(let_in.addresses) != set(let_in.granted)


async def attend(life: Life) -> None:
    """A restart goes first: it may be what the computer needs before it can let anybody in."""
    let_in, reboot = life.state.let_in, life.state.use.reboot
    if reboot is not None:
        await _restart(life, reboot)
    elif set(let_in.addresses) != set(let_in.granted):
        await _grant_carefully(life)


async def grant(life: Life) -> bool:
    """Account and firewall for all acknowledged addresses. False when the reservation ended meanwhile, or, in use, a
    restart is wanted."""
    let_in, wanted = life.state.let_in, life.state.let_in.addresses
    let_in.began = let_in.began or workflow.now()
    facts = await _open(life, wanted)
    if facts is None or life.ended:
        return False
    let_in.granted = wanted
    life.state.facts = life.state.facts.merged(facts)
    life.heed(await life.record(RecordActivities.access_opened, _opened_to(life, wanted, life.state.facts)))
    return True


async def _open(life: Life, wanted: tuple[str, ...]) -> Facts | None:
    """Where the computer is now; None when it was broken off."""
    ceiling = life.waits.step_ceiling
    life.waits_for(f"access for {', '.join(wanted)}", ceiling)
    summary = f"let {life.placed.access.login} in from {', '.join(wanted)}"
    handle = workflow.start_activity_method(
        GuestActivities.grant_access,
        life.guest_input(),
        **profiles.short(summary, life.target.site, ceiling),
    )
    if life.state.state is ReservationState.INUSE:
        return await while_the_clock_runs(life, handle, lambda: life.state.use.reboot is not None)
    return await life.unless_ended(handle)


async def _grant_carefully(life: Life) -> None:
    """A further address that can't be let in is shown, and not tried again until Connect is pressed again."""
    let_in, tried = life.state.let_in, life.state.let_in.addresses
    try:
        await grant(life)
    except ActivityError as error:
        why = failures.reason(error)
        life.says(f"the firewall could not be opened to just {', '.join(tried)}: {why}")
        let_in.addresses = (*let_in.granted, *_pressed_since(life, tried))
        await life.record(RecordActivities.access_opened, _opened_to(life, let_in.granted))


async def not_let_in(life: Life, tried: tuple[str, ...], why: str) -> None:
    """The first grant failed: whoever pressed Connect is shown why, and may press it again."""
    let_in = life.state.let_in
    let_in.addresses = (*let_in.granted, *_pressed_since(life, tried))
    text = f"{', '.join(tried)} could not be let in: {why}; press Connect again, or ask an operator"
    life.says(text)
    wanted = newest_last(let_in.addresses, *let_in.asking)
    await life.record(FailedStepRecords.not_let_in, NotLetIn(life.request.id, text, wanted, workflow.now()))


def _pressed_since(life: Life, tried: tuple[str, ...]) -> tuple[str, ...]:
    """From where Connect was pressed while these addresses were being let in, which failed: they are tried next."""
    return tuple(each for each in life.state.let_in.addresses if each not in tried)


def _opened_to(life: Life, opened: tuple[str, ...], facts: Facts | None = None) -> Event:
    """What the computer lets in; Connect may have been pressed from elsewhere since."""
    let_in = life.state.let_in
    pressed = newest_last(let_in.addresses, *let_in.asking)
    later = tuple(address for address in pressed if address not in opened)
    return replace(life.event(facts, opened), later=later)


def narrow(life: Life, seen: tuple[str, ...]) -> None:
    """An older address without an open session is not let in any more."""
    let_in = life.state.let_in
    gone = addresses.left(let_in.addresses, seen)
    let_in.addresses = tuple(address for address in let_in.addresses if address not in gone)


async def found(life: Life, facts: Facts | None) -> None:
    """The computer has another address, or its user has restarted it."""
    if facts is not None:
        life.state.facts = life.state.facts.merged(facts)
        life.heed(await life.record(RecordActivities.rebooted, life.event(facts=life.state.facts)))


async def _restart(life: Life, message: Reboot) -> None:
    """Restart the computer. Its failure is shown, and ends nothing."""
    use = life.state.use
    then = "it is restarted by force" if life.target.traits.can(Operation.POWER_RESET) else "the failure is shown"
    life.waits_for(f"{life.target.computer} to restart", 2 * BACK_SECONDS, then)
    try:
        facts = await restart(life, message.hard or bool(use.unseen))
        if facts is not None:
            await found(life, facts)
            use.unseen, use.back_by = "", None
            life.says("")
    except ActivityError as error:
        life.says(f"the restart failed: {failures.reason(error)}; try it again")
    use.reboot = None
