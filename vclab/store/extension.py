"""Extending a reservation, as its user asks, or to credit time that a fault of the lab took.

Spares make way for a later end. Other reservations do not.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from vclab.model import rules as limits
from vclab.model.durations import format_duration
from vclab.model.intents import Author
from vclab.model.reservations import Refusal
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES
from vclab.store import audit, claims, eviction, identities, local_time, locks, targets, tenures
from vclab.store.column_types import utc
from vclab.store.models import Reservation
from vclab.store.placement import spans_of

_LEAST_CREDIT = 1.0
"""Seconds. Less is not worth a credit."""


def extend(session: Session, id: str, end: datetime, by: Author, rules: Rules, now: datetime) -> datetime | Refusal:
    """Move the end and return it, or say why not and what the latest possible end is.

    Limits do not bind operators; claims bind everybody. The same end, and the same act, again is a success: a worker
    that dies after several acts repeats all of them, and then the first one's end is no longer the newest.
    """
    row, now = locks.reservation(session, id), utc(now)
    if row.state not in OPEN_STATES:
        return Refusal(f"{id} has ended and can't be extended")
    if audit.is_done(session, id, by.act):
        return row.ends
    if end.tzinfo is None:
        return Refusal("the new end has no time zone")
    if end == row.ends:
        return row.ends
    why_not = _why_not_end(session, row, end, by.operator, rules, now)
    if why_not:
        return Refusal(why_not)
    end = utc(end)
    try:
        _move_end(session, row, end, rules, now)
    except (claims.ClaimHeld, claims.NoRoom) as refused:  # claimed since the look at what is free
        return Refusal(str(refused))
    row.reason = ""
    until = local_time.for_user(session, row.user, end)
    audit.note(session, id, by.who, "extended", f"until {until}", now, by.act)
    return end


def _free_until(session: Session, row: Reservation, until: datetime, rules: Rules) -> datetime:
    """The latest end, ``until`` at most, for which its place and an identity are free; locks the pools."""
    turnaround = timedelta(seconds=rules.turnaround)
    free = claims.latest_end(session, row.id, until + turnaround, spares=False)
    if _needs_identity(row):
        free = identities.latest_end(session, row.id, row.ends + turnaround, free)
    return free - turnaround


def _move_end(session: Session, row: Reservation, end: datetime, rules: Rules, now: datetime) -> None:
    """Move the end of a locked reservation to a later time, with its claims and its tenure.

    Raises ``claims.ClaimHeld`` and ``claims.NoRoom``; then nothing has changed.
    """
    turnaround = timedelta(seconds=rules.turnaround)
    before, after = row.ends + turnaround, utc(end) + turnaround

    def extend() -> None:
        claims.move_end(session, row.id, after)
        if _needs_identity(row):
            identities.must_last(session, before, after, row.id)

    eviction.evicting(session, row.id, before, extend, now)
    tenures.expect(session, row.computer, row.generation, after)
    row.ends = utc(end)


def credit(session: Session, row: Reservation, seconds: float, rules: Rules, now: datetime) -> str:
    """Move the end of a locked reservation later by ``seconds``, as far as no other claim begins; returns a message.

    The user's limits do not count: the time was theirs already.
    """
    if seconds < _LEAST_CREDIT:
        return ""
    before, wanted = row.ends, row.ends + timedelta(seconds=seconds)
    end = _free_until(session, row, wanted, rules)
    if end > before:
        with suppress(claims.ClaimHeld, claims.NoRoom):  # claimed since the look at what is free
            _move_end(session, row, end, rules, now)
    given = (row.ends - before).total_seconds()
    until = local_time.for_user(session, row.user, row.ends)
    text = f"{format_duration(seconds)} were lost through a fault of the lab"
    if given >= seconds - _LEAST_CREDIT:
        text += f"; the end is now {until}"
    elif given >= _LEAST_CREDIT:
        text += f"; the end could only move to {until}, since another reservation has its place after that"
    else:
        text += f"; the end stays at {until}, since another reservation has its place after that"
    audit.note(session, row.id, "vclab", "credited", text, now)
    return text


def _why_not_end(session: Session, row: Reservation, end: datetime, operator: bool, rules: Rules, now: datetime) -> str:
    """Why the reservation can't end at ``end``; empty when it can.

    ``end`` may be at the calendar's edge: it is only compared and shown, and nothing is added to it.
    """
    zone = local_time.zone_of(session, row.user)
    if end <= now:
        return f"the new end {local_time.shown(end, zone)} is in the past; to end it now, use `vclab end {row.id}`"
    if end < row.ends:
        return f"it ends at {local_time.shown(row.ends, zone)}; an end can only move to a later time"
    latest, limit = limits.latest_end(rules.limits, _begins(row, now), row.ends, now, operator)
    free = _free_until(session, row, min(latest, end), rules)
    own = end if operator else _own_until(session, row, end, rules)
    best = min(latest, free, own)
    if end <= best:
        return ""
    reason = "another reservation has its place then"
    if best == latest:
        reason = f"the limit is {limit}"
    elif best == own:
        reason = f"{row.user} has another reservation then, and may have {rules.limits.at_once} at one time"
    if best <= row.ends:
        return f"it can't be extended beyond {local_time.shown(row.ends, zone)}: {reason}"
    latest_text = f"the latest possible end is {local_time.shown(best, zone)}"
    return f"it can't be extended to {local_time.shown(end, zone)}: {reason}; {latest_text}"


def _begins(row: Reservation, now: datetime) -> datetime:
    """When the user's time begins or began. Time that the lab lost before does not count."""
    planned = row.starts if row.preload_at else row.starts + timedelta(seconds=row.load_seconds)
    return max(planned, row.ready_at or now)


def _own_until(session: Session, row: Reservation, until: datetime, rules: Rules) -> datetime:
    """The latest end, ``until`` at most, with which the user has no more reservations at one time than allowed."""
    others = spans_of(session, row.user, row.id)
    for begins in sorted(other.starts for other in others if row.ends <= other.starts < until):
        if sum(other.starts <= begins < other.ends for other in others) >= rules.limits.at_once:
            return begins
    return until


def _needs_identity(row: Reservation) -> bool:
    return targets.of(row).traits.identity
