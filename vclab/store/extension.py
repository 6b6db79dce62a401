"""The end of a reservation moves: how far it can, moving it, and crediting time that a fault of the lab took.

Spares make way for a later end. Other reservations do not.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from vclab.model.durations import format_duration
from vclab.model.rules import Rules
from vclab.store import audit, claims, identities, local_time, spares, targets, tenures
from vclab.store.column_types import utc
from vclab.store.models import Reservation

LEAST_CREDIT = 1.0
"""Seconds. Less is not worth a credit."""


def free_until(session: Session, row: Reservation, until: datetime, rules: Rules) -> datetime:
    """The latest end, ``until`` at most, for which its place and an identity are free; locks the pools."""
    turnaround = timedelta(seconds=rules.turnaround)
    free = claims.latest_end(session, row.id, until + turnaround, spares=False)
    if _needs_identity(row):
        free = identities.latest_end(session, row.id, row.ends + turnaround, free)
    return free - turnaround


def move_end(session: Session, row: Reservation, end: datetime, rules: Rules, now: datetime) -> None:
    """Move the end of a locked reservation to a later time, with its claims and its tenure.

    Raises ``claims.ClaimHeld`` and ``claims.NoRoom``; then nothing has changed.
    """
    turnaround = timedelta(seconds=rules.turnaround)
    before, after = row.ends + turnaround, utc(end) + turnaround

    def extend() -> None:
        claims.move_end(session, row.id, after)
        if _needs_identity(row):
            identities.must_last(session, before, after, row.id)

    spares.aside(session, row.id, before, extend, now)
    tenures.expect(session, row.computer, row.generation, after)
    row.ends = utc(end)


def credit(session: Session, row: Reservation, seconds: float, rules: Rules, now: datetime) -> str:
    """Move the end of a locked reservation so much later, as far as nobody else has a claim. What was done, in words.

    No limit of the user's counts: the time was theirs already.
    """
    if seconds < LEAST_CREDIT:
        return ""
    before, wanted = row.ends, row.ends + timedelta(seconds=seconds)
    end = free_until(session, row, wanted, rules)
    if end > before:
        with suppress(claims.ClaimHeld, claims.NoRoom):  # claimed since the look at what is free
            move_end(session, row, end, rules, now)
    given = (row.ends - before).total_seconds()
    until = local_time.shown(row.ends, local_time.of(session, row.user))
    text = f"{format_duration(seconds)} were lost by a fault of the lab"
    if given >= seconds - LEAST_CREDIT:
        text += f"; the end was moved to {until}"
    elif given >= LEAST_CREDIT:
        text += f"; the end could only be moved to {until}, for its place is promised to others then"
    else:
        text += f"; the end stays at {until}, for its place is promised to others then"
    audit.note(session, row.id, "vclab", "credited", text, now)
    return text


def _needs_identity(row: Reservation) -> bool:
    return targets.of(row).traits.identity
