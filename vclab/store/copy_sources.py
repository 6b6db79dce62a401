"""Where a copy of a revision can be made from: another copy, on the same endpoint or in a repository."""

from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.errors import NotFound
from vclab.model.revisions import CopyState, Place, Source, Wanted
from vclab.store import catalog
from vclab.store.models import Copy, Endpoint, Repository, Revision


def key_of(row: Copy) -> Wanted:
    """Which copy a row is of."""
    return Wanted(row.image, row.revision, Place(row.endpoint or "", row.storage))


def revision_of(copy: Copy | Wanted) -> sa.Select[Revision]:
    """The row of a copy's revision."""
    return sa.select(Revision).where(Revision.image == copy.image, Revision.number == copy.revision)


def has_source(session: Session, wanted: Wanted) -> bool:
    """Whether there is a copy that this one can be made from."""
    with suppress(NotFound):
        return bool(source(session, wanted))
    return False


def source(session: Session, wanted: Wanted) -> Source:
    """Where it can be made from. Raises ``NotFound``."""
    usable = sa.and_(Copy.image == wanted.image, Copy.revision == wanted.revision, Copy.state == CopyState.USABLE)
    if wanted.place.endpoint:
        return _source_for_endpoint(session, wanted, usable)
    return _source_for_repository(session, wanted, usable)


def _source_for_repository(session: Session, wanted: Wanted, usable: sa.ColumnElement[bool]) -> Source:
    """A copy on an endpoint of its site: one that vclab has made, before others."""
    site = session.get_one(Repository, wanted.place.storage).site
    query = sa.select(Copy).join(Endpoint, Endpoint.name == Copy.endpoint).where(usable, Endpoint.site == site)
    order = Endpoint.disabled_at.is_not(None), Copy.ours.desc(), Copy.place
    found = session.scalars(query.order_by(*order)).first()
    if found is None:
        text = f"no copy of {wanted} that can be read is on an endpoint of the site {site}, of which {wanted.place} is"
        others = list(session.scalars(sa.select(Copy).where(usable).order_by(Copy.place)))
        elsewhere = ", ".join(str(key_of(row).place) for row in others)
        only = "a repository is filled from datastores of its own site only"
        raise NotFound(text, f"it is on {elsewhere}; {only}" if elsewhere else "`vclab image check` looks for it")
    revision = session.scalars(revision_of(found)).one()
    at = key_of(found).place
    return Source(path=found.path, storage=found.storage, sha256=revision.sha256, size=revision.size, at=at)


def _source_for_endpoint(session: Session, wanted: Wanted, usable: sa.ColumnElement[bool]) -> Source:
    """A copy on the same endpoint, else one in a repository of its site."""
    endpoint = catalog.endpoint(session, wanted.place.endpoint)
    query = sa.select(Copy).where(usable, Copy.endpoint == endpoint.name).order_by(Copy.ours.desc(), Copy.storage)
    if (there := session.scalars(query).first()) is not None:
        return Source(path=there.path, storage=there.storage, at=key_of(there).place)
    kept = (
        sa.select(Repository.name, Repository.folder, Revision.sha256, Revision.size)
        .join(Copy, sa.and_(Copy.endpoint.is_(None), Copy.storage == Repository.name))
        .join(Revision, sa.and_(Revision.image == Copy.image, Revision.number == Copy.revision))
        .where(usable, Repository.site == endpoint.site)
    )
    found = session.execute(kept.order_by(Repository.name)).first()
    if found is None:
        raise NotFound(f"no copy of {wanted} is left that {wanted.place} could be given one from")
    at = Place("", found.name)
    return Source(repository=found.folder, sha256=found.sha256, size=found.size, at=at)
