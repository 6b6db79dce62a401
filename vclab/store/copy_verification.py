"""Copies are read back from time to time, and one that is broken is replaced when there is a good one."""

from contextlib import suppress
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.errors import NotFound, Refused
from vclab.model.revisions import Content, CopyJob, CopyState, Wanted
from vclab.model.rules import Rules
from vclab.store import audit, copies, copy_jobs
from vclab.store.column_types import utc
from vclab.store.copy_sources import has_source, key_of, revision_of
from vclab.store.models import Copy, Endpoint, Repository, Revision

RETRY = timedelta(days=1)
"""One that could not be read is tried again so much later."""


def due(session: Session, rules: Rules, now: datetime) -> dict[str, Wanted]:
    """The copy that is to be read next at each site, of those whose content is known."""
    if not rules.library.verify_every or not rules.library.may_begin(now):
        return {}
    every, now = timedelta(seconds=rules.library.verify_every), utc(now)
    last = sa.func.coalesce(Copy.verified_at, Copy.since)
    old = sa.and_(last < now - every, sa.or_(Copy.tried_at.is_(None), Copy.tried_at < now - min(every, RETRY)))
    query = (
        sa.select(Copy, sa.func.coalesce(Endpoint.site, Repository.site).label("site"))
        .join(Revision, sa.and_(Revision.image == Copy.image, Revision.number == Copy.revision))
        .outerjoin(Endpoint, Endpoint.name == Copy.endpoint)
        .outerjoin(Repository, sa.and_(Copy.endpoint.is_(None), Repository.name == Copy.storage))
        .where(Copy.state == CopyState.USABLE, Revision.sha256 != "", Endpoint.disabled_at.is_(None), old)
        .order_by(last, Copy.place, Copy.image)
    )
    first = dict[str, Wanted]()
    for row, site in session.execute(query):
        first.setdefault(site, key_of(row))
    return first


def job(session: Session, wanted: Wanted, rules: Rules) -> CopyJob | None:
    """What it takes to read the copy; None when it is not to be read (any more)."""
    row = copies.lock(session, wanted, shared=True)
    return copy_jobs.itself(session, row, rules) if row is not None and row.state is CopyState.USABLE else None


def verified(session: Session, wanted: Wanted, found: Content | None, why_not: str, now: datetime) -> None:
    """It was read, and this was ``found``; or it could not be read, and ``why_not``."""
    row = copies.lock(session, wanted)
    if row is None:
        return
    row.tried_at = utc(now)
    of = session.scalars(revision_of(wanted)).one()
    if found is None:
        text = f"{wanted} on {wanted.place}: {why_not}"
        audit.note(session, f"image-{row.image}", "vclab", "copy not verified", text, utc(now))
    elif found == Content(of.sha256, of.size):
        copies.found_right(session, wanted, now)
    else:
        copies.lost(session, wanted, _wrong(found), now)
    session.flush()


def replace_broken(session: Session, now: datetime) -> list[Wanted]:
    """Broken copies that vclab has made are to be deleted, if there is a good one and nobody needs them. What is to be
    there all the same is made again (``copies.gone``)."""
    made = sa.or_(Copy.verified_at.is_not(None), Copy.path != "")
    query = sa.select(Copy).where(Copy.state == CopyState.BROKEN, Copy.ours, made, ~copies.HAS_CHILD)
    replaced = []
    for row in session.scalars(query.order_by(Copy.place, Copy.image)).all():
        wanted = key_of(row)
        if has_source(session, wanted):
            with suppress(Refused, NotFound):
                copies.leave_use(session, wanted, now)
                what = f"{wanted} on {wanted.place}: there is a good one"
                audit.note(session, f"image-{row.image}", "vclab", "broken copy deleted", what, utc(now))
                replaced.append(wanted)
    return replaced


def broken(session: Session) -> list[tuple[Wanted, str]]:
    """The copies that are broken, and why."""
    query = sa.select(Copy).where(Copy.state == CopyState.BROKEN).order_by(Copy.image, Copy.revision, Copy.place)
    return [(key_of(row), row.why) for row in session.scalars(query)]


def _wrong(found: Content) -> str:
    return f"it has other bytes: SHA-256 {found.sha256}" if found.sha256 else "it is not there any more"
