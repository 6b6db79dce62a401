"""The audit trail: what was done or refused, when, and by whom."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.reservations import AuditEvent
from vclab.store.models import Event
from vclab.store.types import utc


def note(session: Session, reservation: str, who: str, what: str, detail: str, now: datetime) -> None:
    """Add an event. The very same as the newest one is not added again: a record may be written twice."""
    newest = sa.select(Event).where(Event.reservation == reservation).order_by(Event.id.desc()).limit(1)
    last = session.scalar(newest)
    if last is None or (last.who, last.what, last.detail) != (who, what, detail):
        session.add(Event(reservation=reservation, at=utc(now), who=who, what=what, detail=detail))
        session.flush()


def events(session: Session, reservation: str) -> list[AuditEvent]:
    """All events of a reservation, or of one that was refused, oldest first."""
    query = sa.select(Event).where(Event.reservation == reservation).order_by(Event.id)
    return [AuditEvent(row.at, row.who, row.what, row.detail) for row in session.scalars(query)]
