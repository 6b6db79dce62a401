"""Removals: the only way in which records go, and the record of that."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.store.column_types import utc
from vclab.store.removal_tables import Kept, Removal


@contextmanager
def removing(
    session: Session, what: Kept, now: datetime, before: datetime | None = None, by: str = "", pseudonym: str = ""
) -> Iterator[Removal]:
    """Within it the audit's triggers let through what this kind of removal may do. Set ``rows`` of what is given.

    The row is open until the end, so nobody else ever sees it open. If nothing was removed, there is no record.
    """
    row = Removal(what=what, at=utc(now), before=before, by=by, pseudonym=pseudonym, ended_at=None)
    session.add(row)
    session.flush()
    yield row
    row.ended_at = utc(now)
    session.flush()


def newest(session: Session, limit: int = 100) -> list[Removal]:
    """The newest removals, oldest first."""
    return list(session.scalars(sa.select(Removal).order_by(Removal.id.desc()).limit(limit)))[::-1]


def of_intent(session: Session, intent: str) -> Removal | None:
    """What was removed because of that intent."""
    return session.scalar(sa.select(Removal).where(Removal.by == intent)) if intent else None
