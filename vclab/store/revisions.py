"""Revisions of images: what is known of each, and their states. Their copies are in ``copies``."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.durations import format_duration
from vclab.model.errors import NotFound, Refused
from vclab.model.revisions import CopyState, Origin, Place, RevisionState, Wanted
from vclab.model.states import OPEN_STATES
from vclab.store import audit, catalog, copies
from vclab.store.column_types import utc
from vclab.store.models import Copy, CopyWaiter, DiskChild, Image, Reservation, Revision, Spare

_HAD = sa.and_(Reservation.image == Revision.image, Reservation.revision == Revision.number)
"""A reservation had the revision."""


@dataclass(frozen=True)
class CopyFacts:
    """A copy, and who needs it."""

    place: Place
    state: CopyState
    why: str
    since: datetime
    ours: bool
    verified_at: datetime | None
    waiting: int  #: reservations
    children: tuple[str, ...]  #: computers whose disks are made from it


@dataclass(frozen=True)
class RevisionFacts:
    """A revision, and where it is."""

    number: int
    state: RevisionState
    origin: Origin
    retired_at: datetime | None
    copies: tuple[CopyFacts, ...]


def history(session: Session, image: str) -> list[RevisionFacts]:
    """All revisions of an image, newest first. Raises ``NotFound``."""
    query = sa.select(Revision).join(Image, Image.name == Revision.image)
    query = query.where(Revision.image == image, Image.removed_at.is_(None)).order_by(Revision.number.desc())
    found = [_facts(session, row) for row in session.scalars(query)]
    if not found:
        raise NotFound(f"there is no image {image}")
    return found


def one(session: Session, image: str, number: int) -> RevisionFacts:
    """A revision. Raises ``NotFound``."""
    row = session.scalar(sa.select(Revision).where(Revision.image == image, Revision.number == number))
    if row is None:
        raise NotFound(f"there is no revision {number} of image {image}")
    return _facts(session, row)


def promote(session: Session, image: str, number: int) -> None:
    """New reservations get this one. Raises ``NotFound``, and ``Refused`` for one that is retired or nowhere."""
    row = _row(session, image, number)
    if row.state is RevisionState.RETIRED:
        raise Refused(f"revision {number} of {image} is retired", f"`vclab image restore {image} {number}` first")
    there = _facts(session, row).copies
    if there and not any(copy.state is CopyState.USABLE for copy in there):
        raise Refused(f"revision {number} of {image} has no copy that can be used", "`vclab image history` tells why")
    catalog.leave_production(session, image)
    row.state, row.retired_at, row.test_until = RevisionState.PRODUCTION, None, None
    session.flush()


def retire(session: Session, image: str, number: int, now: datetime) -> None:
    """It can't be reserved any more. Raises ``NotFound``, and ``Refused`` for the one in production."""
    row = _row(session, image, number)
    if row.state is RevisionState.PRODUCTION:
        raise Refused(f"revision {number} of {image} is in production", "promote another one first")
    if row.state is not RevisionState.RETIRED:
        row.state, row.retired_at = RevisionState.RETIRED, utc(now)
    session.flush()


def test_until(session: Session, image: str, number: int, until: datetime) -> None:
    """It is retired then, unless it is promoted before. Raises ``NotFound``."""
    _row(session, image, number).test_until = utc(until)
    session.flush()


def retire_overdue(session: Session, now: datetime) -> None:
    """Test revisions whose time is over."""
    query = sa.select(Revision).where(Revision.state == RevisionState.TEST, Revision.test_until <= utc(now))
    for row in session.scalars(query).all():
        retire(session, row.image, row.number, now)
        audit.note(session, f"image-{row.image}", "vclab", "revision retired", f"{row.image}/{row.number}", utc(now))


def retire_all(session: Session, image: str, now: datetime) -> None:
    """The image is removed: none of its revisions can be reserved any more."""
    left = sa.and_(Revision.image == image, Revision.state != RevisionState.RETIRED)
    session.execute(sa.update(Revision).where(left).values(state=RevisionState.RETIRED, retired_at=utc(now)))
    session.expire_all()


def restore(session: Session, image: str, number: int) -> None:
    """A retired one is a test revision again. Raises ``NotFound``, and ``Refused`` while it is being deleted."""
    row = _row(session, image, number)
    if any(copy.state is CopyState.RETIRING for copy in _facts(session, row).copies):
        raise Refused(f"revision {number} of {image} is being deleted already")
    if row.state is RevisionState.RETIRED:
        row.state, row.retired_at, row.test_until = RevisionState.TEST, None, None
    session.flush()


def must_be_idle(session: Session, image: str, number: int) -> None:
    """Raise ``Refused`` unless it is retired and nothing needs it: no reservation, no spare, no machine."""
    row = _row(session, image, number)
    if row.state is not RevisionState.RETIRED:
        raise Refused(f"revision {number} of {image} is not retired", f"`vclab image retire {image} {number}` first")
    for who in (_reservations(session, row), _derived(session, row), _machines(session, row)):
        if who:
            raise Refused(f"revision {number} of {image} is needed by {', '.join(who[:5])}{', …' * (len(who) > 5)}")


def begin_deletion(session: Session, image: str, number: int, now: datetime) -> list[Wanted]:
    """A retired revision that nothing needs is to be deleted: its copies that vclab has made, which are returned; then
    the revision is forgotten. Raises ``NotFound``, and ``Refused`` with who needs it."""
    must_be_idle(session, image, number)
    leaving = [Wanted(image, number, each.place) for each in one(session, image, number).copies if each.ours]
    for wanted in leaving:
        copies.leave_use(session, wanted, now)
    if not leaving:
        forget(session, image, number)
    return leaving


def delete_overdue(session: Session, keep: float, now: datetime) -> list[str]:
    """Begin to delete the revisions that were retired ``keep`` seconds ago and that nothing needs. Returns them; each
    is in the audit."""
    ours = sa.and_(Copy.image == Revision.image, Copy.revision == Revision.number, Copy.ours)
    staying = sa.exists().where(ours, Copy.state != CopyState.RETIRING)
    unknown = sa.and_(~sa.exists().where(ours), ~sa.exists().where(_HAD))
    over = Revision.retired_at < utc(now) - timedelta(seconds=keep)
    query = sa.select(Revision.image, Revision.number)
    query = query.where(Revision.state == RevisionState.RETIRED, over, sa.or_(staying, unknown))
    begun = []
    for image, number in session.execute(query.order_by(Revision.image, Revision.number)).all():
        with suppress(Refused):
            begin_deletion(session, image, number, now)
            what = f"revision {number}, which was retired {format_duration(keep)} ago"
            audit.note(session, f"image-{image}", "vclab", "revision deleted", what, utc(now))
            begun.append(f"{image}/{number}")
    return begun


def forget(session: Session, image: str, number: int) -> None:
    """Delete the row of a revision of which no copy is left; one that reservations had stays, without copies.

    Raises ``Refused`` while there is a copy.
    """
    row = _row(session, image, number)
    if there := [copy for copy in _facts(session, row).copies if copy.ours or not copy.place.endpoint]:
        raise Refused(f"a copy of {image}/{number} is on {there[0].place}: {there[0].state}")
    session.execute(sa.delete(Copy).where(Copy.image == image, Copy.revision == number))
    if not session.scalar(sa.select(sa.exists().where(_HAD, Revision.id == row.id))):
        session.delete(row)
    session.flush()


def forget_if_nothing_is_left(session: Session, image: str, number: int) -> None:
    """Forget a retired revision of which there is no copy any more, and that nothing needs."""
    with suppress(Refused, NotFound):
        must_be_idle(session, image, number)
        forget(session, image, number)


def _row(session: Session, image: str, number: int) -> Revision:
    """A revision's row, locked. Raises ``NotFound``."""
    query = sa.select(Revision).where(Revision.image == image, Revision.number == number)
    row = session.scalar(query.with_for_update(key_share=True).execution_options(populate_existing=True))
    if row is None:
        raise NotFound(f"there is no revision {number} of image {image}")
    return row


def origin_of(row: Revision) -> Origin:
    """Where a revision comes from, of its row."""
    return Origin(**{field.name: getattr(row, field.name) for field in fields(Origin)})


def _facts(session: Session, row: Revision) -> RevisionFacts:
    origin = origin_of(row)
    query = sa.select(Copy).where(Copy.image == row.image, Copy.revision == row.number).order_by(Copy.place)
    copies = tuple(_copy(session, copy) for copy in session.scalars(query))
    return RevisionFacts(row.number, row.state, origin, row.retired_at, copies)


def _copy(session: Session, row: Copy) -> CopyFacts:
    key = {"image": row.image, "revision": row.revision, "place": row.place}
    waiting = session.scalar(sa.select(sa.func.count()).select_from(CopyWaiter).filter_by(**key)) or 0
    children = session.scalars(sa.select(DiskChild.computer).filter_by(**key).distinct().order_by(DiskChild.computer))
    return CopyFacts(
        Place(row.endpoint or "", row.storage),
        row.state,
        row.why,
        row.since,
        row.ours,
        row.verified_at,
        waiting,
        tuple(children),
    )


def _reservations(session: Session, row: Revision) -> Sequence[str]:
    of = sa.and_(Reservation.image == row.image, Reservation.revision == row.number)
    query = sa.select(Reservation.id).where(of, Reservation.state.in_(OPEN_STATES)).order_by(Reservation.created)
    return [f"the reservation {id}" for id in session.scalars(query)]


def _derived(session: Session, row: Revision) -> Sequence[str]:
    of = sa.and_(Revision.image == row.image, Revision.parent == row.number)
    query = sa.select(Revision.number).where(of, Revision.sha256 == "").order_by(Revision.number)
    return [f"revision {number}, which is being made from it" for number in session.scalars(query)]


def _machines(session: Session, row: Revision) -> Sequence[str]:
    spares = sa.select(Spare.computer).where(Spare.image == row.image, Spare.revision == row.number)
    children = sa.select(DiskChild.computer).where(DiskChild.image == row.image, DiskChild.revision == row.number)
    return [f"the computer {name}" for name in sorted({*session.scalars(spares), *session.scalars(children)})]
