"""Reservations that need an operator's help: their load failed, and another place did not help."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.intents import Author
from vclab.model.plans import Target
from vclab.model.reservations import FailedStep
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES
from vclab.store import audit, extension, failed_steps, locks, relocation
from vclab.store.column_types import utc
from vclab.store.models import Reservation


def begin(
    session: Session, target: Target, seconds: float, reason: str, now: datetime, no_other_place: str = ""
) -> None:
    """The reservation waits for an operator for at most ``seconds``. Unused claims on another place are released."""
    row = locks.reservation(session, target.reservation)
    if not _can_be_helped(row):
        return
    relocation.abandon(session, target, now)
    row.help_since, row.reason = row.help_since or utc(now), reason
    row.no_other_place = no_other_place
    row.help_until = row.help_since + timedelta(seconds=seconds)
    session.flush()
    audit.note(session, row.id, "vclab", "needs help", reason, now)


def resolved(
    session: Session, id: str, by: Author, how: str, rules: Rules, now: datetime, beside: bool = False
) -> tuple[datetime, str]:
    """An operator has resolved it, and the user is credited the time, unless it went on ``beside`` the reservation.
    Returns the end and the credit's message.

    Nothing changes when it does not wait.
    """
    row = locks.reservation(session, id)
    if not _can_be_helped(row) or (row.help_since is None and not beside):
        return row.ends, ""
    audit.note(session, id, by.who, f"resolved: {how}", "", now, by.act)
    if row.help_since is None:  # a capture is given up that needs no help
        return row.ends, ""
    lost = 0.0 if beside else (utc(now) - row.help_since).total_seconds()
    text = extension.credit(session, row, lost, rules, now) if lost else ""
    row.help_since, row.help_until, row.no_other_place = None, None, ""
    row.reason = text
    session.flush()
    return row.ends, text


def waiting(session: Session) -> list[tuple[str, FailedStep]]:
    """The reservations that wait for help, each with its newest failed step; the longest wait first."""
    can_be = sa.or_(Reservation.state.in_(OPEN_STATES), Reservation.becomes != "")
    waits = sa.select(Reservation.id).where(Reservation.help_since.is_not(None), can_be)
    ids = session.scalars(waits.order_by(Reservation.help_since, Reservation.id)).all()
    newest = failed_steps.newest(session, ids)
    return [(id, newest[id]) for id in ids if id in newest]


def _can_be_helped(row: Reservation) -> bool:
    """It has not ended; or it is still being captured."""
    return row.state in OPEN_STATES or bool(row.becomes)
