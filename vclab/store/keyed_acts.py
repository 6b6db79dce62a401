"""Acts that were asked for with a key: each is done once, and its first answer is kept for a day.

Whichever server does it, and however often one was killed at it, the act has the same intent, and a reservation that it
makes the same id. So doing it again changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.store.api_tables import KeyedAct
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of, insert

KEPT = timedelta(hours=24)
HELD = timedelta(seconds=20)
"""A server that has said nothing for so long does not do it any more."""


@dataclass(frozen=True)
class Keyed:
    """An act with a key, as it stands."""

    asked: str
    intent: str
    reservation: str
    status: int  #: 0: there is no answer yet
    answer: str
    mine: bool  #: whoever asked is to do it now


def begin(session: Session, actor: str, key: str, fresh: Keyed, now: datetime) -> Keyed:
    """Take the act, unless somebody has it or it is done. ``fresh``: as it is if the key is new."""
    session.execute(sa.delete(KeyedAct).where(_is(actor, key), KeyedAct.began_at < utc(now) - KEPT))
    values = {"asked": fresh.asked, "intent": fresh.intent, "reservation": fresh.reservation}
    new = insert(dialect_of(session), KeyedAct.__table__).values(  # type: ignore[arg-type]
        actor=actor, key=key, **values, began_at=utc(now), status=0, answer=""
    )
    session.execute(new.on_conflict_do_nothing())
    row = session.scalars(sa.select(KeyedAct).where(_is(actor, key)).with_for_update()).one()
    free = not row.status and (row.held_until is None or row.held_until <= utc(now))
    mine = free and row.asked == fresh.asked
    if mine:
        row.held_until = utc(now) + HELD
    return Keyed(row.asked, row.intent, row.reservation, row.status, row.answer, mine)


def hold(session: Session, actor: str, key: str, now: datetime) -> None:
    """Whoever does it is still at it."""
    _change(session, actor, key, held_until=utc(now) + HELD)


def let_go(session: Session, actor: str, key: str) -> None:
    """It has no answer that is worth keeping: whoever asks again has it done again."""
    _change(session, actor, key, held_until=None)


def answer(session: Session, actor: str, key: str, status: int, text: str) -> None:
    """Keep the answer. The first one stays."""
    _change(session, actor, key, status=status, answer=text, held_until=None)


def forget(session: Session, now: datetime) -> int:
    """Delete those that are older than a day; how many."""
    gone = session.execute(sa.delete(KeyedAct).where(KeyedAct.began_at < utc(now) - KEPT).returning(KeyedAct.key))
    return len(gone.all())


def _change(session: Session, actor: str, key: str, **values: object) -> None:
    session.execute(sa.update(KeyedAct).where(_is(actor, key), KeyedAct.status == 0).values(**values))


def _is(actor: str, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(KeyedAct.actor == actor, KeyedAct.key == key)
