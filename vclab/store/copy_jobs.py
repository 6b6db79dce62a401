"""What it takes to make, delete or read a copy of a revision."""

from dataclasses import replace

from sqlalchemy.orm import Session

from vclab.model.revisions import CopyJob, CopyState, RevisionRecord, Source, Wanted
from vclab.model.rules import Rules
from vclab.store import catalog, copies, revisions
from vclab.store.copy_sources import key_of, revision_of, source
from vclab.store.models import Copy, Repository


def job(session: Session, wanted: Wanted, rules: Rules) -> CopyJob | None:
    """What it takes to make the copy; None when it need not be made (any more). Raises ``NotFound`` when there is
    nothing that it could be made from."""
    row = copies.find(session, wanted)
    if row is None or row.state is not CopyState.COPYING:
        return None
    found = _job(session, wanted, source(session, wanted), rules)
    if wanted.place.endpoint:
        return found
    folder = session.get_one(Repository, wanted.place.storage).folder
    return replace(found, repository=folder, record=_record(session, row))


def leaving(session: Session, wanted: Wanted, rules: Rules) -> CopyJob | None:
    """What it takes to delete the copy; None when it is not to be deleted (any more)."""
    row = copies.find(session, wanted)
    if row is None or row.state is not CopyState.RETIRING:
        return None
    return itself(session, row, rules)


def itself(session: Session, row: Copy, rules: Rules) -> CopyJob:
    """A job that is about the copy itself: to delete it, or to read it."""
    revision = session.scalars(revision_of(row)).one()
    found = Source(sha256=revision.sha256, size=revision.size, at=key_of(row).place)
    if row.endpoint is None:
        found = replace(found, repository=session.get_one(Repository, row.storage).folder)
    else:
        found = replace(found, storage=row.storage, path=row.path)
    return _job(session, key_of(row), found, rules)


def _job(session: Session, wanted: Wanted, source: Source, rules: Rules) -> CopyJob:
    image = catalog.revision(session, wanted.image, wanted.revision)
    name = wanted.place.endpoint or (source.at.endpoint if source.at else "")
    endpoint = catalog.endpoint(session, name) if name else None
    site = endpoint.site if endpoint else session.get_one(Repository, wanted.place.storage).site
    return CopyJob(
        wanted=wanted,
        source=source,
        installation=rules.installation,
        module=endpoint.module if endpoint else "",
        site=site,
        disk_gb=image.disk_gb,
        image_data=image.module_data,
        rate=rules.library.rate,
    )


def _record(session: Session, row: Copy) -> RevisionRecord:
    """What is kept of its revision beside its bytes. When one was made that an administrator has put somewhere nobody
    knows: it counts from when it was wanted here."""
    origin = revisions.origin_of(session.scalars(revision_of(row)).one())
    image = catalog.revision(session, row.image, row.revision)
    return image.record(replace(origin, made_at=origin.made_at or row.since))
