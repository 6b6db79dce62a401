"""Captures: what a reservation's computer holds becomes a revision of an image.

The revision has its number from the beginning, and exists only at the end: what is half made has no name. Of one image
and number one capture runs; the database refuses a second one.
"""

from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.errors import NotFound, Refused
from vclab.model.intents import Author
from vclab.model.messages import Capture as Wanted
from vclab.model.plans import Becomes, Facts
from vclab.model.revisions import Origin, RevisionState
from vclab.model.states import ReservationState
from vclab.model.traits import Operation
from vclab.store import audit, catalog, locks, targets
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of, insert
from vclab.store.models import Capture, Reservation


def begin(session: Session, id: str, wanted: Wanted, by: Author, now: datetime) -> Becomes:
    """The capture runs from now on. Repeated, it is the same. Raises ``Refused``."""
    row = locks.reservation(session, id)
    known = session.get(Capture, wanted.capture)
    if known is not None and known.reservation == id:
        return Becomes(known.id, known.image, known.revision)
    if known is not None:
        raise Refused(f"{wanted.capture!r} can't be the id of a new capture")
    _check(session, row, wanted)
    image = wanted.image or row.image
    becomes = Becomes(wanted.capture, image, _next_revision(session, image))
    columns = {"id": becomes.capture, "reservation": id, "image": image, "revision": becomes.revision}
    columns |= {"title": wanted.title, "notes": wanted.notes, "made_by": by.who, "began": utc(now), "why_not": ""}
    table = Capture.metadata.tables[Capture.__tablename__]
    session.execute(insert(dialect_of(session), table).values(**columns).on_conflict_do_nothing())
    if session.get(Capture, becomes.capture) is None:  # another one was quicker
        raise Refused(f"{becomes} is being captured already")
    row.becomes = str(becomes)
    audit.note(session, id, by.who, "capture begins", str(becomes), now, by.act)
    return becomes


def done(session: Session, becomes: Becomes, facts: Facts, now: datetime) -> None:
    """It is captured: the revision is there, for tests. Repeated, nothing changes."""
    row = _running(session, becomes.capture)
    if row is None:
        return
    source = session.get_one(Reservation, row.reservation)
    image = catalog.revision(session, source.image, source.revision)
    origin = Origin(
        made_at=utc(now),
        made_by=row.made_by,
        parent=source.revision,
        parent_image="" if row.image == source.image else source.image,
        reservation=source.id,
        notes=row.notes,
    )
    made = replace(
        image,
        name=row.image,
        revision=row.revision,
        title=row.title or image.title,
        module_data=facts.image_data or image.module_data,
    )
    catalog.put_image(session, made, targets.of(source).traits.lent, RevisionState.TEST, origin)
    _ended(session, row, source, "", now)
    audit.note(session, source.id, "vclab", "captured", f"{row.image}/{row.revision}", now)


def given_up(session: Session, becomes: Becomes, why: str, now: datetime) -> None:
    """Nothing is left of it. Repeated, or when it is done, nothing changes."""
    row = _running(session, becomes.capture)
    if row is not None:
        source = session.get_one(Reservation, row.reservation)
        _ended(session, row, source, why or "given up", now)
        audit.note(session, source.id, "vclab", "capture given up", f"{row.image}/{row.revision}: {why}", now)


def lost(session: Session, source: Reservation, now: datetime) -> None:
    """Its computer is taken back: a capture of it that runs still, because its workflow is gone, is given up."""
    running = sa.select(Capture).where(Capture.reservation == source.id, Capture.ended.is_(None))
    for row in session.scalars(running).all():
        _ended(session, row, source, "its computer was taken back", now)


def _ended(session: Session, row: Capture, source: Reservation, why_not: str, now: datetime) -> None:
    row.ended, row.why_not, source.becomes = utc(now), why_not, ""
    session.flush()


def _running(session: Session, id: str) -> Capture | None:
    """The capture's row, locked, while it runs. Its reservation's row is locked first."""
    found = session.get(Capture, id)
    if found is None:
        raise NotFound(f"there is no capture {id}")
    locks.reservation(session, found.reservation)
    row = session.get_one(Capture, id, with_for_update=True, populate_existing=True)
    return row if row.ended is None else None


def _check(session: Session, row: Reservation, wanted: Wanted) -> None:
    if not row.imaging:
        raise Refused(f"{row.id} was not reserved for imaging", "reserve with --imaging")
    if row.state is not ReservationState.INUSE:
        raise Refused(f"{row.id} is not in use")
    if not targets.of(row).traits.can(Operation.CAPTURE):
        raise Refused(f"the provisioning module {targets.of(row).module} captures nothing yet")
    if row.becomes:
        raise Refused(f"{row.id} is being captured already, as {row.becomes}")
    if wanted.image and wanted.image in catalog.names_of_all_images(session):
        raise Refused(f"there is an image {wanted.image} already", "give another name, or use --revision")
    if wanted.image and _newest_running(session, wanted.image):
        raise Refused(f"another computer is being captured as {wanted.image}", "give another name")


def _next_revision(session: Session, image: str) -> int:
    """After all that there are, and all that are being captured."""
    return max(catalog.newest_revision(session, image), _newest_running(session, image)) + 1


def _newest_running(session: Session, image: str) -> int:
    """The highest number that is being captured; 0: none."""
    running = sa.select(sa.func.max(Capture.revision)).where(Capture.image == image, Capture.ended.is_(None))
    return session.scalar(running) or 0
