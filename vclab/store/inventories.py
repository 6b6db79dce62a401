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

from vclab.model.inventory import Answered, DatastoreFacts, Inventory
from vclab.store import audit, models
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
    """Keep an answer in place of the one before, unless that is newer. False: the endpoint is in another epoch now.

    A datastore that has filled since the answer before is noted in the audit.
    """
    _note_filled(session, inventory, epoch)
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


def taken(session: Session) -> dict[str, datetime]:
    """When each endpoint answered last; without those that have not in their present epoch."""
    rows = session.execute(sa.select(_table.c.endpoint, _table.c.taken_at).where(_table.c.taken_at.is_not(None)))
    return {row.endpoint: row.taken_at for row in rows}


def filled(session: Session) -> list[tuple[str, DatastoreFacts]]:
    """The datastores that have filled, each with its endpoint, as the endpoints said last."""
    endpoint = models.Endpoint
    said = sa.select(_table.c.answer).join(endpoint, endpoint.name == _table.c.endpoint)
    said = said.where(_table.c.answer.is_not(None), endpoint.removed_at.is_(None)).order_by(_table.c.endpoint)
    known = (_JSON.validate_json(answer) for answer in session.scalars(said))
    return [(each.endpoint, store) for each in known for store in each.datastores if store.filled]


def read(session: Session, answers: Sequence[Answered], now: datetime) -> tuple[Inventory, ...]:
    """The answers themselves, or newer ones of the same epoch. One that is not believed any more says why."""
    wanted = [answered.endpoint for answered in answers if not answered.error]
    rows = session.execute(sa.select(_table).where(_table.c.endpoint.in_(wanted))) if wanted else ()
    kept = {row.endpoint: row for row in rows}
    return tuple(_read(answered, kept.get(answered.endpoint), now) for answered in answers)


def _note_filled(session: Session, inventory: Inventory, epoch: int) -> None:
    """The row is locked: of many that ask at one moment, one notes it."""
    now_filled = [store for store in inventory.datastores if store.filled]
    if not now_filled:
        return
    query = sa.select(_table).where(_table.c.endpoint == inventory.endpoint).with_for_update()
    row = session.execute(query).first()
    if row is not None and (row.epoch != epoch or (row.taken_at and row.taken_at > inventory.taken_at)):
        return  # this answer is not kept
    before = _JSON.validate_json(row.answer).datastores if row is not None and row.answer else ()
    known = {store.name for store in before if store.filled}
    for store in now_filled:
        if store.name not in known:
            what = f"{store.name}: {store.why_not}"
            audit.note(session, f"endpoint-{inventory.endpoint}", "vclab", "datastore filled", what, inventory.taken_at)


def _read(answered: Answered, row: sa.Row[*tuple[Any, ...]] | None, now: datetime) -> Inventory:
    error = answered.error
    if not error and (row is None or row.epoch != answered.epoch or row.answer is None):
        error = "it was changed after it was asked; try again"
    return Inventory(answered.endpoint, now, error=error) if error or row is None else _JSON.validate_json(row.answer)
