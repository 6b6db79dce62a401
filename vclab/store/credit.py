"""Time that a fault of ours took from a user is given back, where no claim stands in the way."""

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from vclab.model.durations import format_duration
from vclab.model.rules import Rules
from vclab.store import audit, claims, ends, zones
from vclab.store.models import Reservation

LEAST = 1.0
"""Seconds; less is not worth a word."""


def give(session: Session, row: Reservation, seconds: float, rules: Rules, now: datetime) -> str:
    """Move the end of a locked reservation so much later, as far as nobody else has a claim. What was done, in words.

    No limit of the user's counts: the time was theirs already.
    """
    if seconds < LEAST:
        return ""
    before, wanted = row.ends, row.ends + timedelta(seconds=seconds)
    end = ends.free_until(session, row, wanted, rules)
    if end > before:
        with suppress(claims.ClaimHeld, claims.NoRoom):  # claimed since the look at what is free
            ends.move(session, row, end, rules, now)
    given = (row.ends - before).total_seconds()
    until = zones.shown(row.ends, zones.of(session, row.user))
    text = f"{format_duration(seconds)} were lost by a fault of the lab"
    if given >= seconds - LEAST:
        text += f"; the end was moved to {until}"
    elif given >= LEAST:
        text += f"; the end could only be moved to {until}, for its place is promised to others then"
    else:
        text += f"; the end stays at {until}, for its place is promised to others then"
    audit.note(session, row.id, "vclab", "credited", text, now)
    return text
