"""Computers: one is taken to be loaded, given back, put out of service, or returned to service."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.catalog import Image
from vclab.model.plans import Facts, Target
from vclab.model.states import ComputerState, Purpose
from vclab.store import children, failures, locks, tenures
from vclab.store.models import Computer, Reservation

_LONGEST = 500  # characters of a reason


def take(
    session: Session,
    computer: Computer,
    holder: str,
    purpose: Purpose,
    image: Image,
    lent: bool,
    until: datetime,
    now: datetime,
) -> int:
    """Take a computer to load it; returns the generation. Raises ``TenureHeld``."""
    generation = tenures.take(
        session, computer.name, holder, purpose, until, now, image=image.name, revision=image.revision
    )
    computer.state, computer.off_since = ComputerState.RELOADING, None
    if purpose is Purpose.RESERVATION:
        computer.check_repair = ""
    forget_content(computer, lent)
    return generation


def facts(row: Computer | Reservation) -> Facts:
    """Where it is reached, its pinned host key, and who vouches for that."""
    return Facts(private_address=row.private_address, host_key=row.host_key, host_key_from=row.host_key_from)


def forget_content(computer: Computer, lent: bool) -> None:
    """Clear what the computer holds, before the first destructive step of a load.

    A lent computer keeps its address and its pinned host key, and stays tainted until it is clean.
    """
    computer.image, computer.revision = "", 0
    if not lent:
        computer.tainted = False
        computer.host_key = computer.host_key_from = computer.private_address = computer.public_address = ""


def give_back(session: Session, target: Target, not_clean: str, now: datetime) -> None:
    """Release the computer of a reservation's target, if that is held still.

    A computer that is not verified gone or clean (``not_clean``: why) goes out of service, and so does a lab machine
    whose load failed. A computer that can be reloaded keeps its taint until it is loaded.
    """
    if tenures.held(session, target.computer, target.generation):
        computer = locks.computer(session, target.computer)
        failed = failures.why_bad(session, target) if target.traits.lent else ""
        forget_content(computer, target.traits.lent)
        if not_clean or failed:
            why = f"after {target.reservation}: {not_clean or failed}"
            put_out_of_service(computer, ComputerState.MAINTENANCE, why, 0 if not_clean else target.generation)
        else:
            computer.state = ComputerState.AVAILABLE
            computer.tainted = computer.tainted and target.traits.reloadable
    if not not_clean:
        children.gone(session, target)
    tenures.release(session, target.computer, target.generation, now)
    session.flush()


def put_out_of_service(computer: Computer, state: ComputerState, why: str, failed_generation: int = 0) -> None:
    """The computer is given to nobody until an operator returns it to service.

    ``failed_generation``: the only reason is that the load under that tenure failed.
    """
    computer.state, computer.failed_generation = state, failed_generation
    computer.why_out_of_service = why[:_LONGEST]
    computer.stay()


def return_to_service(computer: Computer) -> None:
    """The computer can be given to anybody."""
    computer.state, computer.failed_generation, computer.why_out_of_service = ComputerState.AVAILABLE, 0, ""


def count_by_state(session: Session) -> dict[str, int]:
    """The number of computers in each state; those that were removed from vclab are not counted."""
    query = sa.select(Computer.state, sa.func.count()).where(Computer.removed_at.is_(None)).group_by(Computer.state)
    counted = {state.value: count for state, count in session.execute(query).tuples()}
    return {state.value: counted.get(state.value, 0) for state in ComputerState}
