"""Time that a fault of ours took from a user is given back, where no claim stands in the way."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from vclab.model.durations import format_duration
from vclab.model.rules import Rules
from vclab.store import audit, claims, placing, tenures, zones
from vclab.store.models import Reservation

LEAST = 1.0
"""Seconds; less is not worth a word."""


def give(session: Session, row: Reservation, seconds: float, rules: Rules, now: datetime) -> str:
    """Move the end of a locked reservation so much later, as far as nobody else has a claim. What was done, in words.

    No limit of the user's counts: the time was theirs already.
    """
    if seconds < LEAST:
        return ""
    turnaround = timedelta(seconds=rules.turnaround)
    end = max(row.ends, placing.free_until(session, row, row.ends + timedelta(seconds=seconds), rules))
    if end > row.ends:
        try:
            claims.move_end(session, row.id, end + turnaround)
        except (claims.ClaimHeld, claims.NoRoom):  # claimed since the look at what is free
            end = row.ends
    given = (end - row.ends).total_seconds()
    row.ends = end
    tenures.expect(session, row.computer, row.generation, end + turnaround)
    until = zones.shown(end, zones.of(session, row.user))
    text = f"{format_duration(seconds)} were lost by a fault of the lab"
    if given >= seconds - LEAST:
        text += f"; the end was moved to {until}"
    elif given >= LEAST:
        text += f"; the end could only be moved to {until}, for its place is promised to others then"
    else:
        text += f"; the end stays at {until}, for its place is promised to others then"
    audit.note(session, row.id, "vclab", "credited", text, now)
    return text
