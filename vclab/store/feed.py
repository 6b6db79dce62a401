"""The feed: what has changed, in an order that loses nothing to a reader who goes on from a number.

- **Rows** are written by triggers of the tables, in the transaction of the change: no writer can forget it.
- **Numbers** are given after the commit, by whoever reads first (``advance``), one transaction at a time. So what is
  committed later has a higher number, whenever it began, and what was rolled back has none. Changes of one thing keep
  their order: a row's second change waits for the commit of the first.

Why not by the transaction's own id, up to the oldest that is still open: one forgotten transaction, of anybody on that
PostgreSQL, would hold back everybody's news, and a dump that is restored elsewhere would begin to count anew. Why no
lock when the row is written: it would make all writers wait for each other. Why no NOTIFY: polling would be
needed beside it, and whether there is news costs one look into an empty index.
"""

import itertools
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.store.column_types import utc
from vclab.store.engine import Store
from vclab.store.feed_tables import Change as Row
from vclab.store.feed_tables import FeedState
from vclab.store.models import Reservation

BATCH = 1000
"""Changes that are numbered, or read, at one time."""

_feed = Row.metadata.tables[Row.__tablename__]
_state = FeedState.metadata.tables[FeedState.__tablename__]
_LOCKED = sa.select(_state.c.last).with_for_update()
_UNNUMBERED = sa.select(sa.exists().where(_feed.c.number.is_(None)))
_NEXT = (
    sa.select(_feed.c.id, sa.func.row_number().over(order_by=_feed.c.id).label("position"))
    .where(_feed.c.number.is_(None))
    .order_by(_feed.c.id)
    .limit(BATCH)
    .subquery()
)
_GIVE = (
    sa.update(_feed)
    .where(_feed.c.id == _NEXT.c.id)
    .values(number=sa.bindparam("last", type_=sa.BigInteger) + _NEXT.c.position)
)
_of = Reservation.metadata.tables[Reservation.__tablename__]
_AFTER = (
    sa.select(_feed.c.number, _feed.c.kind, _feed.c.thing, _feed.c.owner, _of.c.image, _of.c.computer, _of.c.endpoint)
    .outerjoin(_of, sa.and_(_feed.c.kind == "reservation", _of.c.id == _feed.c.thing))
    .where(_feed.c.number > sa.bindparam("cursor"))
    .order_by(_feed.c.number)
    .limit(BATCH)
)


@dataclass(frozen=True)
class Change:
    """A thing has changed."""

    number: int  #: the cursor of a reader who has seen this, and the revision of the thing
    kind: str
    thing: str
    owner: str  #: whose it is; empty: nobody's
    image: str | None = None  #: of a reservation, as it is now; it may be gone
    computer: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True)
class Bounds:
    """From where to where the feed can be read."""

    pruned: int  #: up to this number all are gone
    last: int  #: the newest number

    def reach(self, cursor: int) -> bool:
        """Whether nothing after the cursor is lost. One beyond the end is of a database that was put back since."""
        return self.pruned <= cursor <= self.last


def bounds(session: Session) -> Bounds:
    """From where to where it can be read now."""
    row = session.execute(sa.select(_state.c.pruned, _state.c.last)).one()
    return Bounds(row.pruned, row.last)


def after(session: Session, cursor: int) -> list[Change]:
    """The next changes after that number, at most ``BATCH``, in order."""
    return [Change(*row) for row in session.execute(_AFTER, {"cursor": cursor})]


def end(store: Store) -> int:
    """The newest number, once all that was committed by now has one. Raises ``Unreachable``."""
    while _is_unnumbered(store):
        store.run(number)
    with store.read() as session:
        return bounds(session).last


def advance(store: Store, cursor: int) -> list[Change]:
    """Number what was committed, and read what comes after the cursor. Raises ``Unreachable``.

    While there is no news this reads two indexes, and writes nothing. A number that somebody has seen must outlast a
    power cut, so PostgreSQL's disk is waited for.
    """
    if _is_unnumbered(store):
        store.run(number)
    with store.read() as session:
        return after(session, cursor)


def _is_unnumbered(store: Store) -> bool:
    with store.read() as session:
        return bool(session.scalar(_UNNUMBERED))


def number(session: Session) -> int:
    """Number the oldest ``BATCH`` of those that are committed and have no number; how many that were."""
    last = session.scalar(_LOCKED)
    given: int = session.connection().execute(_GIVE, {"last": last}).rowcount
    session.execute(sa.update(_state).values(last=_state.c.last + given))
    return given


def prune(session: Session, before: datetime, limit: int = BATCH) -> int:
    """Delete up to ``limit`` of the oldest changes before that time; how many that were.

    They are numbered first, and in order: so a cursor that has missed one is seen to be too old.
    """
    while number(session) == BATCH:
        pass
    oldest = sa.select(_feed.c.number, _feed.c.at).order_by(_feed.c.number).limit(limit)
    rows = itertools.takewhile(lambda row: row.at < utc(before), session.execute(oldest).all())
    numbers = [row.number for row in rows]
    if numbers:
        session.execute(sa.delete(_feed).where(_feed.c.number <= numbers[-1]))
        session.execute(sa.update(_state).values(pruned=numbers[-1]))
    return len(numbers)
