"""Refused requests, with each candidate's reasons and the earliest time that would fit."""

import dataclasses
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.access import Reach
from vclab.model.catalog import ComputerKind
from vclab.model.durations import format_duration
from vclab.model.health import Suspect
from vclab.model.ids import is_id
from vclab.model.reservations import Candidate, Refusal, RefusedRequest, ReserveRequest
from vclab.model.revisions import RevisionState
from vclab.model.states import ComputerState
from vclab.placement import MachineRoom, earliest, earliest_machine, ever
from vclab.store import access, claims, failures, identities, local_time, models, pools
from vclab.store.column_types import utc
from vclab.store.models import Computer, Revision, Tenure
from vclab.store.search import Search

_LOOKS = (1, 30, 3660)  # days ahead

KEPT = timedelta(days=30)
"""A refusal names each candidate, so it is large, and people ask why soon. The audit keeps that it was refused."""


def with_room(session: Session, refusal: Refusal, search: Search) -> Refusal:
    """The refusal with the earliest time at which the search's claim could begin, if there is one.

    Most often there is room within a day. So the promises of a day are read first: a large lab has tens of thousands,
    and other placements wait meanwhile.
    """
    need, identity_from = search.need, _identity_from(session, search.window.now)
    for days in _LOOKS:
        far = search.until(need.ends + timedelta(days=days))
        rooms = pools.rooms(session, far, claims.firm)
        free = identities.free(session, need.starts, far.need.ends)
        found = earliest(need, rooms, identity_from, far.need.ends, free)
        if found is not None:
            return dataclasses.replace(refusal, earliest=found)
        if identity_from is None or not ever(need, rooms):
            break
    return refusal


def with_machine(refusal: Refusal, starts: datetime, ends: datetime, machines: Sequence[MachineRoom]) -> Refusal:
    """The same for lab machines. ``machines`` must have all promises that end after ``starts``."""
    return dataclasses.replace(refusal, earliest=earliest_machine(starts, ends, machines))


def for_user(
    session: Session, refusal: Refusal, request: ReserveRequest, now: datetime, claim_starts: datetime
) -> Refusal:
    """The refusal with hints: when there is room, in the user's zone, and whether the image is suspect.

    In ``refusal``, ``earliest`` is when a claim could begin; here it becomes when the reservation could begin.
    """
    asked, hints = request.start or now, []
    found = None if refusal.earliest is None else refusal.earliest + (asked - claim_starts)
    if found is not None:
        moment = local_time.for_user(session, request.user, _next_minute(found))
        hints.append(f"there is room from {moment} on, for {format_duration(request.seconds)}")
    hints += [suspect.text() for suspect in _suspects(session, request.image)]
    return dataclasses.replace(refusal, earliest=found, hint="; ".join(hints))


def note(session: Session, request: ReserveRequest, refusal: Refusal, now: datetime) -> None:
    """Keep the refusal for a while. A repeated request replaces its own refusal, never another user's."""
    session.execute(sa.delete(models.RefusedRequest).where(models.RefusedRequest.at < utc(now) - KEPT))
    known = session.get(models.RefusedRequest, request.id)
    if not is_id(request.id) or (known is not None and known.user != request.user):
        return
    session.merge(
        models.RefusedRequest(
            id=request.id,
            user=request.user,
            image=request.image,
            seconds=request.seconds if math.isfinite(request.seconds) else 0.0,
            start=request.start,
            at=utc(now),
            reason=refusal.reason,
            candidates=[dataclasses.asdict(candidate) for candidate in refusal.candidates],
            earliest=refusal.earliest,
        )
    )
    session.flush()


def note_relocation(session: Session, reservation: str, refusal: Refusal, now: datetime) -> None:
    """Keep why a reservation whose load failed found no other place, as a request of the reservation's id."""
    row = session.get_one(models.Reservation, reservation)
    seconds = max((row.ends - utc(now)).total_seconds(), 0.0)
    note(session, ReserveRequest(row.id, row.user, row.image, seconds), refusal, now)


def refused(session: Session, id: str) -> RefusedRequest | None:
    """The refused request of that id; None when there is none."""
    row = session.get(models.RefusedRequest, id)
    if row is None:
        return None
    candidates = tuple(Candidate(each["name"], tuple(each["lacks"])) for each in row.candidates)
    return RefusedRequest(
        row.id, row.user, row.image, row.seconds, row.start, row.at, Refusal(row.reason, candidates, row.earliest)
    )


def beginning(session: Session, prefix: str, reach: Reach, limit: int) -> list[str]:
    """The newest ``limit`` ids of refused requests that begin with ``prefix``, within ``reach``."""
    table = models.RefusedRequest
    query = sa.select(table.id).where(table.id.startswith(prefix, autoescape=True), access.within(reach, table))
    return list(session.scalars(query.order_by(table.id.desc()).limit(limit)))


def _suspects(session: Session, image: str) -> Sequence[Suspect]:
    """The image's production revision, if it is suspect."""
    production = sa.select(Revision.number).where(Revision.image == image, Revision.state == RevisionState.PRODUCTION)
    number = session.scalar(production)
    return [suspect for suspect in failures.suspects(session, image) if suspect.revision == number]


def _next_minute(moment: datetime) -> datetime:
    """The next whole minute: times are shown without seconds, and a moment too early is refused again."""
    whole = moment.replace(second=0, microsecond=0)
    return whole if whole == moment else whole + timedelta(minutes=1)


def _identity_from(session: Session, now: datetime) -> datetime | None:
    """When an identity is free: now, or when the first tenure is expected to end.

    Tenures beyond their expected end do not count.
    """
    usable = (
        Computer.kind == ComputerKind.VIRTUAL,
        Computer.state.not_in([ComputerState.MAINTENANCE]),
        ~Computer.leaving,
        Computer.removed_at.is_(None),
    )
    held = sa.exists().where(Tenure.computer == Computer.name, Tenure.released_at.is_(None))
    if session.scalar(
        sa.select(Computer.name).where(Computer.state == ComputerState.AVAILABLE, *usable, ~held).limit(1)
    ):
        return now
    ends = sa.select(sa.func.min(Tenure.expected_end)).join(Computer, Computer.name == Tenure.computer)
    return session.scalar(ends.where(*usable, Tenure.released_at.is_(None), Tenure.expected_end > now))
