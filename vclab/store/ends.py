"""The end of a reservation: how far it can be moved, and moving it. Spares make way for it, nobody else does."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from vclab.model.rules import Rules
from vclab.store import claims, identities, spares, tenures
from vclab.store.models import Reservation
from vclab.store.types import utc


def free_until(session: Session, row: Reservation, until: datetime, rules: Rules) -> datetime:
    """The latest end, ``until`` at most, for which its place and an identity are free; locks the pools."""
    turnaround = timedelta(seconds=rules.turnaround)
    free = claims.latest_end(session, row.id, until + turnaround, spares=False)
    if _needs_identity(row):
        free = identities.latest_end(session, row.id, row.ends + turnaround, free)
    return free - turnaround


def move(session: Session, row: Reservation, end: datetime, rules: Rules, now: datetime) -> None:
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


def _needs_identity(row: Reservation) -> bool:
    return spares.recorded(row.target).traits.identity
