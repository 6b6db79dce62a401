"""What each endpoint said last that it can hold: one row an endpoint, written by the activity that asked.

Workflows carry where an answer is (``Answered``), for an answer can be larger than a message may be. An endpoint's
epoch goes up by one whenever its entry is changed: what was asked of it before is not believed any more.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from vclab.model.inventory import Answered, Inventory
from vclab.store import models
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of, insert

_table = models.Inventory.metadata.tables[models.Inventory.__tablename__]
_JSON = TypeAdapter(Inventory)


def epochs(session: Session) -> dict[str, int]:
    """The epoch of each endpoint that has one; the others are in epoch 0."""
    return {row.endpoint: row.epoch for row in session.execute(sa.select(_table.c.endpoint, _table.c.epoch))}


def renew(session: Session, endpoint: str) -> None:
    """Begin an endpoint's next epoch: its entry was changed, and what it said is forgotten."""
    new = insert(dialect_of(session), _table).values(endpoint=endpoint, epoch=1)
    nothing = {"epoch": _table.c.epoch + 1, "taken_at": None, "answer": None}
    session.execute(new.on_conflict_do_update(index_elements=[_table.c.endpoint], set_=nothing))


def keep(session: Session, inventory: Inventory, epoch: int) -> bool:
    """Keep an answer in place of the one before, unless that is newer. False: the endpoint is in another epoch now."""
    answer = _JSON.dump_json(inventory).decode()
    line = {"endpoint": inventory.endpoint, "epoch": epoch, "taken_at": utc(inventory.taken_at), "answer": answer}
    new = insert(dialect_of(session), _table).values(line)
    old, said = _table.c, new.excluded
    newer = sa.or_(old.taken_at.is_(None), old.taken_at <= said.taken_at)
    session.execute(
        new.on_conflict_do_update(
            index_elements=[old.endpoint],
            set_={"taken_at": said.taken_at, "answer": said.answer},
            where=sa.and_(old.epoch == said.epoch, newer),
        )
    )
    return session.scalar(sa.select(old.epoch).where(old.endpoint == inventory.endpoint)) == epoch


def read(session: Session, answers: Sequence[Answered], now: datetime) -> tuple[Inventory, ...]:
    """The answers themselves, or newer ones of the same epoch. One that is not believed any more says why."""
    wanted = [answered.endpoint for answered in answers if not answered.error]
    rows = session.execute(sa.select(_table).where(_table.c.endpoint.in_(wanted))) if wanted else ()
    kept = {row.endpoint: row for row in rows}
    return tuple(_read(answered, kept.get(answered.endpoint), now) for answered in answers)


def _read(answered: Answered, row: sa.Row[*tuple[Any, ...]] | None, now: datetime) -> Inventory:
    error = answered.error
    if not error and (row is None or row.epoch != answered.epoch or row.answer is None):
        error = "it was changed after it was asked; try again"
    return Inventory(answered.endpoint, now, error=error) if error or row is None else _JSON.validate_json(row.answer)
