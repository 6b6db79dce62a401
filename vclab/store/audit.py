"""The audit trail: what was done or refused, when, and by whom."""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.intents import how_signalled
from vclab.model.reservations import AuditEvent
from vclab.store.column_types import utc
from vclab.store.models import Event, Intent

_event = Event.metadata.tables[Event.__tablename__]
_NEWEST = (
    sa.select(_event.c.who, _event.c.what, _event.c.detail, _event.c.act)
    .where(_event.c.reservation == sa.bindparam("of"))
    .order_by(_event.c.id.desc())
    .limit(1)
)
_ADD = sa.insert(_event)
LONGEST = 2000
"""Characters of a detail. They are kept for long, and a refusal in a large lab names a thousand hosts."""


def note(session: Session, reservation: str, who: str, what: str, detail: str, now: datetime, act: str = "") -> None:
    """Add an event, unless it is the very same as the newest one: a record may be written twice.

    ``act``: the id of the intent, or the number of a signal. ``is_done`` and ``events`` go by it.
    The statements are made once, for every record writes an event.
    """
    session.flush()  # what the event is about comes first
    detail = detail if len(detail) <= LONGEST else f"{detail[: LONGEST - 1]}…"
    last = session.execute(_NEWEST, {"of": reservation}).first()
    if last is None or tuple(last) != (who, what, detail, act):
        line = {"reservation": reservation, "at": utc(now), "who": who, "what": what, "detail": detail, "act": act}
        session.execute(_ADD, line)


def is_done(session: Session, reservation: str, act: str) -> bool:
    """Whether the act is in the audit, and so was done."""
    if not act:
        return False
    return session.scalar(sa.select(sa.exists().where(Event.reservation == reservation, Event.act == act))) or False


def events(session: Session, reservation: str) -> list[AuditEvent]:
    """All events of a reservation, or of one that was refused, oldest first. Each with what its intent tells: for whom
    it was done, and how it is known who asked."""
    query = sa.select(Event, Intent).outerjoin(Intent, Intent.id == Event.act)
    query = query.where(Event.reservation == reservation).order_by(Event.id)
    return [_event_of(event, intent) for event, intent in session.execute(query)]


def _event_of(event: Event, intent: Intent | None) -> AuditEvent:
    seen = AuditEvent(event.at, event.who, event.what, event.detail)
    if intent is not None:
        return replace(seen, for_user=intent.for_user, authentication=intent.authentication, intent=intent.id)
    return replace(seen, authentication=how_signalled(event.act))
