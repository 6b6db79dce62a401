"""What is kept for a time, and what then becomes of it. Each function is one small batch: one transaction.

- **The audit** is deleted; of a reservation that goes on, all of it stays.
- **The load log**, with failed steps and failures of loads, is deleted.
- **Reservations** stay, as the record of what a computer was used for; whose they were and from where they came goes.
- **The feed** is deleted (``feed.prune``).
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.store import removals
from vclab.store.column_types import utc
from vclab.store.models import (
    Addresses,
    Event,
    FailedStep,
    Intent,
    LoadFailure,
    LoadStep,
    RefusedRequest,
    Reservation,
    Tenure,
    User,
)
from vclab.store.removal_tables import Kept

BATCH = 500
"""Rows of a table that one transaction changes at most."""
NOBODY = "anonymous"
"""Stands for the users of reservations that are long over. An entry of that name is made, and is nobody's."""
_NOBODYS_UID = -1


def sweep_audit(session: Session, before: datetime, now: datetime) -> int:
    """Delete intents and events from before that time; how many."""
    open_ones = sa.select(Reservation.id).where(Reservation.finished_at.is_(None))
    old_events = sa.select(Event.id).where(Event.at < utc(before), Event.reservation.not_in(open_ones))
    old_intents = sa.select(Intent.id).where(Intent.at < utc(before), Intent.subject.not_in(open_ones))
    if not _any(session, old_events, old_intents):
        return 0
    with removals.removing(session, Kept.AUDIT, now, before=utc(before)) as removal:
        removal.rows = _delete(session, Event, Event.id, old_events.order_by(Event.id))
        removal.rows += _delete(session, Intent, Intent.id, old_intents.order_by(Intent.at))
        return removal.rows


def sweep_loads(session: Session, before: datetime, now: datetime) -> int:
    """Delete what loads did before that time; how many rows. What still counts against a host or an image stays."""
    old_steps = sa.select(LoadStep.id).where(LoadStep.started_at < utc(before))
    old_failed = sa.select(FailedStep.id).where(FailedStep.at < utc(before))
    counts = sa.or_(LoadFailure.against_host, LoadFailure.against_revision)
    old_failures = sa.select(LoadFailure.id).where(LoadFailure.at < utc(before), sa.not_(counts))
    if not _any(session, old_steps, old_failed, old_failures):
        return 0
    with removals.removing(session, Kept.LOADS, now, before=utc(before)) as removal:
        removal.rows = _delete(session, LoadStep, LoadStep.id, old_steps.order_by(LoadStep.id))
        removal.rows += _delete(session, FailedStep, FailedStep.id, old_failed.order_by(FailedStep.id))
        removal.rows += _delete(session, LoadFailure, LoadFailure.id, old_failures.order_by(LoadFailure.id))
        return removal.rows


def sweep_reservations(session: Session, before: datetime, now: datetime) -> int:
    """Make reservations that ended before that time nobody's, and delete refused requests; how many rows.

    The addresses that a computer had then go too: with them, logs elsewhere would tell who it was.
    """
    over = sa.select(Reservation.id).where(Reservation.finished_at < utc(before), Reservation.user != NOBODY)
    refused = sa.select(RefusedRequest.id).where(RefusedRequest.at < utc(before))
    if not _any(session, over, refused):
        return 0
    with removals.removing(session, Kept.RESERVATIONS, now, before=utc(before)) as removal:
        ids = session.scalars(over.order_by(Reservation.finished_at).limit(BATCH)).all()
        if ids:
            _put_nobody(session, now)
            session.execute(sa.update(Reservation).where(Reservation.id.in_(ids)).values(**_ANONYMOUS))
            held = sa.select(Tenure.computer, Tenure.generation).where(Tenure.holder.in_(ids))
            of_tenure = sa.tuple_(Addresses.computer, Addresses.generation)
            session.execute(sa.delete(Addresses).where(of_tenure.in_(held)))
        removal.rows = len(ids) + _delete(session, RefusedRequest, RefusedRequest.id, refused)
        return removal.rows


_ANONYMOUS: dict[str, Any] = {
    "user": NOBODY,
    "requested_by": NOBODY,
    "reason": "",
    "handover": "",
    "password_ref": "",
    "private_address": "",
    "public_address": "",
    "remote_addresses": [],
}


def _put_nobody(session: Session, now: datetime) -> None:
    if session.get(User, NOBODY) is None:
        nobody = User(login=NOBODY, uid=_NOBODYS_UID, affiliation="", public_keys=[], zone="UTC")
        nobody.removed_at = utc(now)
        session.add(nobody)
        session.flush()


def _any(session: Session, *queries: sa.Select[Any]) -> bool:
    return any(session.scalar(sa.select(query.exists())) for query in queries)


def _delete(session: Session, table: Any, key: Any, which: sa.Select[Any]) -> int:
    """Delete the first of them; how many."""
    keys = session.scalars(which.limit(BATCH)).all()
    session.execute(sa.delete(table).where(key.in_(keys)))
    return len(keys)
