"""Acts of people on a reservation: whether they are possible, whether they were done before, and the answer."""

import ipaddress

from temporalio.exceptions import ApplicationError

from vclab.model.messages import Acknowledge, Capture, Done, How, Reboot, Reinstall, Resolve
from vclab.model.states import OPEN_STATES, Ending, ReservationState
from vclab.model.traits import Operation
from workflows import live_status
from workflows.life import Life

REMEMBERED = 200
"""Intents of acts that are kept. A client repeats an act for a minute, and the server takes ten at a time."""


def refused(text: str) -> ApplicationError:
    """The answer to an act that is not possible."""
    return ApplicationError(text, type="Refused", non_retryable=True)


def done(life: Life) -> Done:
    """The answer to an act that is done."""
    return Done(life.state.state, life.end, life.state.ending or "")


def is_done(life: Life, intent: str) -> bool:
    """True when what the intent asks for was done before: it is a repeat."""
    return bool(intent) and intent in life.state.acts


def remember(life: Life, intent: str) -> None:
    """What the intent asks for is done."""
    if intent:
        life.state.acts = (*life.state.acts, intent)[-REMEMBERED:]


def users_ending(life: Life) -> Ending:
    """``deleted`` before Connect, ``released`` after it, also when Connect was not finished."""
    let_in = life.state.let_in
    return Ending.RELEASED if let_in.addresses or let_in.began else Ending.DELETED


def check_open(life: Life) -> None:
    """Refuse when the reservation has ended or is not placed."""
    if life.state.placed is None or life.ended or life.state.state not in OPEN_STATES:
        raise refused("the reservation has ended" if life.ended else "the reservation is not placed yet")


def check_acknowledge(life: Life, message: Acknowledge) -> None:
    """Refuse Connect before it is ready."""
    state = life.state
    if life.ended:
        raise refused(f"the reservation has ended ({state.ending})")
    if state.state not in (ReservationState.RESERVED, ReservationState.INUSE):
        raise refused(f"not ready yet: {live_status.shown_word(state)}: {state.wait.what}")
    _check_not_saving(life)
    if not life.has_guest:
        return  # it is handed out, so no address is let in
    try:
        ipaddress.ip_network(message.address.replace("%", "?"), strict=False)  # a zone means nothing elsewhere
    except ValueError:
        raise refused(f"{message.address!r:.80} is not an IP address or prefix") from None


def check_reschedule(life: Life) -> None:
    """Refuse another start unless it was reserved for later."""
    check_open(life)
    if life.placed.start is None:
        raise refused("it was reserved without a start and began at once; only a later start can be moved")


def check_reboot(life: Life, message: Reboot) -> None:
    """Refuse a restart before Connect, and a second one at the same time."""
    _check_not_saving(life)
    if life.ended or not life.state.let_in.granted:
        raise refused("only a computer that you have connected to can be restarted")
    if life.state.use.reboot is not None and not is_done(life, message.intent):
        raise refused("it is being restarted already")
    traits = life.target.traits
    if not traits.can(Operation.POWER_RESET) and (message.hard or not traits.guest):
        raise refused(f"{life.target.computer} can't be restarted by force from here; somebody must go there")


def check_capture(life: Life, message: Capture) -> None:
    """Refuse before it is in use, and a second one at the same time."""
    check_open(life)
    if is_done(life, message.intent):
        return
    if life.state.state is not ReservationState.INUSE:
        raise refused(f"only what is in use can be captured: it is {live_status.shown_word(life.state)}")
    if life.state.saving is not None:
        raise refused(f"it is being captured already, as {life.state.saving.becomes}")
    if life.state.reinstall:
        raise refused("it is being reinstalled")
    if not life.target.traits.can(Operation.CAPTURE):
        raise refused(f"the provisioning module {life.target.module} captures nothing yet")


def check_reinstall(life: Life, message: Reinstall) -> None:
    """Refuse before it is in use, and a second one at the same time."""
    check_open(life)
    if is_done(life, message.intent):
        return
    if life.state.state is not ReservationState.INUSE:
        raise refused(f"only what is in use can be reinstalled: it is {live_status.shown_word(life.state)}")
    if life.state.saving is not None:
        raise refused(f"it is being captured, as {life.state.saving.becomes}; wait until that has ended")
    if life.state.reinstall:
        raise refused("it is being reinstalled already")


def _check_not_saving(life: Life) -> None:
    if life.state.saving is not None and not life.state.saving.taken:
        raise refused(f"it is being captured, as {life.state.saving.becomes}; wait until that has ended")


def check_resolve(life: Life, message: Resolve) -> None:
    """Refuse unless it waits for help."""
    if is_done(life, message.intent):
        return
    if message.how not in list(How):
        raise refused(f"unknown resolution {message.how!r:.80}; choose one of {', '.join(How)}")
    mending, saving = life.state.mending, life.state.saving
    if message.how == How.ELSEWHERE and saving is not None:
        raise refused("a capture can't go on elsewhere")
    if message.how == How.GIVE_UP and saving is not None and saving.taken and not mending.needs_help:
        if saving.given_up:
            raise refused("it is being given up already")
        return  # it goes on beside the reservation, and may wait for a computer
    if not mending.needs_help or (life.ended and saving is None):
        stands = f"has ended ({life.state.ending})" if life.ended else f"is {live_status.shown_word(life.state)}"
        raise refused(f"it does not need help: it {stands}")
    if mending.resolution is not None:
        raise refused(f"it is resolved already: {mending.resolution.how}")
