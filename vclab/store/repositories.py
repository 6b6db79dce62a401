"""Repositories: folders that the workers of a site reach, and the revisions that are kept in them."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.errors import NotFound, Refused
from vclab.model.revisions import CopyState, Place
from vclab.store.column_types import utc
from vclab.store.models import Copy, Repository


@dataclass(frozen=True)
class RepositoryFacts:
    """A repository's entry."""

    name: str
    site: str
    folder: str


def put(session: Session, repository: RepositoryFacts, now: datetime) -> None:
    """Add a repository. Raises ``Refused`` when its name or folder is another one's."""
    for row in session.scalars(sa.select(Repository)):
        same = RepositoryFacts(row.name, row.site, row.folder)
        if same == repository:
            return
        if row.name == repository.name:
            raise Refused(f"the repository {row.name} exists, in {row.folder} of the site {row.site}")
        if row.folder == repository.folder and row.site == repository.site:
            raise Refused(f"{row.folder} is the repository {row.name}")
    session.add(Repository(**repository.__dict__, added_at=utc(now)))
    session.flush()


def all_of_them(session: Session) -> list[RepositoryFacts]:
    """All repositories, by name."""
    query = sa.select(Repository).order_by(Repository.name)
    return [RepositoryFacts(row.name, row.site, row.folder) for row in session.scalars(query)]


def at(session: Session, site: str, folder: str) -> RepositoryFacts:
    """That of a site in a folder. Raises ``NotFound``."""
    for each in all_of_them(session):
        if (each.site, each.folder) == (site, folder):
            return each
    raise NotFound(f"the site {site} has no repository in {folder}")


def folders_with(session: Session, image: str, revision: int, site: str) -> list[str]:
    """The folders of the site's repositories that have the revision, by the repositories' names."""
    here = sa.and_(Copy.endpoint.is_(None), Copy.storage == Repository.name, Copy.state == CopyState.USABLE)
    wanted = Copy.image == image, Copy.revision == revision, Repository.site == site
    return list(session.scalars(sa.select(Repository.folder).join(Copy, here).where(*wanted).order_by(Repository.name)))


def contents(session: Session, name: str) -> dict[tuple[str, int], CopyState]:
    """The revisions that it is recorded to hold, by image and number."""
    query = sa.select(Copy.image, Copy.revision, Copy.state).where(Copy.place == Place("", name).name)
    return {(image, revision): state for image, revision, state in session.execute(query)}


def holds(session: Session, name: str, image: str, revision: int, now: datetime, why_broken: str = "") -> None:
    """It holds the revision, whose bytes were read just now; or it is broken there. What is being deleted stays so, and
    what is still to come is not broken."""
    key = {"image": image, "revision": revision, "place": Place("", name).name}
    row = session.get(Copy, key) or Copy(**key, endpoint=None, storage=name, ours=True, since=utc(now))
    if row.state is CopyState.RETIRING or (row.state is CopyState.COPYING and why_broken):
        return
    state = CopyState.BROKEN if why_broken else CopyState.USABLE
    row.since = row.since if row.state is state else utc(now)
    row.state, row.why, row.seen_at = state, why_broken, utc(now)
    if not why_broken:
        row.verified_at = utc(now)
    session.add(row)
    session.flush()
