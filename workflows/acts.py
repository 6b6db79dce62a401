"""What people ask a reservation for: whether it can be, whether it was done before, and the answer."""

import ipaddress

from temporalio.exceptions import ApplicationError

from vclab.model.messages import Acknowledge, Done, How, Reboot, Resolve
from vclab.model.states import OPEN_STATES, Ending, ReservationState
from vclab.model.traits import Operation
from workflows import live_status
from workflows.life import Life

REMEMBERED = 200
"""Ids of acts that are kept. A client repeats an act for a minute, and the server takes ten at a time."""


def refused(text: str) -> ApplicationError:
    """The answer to what can't be."""
    return ApplicationError(text, type="Refused", non_retryable=True)


def done(life: Life) -> Done:
    """The answer to what is done."""
    return Done(life.state.state, life.end, life.state.ending or "")


def is_done(life: Life, request_id: str) -> bool:
    """True when the act with this id was done before: it is a repeat."""
    return bool(request_id) and request_id in life.state.acts


def remember(life: Life, request_id: str) -> None:
    """The act with this id is done."""
    if request_id:
        life.state.acts = (*life.state.acts, request_id)[-REMEMBERED:]


def users_ending(life: Life) -> Ending:
    """Before Connect ``deleted``, after it ``released``; also when Connect came only half-way."""
    let_in = life.state.let_in
    return Ending.RELEASED if let_in.addresses or let_in.began else Ending.DELETED


def check_open(life: Life) -> None:
    """Refuse what has ended, or is not placed."""
    if life.state.placed is None or life.ended or life.state.state not in OPEN_STATES:
        raise refused("the reservation has ended" if life.ended else "the reservation is not placed yet")


def check_acknowledge(life: Life, message: Acknowledge) -> None:
    """Only what is ready can be connected to."""
    state = life.state
    if life.ended:
        raise refused(f"the reservation has ended ({state.ending})")
    if state.state not in (ReservationState.RESERVED, ReservationState.INUSE):
        raise refused(f"not ready yet: {live_status.shown_word(state)}: {state.wait.what}")
    if not life.has_guest:
        return  # it is handed out, wherever its user is
    try:
        ipaddress.ip_network(message.address.replace("%", "?"), strict=False)  # a zone means nothing elsewhere
    except ValueError:
        raise refused(f"{message.address!r:.80} is no IP address or prefix") from None


def check_move(life: Life) -> None:
    """Only what was reserved for later has a start that can be moved."""
    check_open(life)
    if life.placed.start is None:
        raise refused("it was reserved without a start, and has begun at once")


def check_reboot(life: Life, message: Reboot) -> None:
    """Only what somebody was let in to, and one restart at a time."""
    if life.ended or not life.state.let_in.granted:
        raise refused("only a computer that you have connected to can be restarted")
    if life.state.use.reboot is not None and not is_done(life, message.request_id):
        raise refused("it is being restarted already")
    traits = life.target.traits
    if not traits.can(Operation.POWER_RESET) and (message.hard or not traits.guest):
        raise refused(f"{life.target.computer} can't be restarted by force from here: somebody must go there")


def check_resolve(life: Life, message: Resolve) -> None:
    """Only what waits for help."""
    if is_done(life, message.request_id):
        return
    if message.how not in list(How):
        raise refused(f"{message.how!r:.80} is none of {', '.join(How)}")
    mending = life.state.mending
    if not mending.needs_help or life.ended:
        stands = f"has ended ({life.state.ending})" if life.ended else f"is {live_status.shown_word(life.state)}"
        raise refused(f"it needs no help: it {stands}")
    if mending.resolution is not None:
        raise refused(f"{mending.resolution.by} has resolved it already: {mending.resolution.how}")
