"""Fences: which attempt of which activity works on a held computer. An older one that still runs is refused.

An attempt begins by a write, and asks before each destructive call. Reservations, computers, claims and tenures are
not written here: this is the only table that hardware activities write themselves.
"""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.attempts import ActivityAttempt
from vclab.model.errors import Fenced
from vclab.store import tenures
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of, insert
from vclab.store.models import Fence, Tenure

_table = Fence.metadata.tables[Fence.__tablename__]
_tenure = Tenure.metadata.tables[Tenure.__tablename__]
_COLUMNS = [column.name for column in _table.columns]
_GIVEN = [sa.bindparam(name, type_=_table.c[name].type) for name in _COLUMNS]
_held = sa.and_(_tenure.c.computer == sa.bindparam("computer"), _tenure.c.released_at.is_(None))


@cache
def _begin(dialect: str) -> Any:
    """One statement: the tenure holds the computer, no newer attempt has begun, and this one begins."""
    held = sa.select(*_GIVEN).select_from(_tenure).where(_held, _tenure.c.generation == sa.bindparam("generation"))
    statement, old = insert(dialect, _table).from_select(_COLUMNS, held), _table.c
    new = statement.excluded
    later = sa.or_(old.activity < new.activity, sa.and_(old.activity == new.activity, old.attempt <= new.attempt))
    return statement.on_conflict_do_update(
        index_elements=[old.computer],
        set_={name: new[name] for name in _COLUMNS[1:]},
        where=sa.or_(
            old.generation != new.generation,
            sa.and_(old.run == new.run, later),
            sa.and_(old.run != new.run, old.scheduled_at <= new.scheduled_at),
        ),
    )


_NOW = sa.select(
    _tenure.c.holder, _tenure.c.generation, *(_table.c[name] for name in _COLUMNS[2:])
).select_from(
    _tenure.outerjoin(
        _table, sa.and_(_table.c.computer == _tenure.c.computer, _table.c.generation == _tenure.c.generation)
    )
).where(_held)  # fmt: skip


def begin(session: Session, computer: str, generation: int, attempt: ActivityAttempt) -> None:
    """An attempt begins to work on a computer: all older ones are refused from now on.

    Raises ``Fenced`` when the generation does not hold the computer, or a newer attempt has begun.
    """
    line = {
        "computer": computer,
        "generation": generation,
        "run": attempt.run,
        "activity": attempt.activity,
        "attempt": attempt.attempt,
        "scheduled_at": utc(attempt.scheduled_at),
        "name": attempt.name,
    }
    begun = session.execute(_begin(dialect_of(session)), line)
    if begun.rowcount != 1:  # type: ignore[attr-defined]
        check(session, computer, generation, attempt)


def check(session: Session, computer: str, generation: int, attempt: ActivityAttempt | None) -> None:
    """Raise ``Fenced`` unless this generation holds the computer, and no newer attempt has begun."""
    now = session.execute(_NOW, {"computer": computer}).first()
    tenures.refuse_unless_held(computer, generation, now)
    if attempt is None or now is None or now.run is None:
        return
    newest = ActivityAttempt(now.run, now.activity, now.attempt, now.scheduled_at, now.name)
    if attempt.overtaken_by(newest):
        raise Fenced(f"{computer} is worked on by {newest}; this is {attempt}, which is older")
