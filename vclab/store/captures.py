"""Captures: what a reservation's computer holds becomes a revision of an image.

The revision has its number from the beginning, and exists only at the end: what is half made has no name. Of one image
and number one capture runs; the database refuses a second one.
"""

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.catalog import Image
from vclab.model.errors import Fenced, NotFound, Refused
from vclab.model.intents import VCLAB, Author
from vclab.model.inventory import Amounts
from vclab.model.messages import Capture as Wanted
from vclab.model.messages import capture_workflow
from vclab.model.plans import Access, Becomes, Facts, Target
from vclab.model.revisions import Origin, Place, RevisionRecord, RevisionState, disk_gib
from vclab.model.revisions import Wanted as WantedCopy
from vclab.model.states import Ending, ReservationState
from vclab.model.traits import Operation
from vclab.store import audit, catalog, claims, computers, copies, locks, repositories, revisions, targets
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of, insert
from vclab.store.models import Capture, Reservation, User

LONGEST = timedelta(days=7)
"""For which a capture has its room."""
_WINDOWS = "win"
"""How vSphere's names of Windows systems begin."""


def begin(session: Session, id: str, wanted: Wanted, by: Author, now: datetime) -> Becomes:
    """The capture runs from now on, and has room for two copies of the disk. Repeated, it is the same. Raises
    ``Refused``."""
    row = locks.reservation(session, id)
    known = session.get(Capture, wanted.capture)
    if known is not None and known.reservation == id:
        return _becomes(known)
    if known is not None:
        raise Refused(f"{wanted.capture!r} can't be the id of a new capture")
    _check(session, row, wanted)
    becomes = _planned(session, row, wanted)
    columns = {"id": becomes.capture, "reservation": id, "image": becomes.image, "revision": becomes.revision}
    columns |= {"title": wanted.title, "notes": wanted.notes, "made_by": by.who, "began": utc(now), "why_not": ""}
    columns |= {"becomes": asdict(becomes), "throw_away": {}, "raw_sha256": ""}
    table = Capture.metadata.tables[Capture.__tablename__]
    session.execute(insert(dialect_of(session), table).values(**columns).on_conflict_do_nothing())
    if session.get(Capture, becomes.capture) is None:  # another one was quicker
        raise Refused(f"{becomes} is being captured already")
    _claim_room(session, targets.of(row), becomes, now)
    row.becomes, row.saving = str(becomes), True
    audit.note(session, id, by.who, "capture begins", str(becomes), now, by.act)
    return becomes


def is_due(session: Session, id: str, now: datetime) -> bool:
    """Its end has come, and it is to be captured then."""
    row = locks.reservation(session, id)
    return row.capture_at_end and row.ends <= utc(now)


def taken(session: Session, becomes: Becomes, facts: Facts, now: datetime) -> None:
    """What the computer held is in the raw copy. Repeated, nothing changes."""
    row = running(session, becomes.capture)
    if row is not None and not row.raw_sha256:
        row.raw_sha256 = facts.raw_sha256
        session.get_one(Reservation, row.reservation).saving = False
        audit.note(session, row.reservation, "vclab", "raw copy taken", f"SHA-256 {facts.raw_sha256}", now)


def done(session: Session, becomes: Becomes, facts: Facts, keep: timedelta, now: datetime) -> None:
    """It is captured: the revision is there, for tests, of its reservation's end for so long. Repeated, nothing
    changes."""
    row = running(session, becomes.capture)
    if row is None:
        return
    source = session.get_one(Reservation, row.reservation)
    target, (made, origin) = targets.of(source), _revision(session, row, source, facts, now)
    catalog.put_image(session, made, target.traits.lent, RevisionState.TEST, origin)
    if row.made_by == VCLAB.who:
        revisions.test_until(session, row.image, row.revision, now + keep)
    if facts.copy and target.traits.copies:
        place = Place(target.endpoint, target.storage)
        copies.captured(session, WantedCopy(row.image, row.revision, place), facts.copy, now)
    if facts.copy and target.traits.streams:
        kept = repositories.at(session, target.site, facts.copy)
        repositories.holds(session, kept.name, row.image, row.revision, now)
    _ended(session, row, source, "", now)
    audit.note(session, source.id, "vclab", "captured", f"{row.image}/{row.revision}", now)


def record(session: Session, becomes: Becomes) -> RevisionRecord:
    """All but the content of the revision that is being made, for the repository that gets it. Raises ``NotFound``."""
    row = session.get(Capture, becomes.capture)
    if row is None:
        raise NotFound(f"there is no capture {becomes.capture}")
    source = session.get_one(Reservation, row.reservation)
    made, origin = _revision(session, row, source, Facts(), row.began)
    return made.record(origin)


def _revision(session: Session, row: Capture, source: Reservation, facts: Facts, now: datetime) -> tuple[Image, Origin]:
    """What it becomes, and where that comes from."""
    target, parent = targets.of(source), catalog.revision(session, source.image, source.revision)
    origin = Origin(
        sha256=facts.disk_sha256,
        size=facts.disk_size,
        made_at=utc(now),
        made_by=row.made_by,
        parent=source.revision,
        parent_image="" if row.image == source.image else source.image,
        reservation=source.id,
        notes=row.notes,
        untried=target.traits.seals and not _becomes(row).boot_test,
        differs=facts.raw_differs + facts.sealed_differs,
    )
    made = replace(
        parent,
        name=row.image,
        revision=row.revision,
        title=row.title or parent.title,
        disk_gb=disk_gib(facts.disk_size) if target.traits.streams and facts.disk_size else parent.disk_gb,
        module_data=facts.image_data or parent.module_data,
    )
    return made, origin


def given_up(session: Session, becomes: Becomes, why: str, now: datetime) -> None:
    """Nothing is left of it. Repeated, or when it is done, nothing changes."""
    row = running(session, becomes.capture)
    if row is not None:
        source = session.get_one(Reservation, row.reservation)
        _ended(session, row, source, why or "given up", now)
        audit.note(session, source.id, "vclab", "capture given up", f"{row.image}/{row.revision}: {why}", now)


def lost(session: Session, source: Reservation, now: datetime) -> None:
    """Its computer is taken back: a capture of it that runs still, because its workflow is gone, is given up."""
    query = sa.select(Capture).where(Capture.reservation == source.id, Capture.ended.is_(None))
    for row in session.scalars(query).all():
        if row.throw_away:
            computers.give_back(session, targets.recorded(row.throw_away), "what was captured on it is lost", now)
        _ended(session, row, source, "its computer was taken back", now)


def running_of(session: Session, reservation: str) -> str:
    """The id of the capture of the reservation's computer that runs; empty: none does."""
    query = sa.select(Capture.id).where(Capture.reservation == reservation, Capture.ended.is_(None))
    return session.scalar(query) or ""


def lacks_computer(session: Session, id: str) -> bool:
    """Whether it is taken, and has no throw-away computer now."""
    row = session.get(Capture, id)
    return row is not None and bool(row.raw_sha256) and not row.throw_away


def is_running(session: Session, id: str) -> bool:
    """Whether the capture has begun, and not ended."""
    return bool(session.scalar(sa.select(sa.exists().where(Capture.id == id, Capture.ended.is_(None)))))


def check(session: Session, becomes: Becomes) -> None:
    """Raise ``Fenced`` unless exactly this is what the capture's computer becomes, and it runs."""
    row = session.get(Capture, becomes.capture, populate_existing=True)
    if row is None or row.ended is not None or _becomes(row) != becomes:
        raise Fenced(f"{becomes} is not what capture {becomes.capture} makes, or that has ended")


def throw_away(session: Session, holder: str) -> Target | None:
    """The target of the throw-away computer that the capture with that workflow holds; None: it holds none."""
    row = session.get(Capture, holder.removeprefix(capture_workflow("")), populate_existing=True)
    return targets.recorded(row.throw_away) if row is not None and row.throw_away else None


def holder_of_room(capture: str) -> str:
    """Who claims what a throw-away computer needs: beside the capture, which has room for the copies."""
    return f"{capture_workflow(capture)}/throw-away"


def running(session: Session, id: str) -> Capture | None:
    """The capture's row, locked, while it runs. Its reservation's row is locked first. Raises ``NotFound``."""
    found = session.get(Capture, id)
    if found is None:
        raise NotFound(f"there is no capture {id}")
    locks.reservation(session, found.reservation)
    row = session.get_one(Capture, id, with_for_update=True, populate_existing=True)
    return row if row.ended is None else None


def _ended(session: Session, row: Capture, source: Reservation, why_not: str, now: datetime) -> None:
    row.ended, row.why_not, source.becomes, source.saving = utc(now), why_not, "", False
    source.help_since = source.help_until = None
    if source.ending is not None and source.ending is not Ending.FAILED:  # its user reads there what became of it
        made = f"{row.image}/{row.revision}"
        source.reason = f"{made} was given up: {why_not}" if why_not else f"captured: {made}"
    for holder in (capture_workflow(row.id), holder_of_room(row.id)):
        claims.release(session, holder, now)
    session.flush()


def _becomes(row: Capture) -> Becomes:
    access: dict[str, Any] | None = row.becomes["access"]
    if access is not None:
        access = {name: tuple(value) if isinstance(value, list) else value for name, value in access.items()}
    return Becomes(**{**row.becomes, "access": Access(**access) if access is not None else None})


def _planned(session: Session, row: Reservation, wanted: Wanted) -> Becomes:
    image = wanted.image or row.image
    seals, user = targets.of(row).traits.seals, session.get_one(User, row.user)
    access = Access(user.login, user.uid) if seals else None
    return Becomes(
        wanted.capture,
        image,
        _next_revision(session, image),
        reservation=row.id,
        computer=row.computer or "",
        generation=row.generation,
        access=access,
        boot_test=not wanted.untried,
        force_off=wanted.force_off,
    )


def _claim_room(session: Session, target: Target, becomes: Becomes, now: datetime) -> None:
    """For the raw copy and the sealed one, which are not larger than the disk. What has no storage of its endpoint
    goes to a repository, which keeps its room itself."""
    if not target.traits.seals or not target.storage:
        return
    room = {claims.datastore_pool(target.endpoint, target.storage): Amounts(disk_gb=2 * target.disk_gb)}
    claims.claim_pools(session, capture_workflow(becomes.capture), now, now + LONGEST, room)


def _check(session: Session, row: Reservation, wanted: Wanted) -> None:
    if not row.imaging:
        raise Refused(f"{row.id} was not reserved for imaging", "reserve with --imaging")
    if row.state is not ReservationState.INUSE:
        raise Refused(f"{row.id} is not in use")
    target = targets.of(row)
    if not target.traits.can(Operation.CAPTURE):
        raise Refused(f"the provisioning module {target.module} captures nothing yet")
    if target.traits.seals:
        _must_be_sealable(catalog.revision(session, row.image, row.revision))
    if row.becomes:
        raise Refused(f"{row.id} is being captured already, as {row.becomes}")
    if wanted.image and wanted.image in catalog.names_of_all_images(session):
        raise Refused(f"there is an image {wanted.image} already", "give another name, or use --revision")
    if wanted.image and _newest_running(session, wanted.image):
        raise Refused(f"another computer is being captured as {wanted.image}", "give another name")


def _must_be_sealable(image: Image) -> None:
    if image.hardware.guest_id.lower().startswith(_WINDOWS):
        raise Refused(f"{image.name} holds Windows ({image.hardware.guest_id}), and vclab can't seal that yet")
    if not image.guest:
        raise Refused(f"{image.name} has no guest: nothing is known of what must be removed from its disk")


def _next_revision(session: Session, image: str) -> int:
    """After all that there are, and all that are being captured."""
    return max(catalog.newest_revision(session, image), _newest_running(session, image)) + 1


def _newest_running(session: Session, image: str) -> int:
    """The highest number that is being captured; 0: none."""
    query = sa.select(sa.func.max(Capture.revision)).where(Capture.image == image, Capture.ended.is_(None))
    return session.scalar(query) or 0
