"""Orphaned machines: they carry our mark, and nobody holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.inventory import MachineFacts
from vclab.store import spares
from vclab.store.column_types import utc
from vclab.store.models import Orphan, Tenure


@dataclass(frozen=True)
class OrphanedMachine:
    """An orphaned machine, and when it was first seen."""

    endpoint: str
    name: str
    since: datetime


@dataclass(frozen=True)
class Orphaned:
    """A machine that nobody holds."""

    machine: MachineFacts
    since: datetime  #: when it was first seen so
    seconds: float  #: for which it was looked at since then, whichever workers did


def listed(session: Session) -> list[OrphanedMachine]:
    """The orphaned machines of the reconciler's last round, oldest first."""
    rows = session.scalars(sa.select(Orphan).order_by(Orphan.first_seen, Orphan.name))
    return [OrphanedMachine(row.endpoint, row.name, row.first_seen) for row in rows]


def seen(
    session: Session, endpoint: str, machines: Sequence[MachineFacts], now: datetime, longest: float
) -> list[Orphaned]:
    """The orphaned ones among the machines of an endpoint. Spares are no orphans.

    ``machines`` must be all machines of the endpoint: the others are forgotten. Of the time since the last look at most
    ``longest`` seconds count: neither a clock that jumps nor a night without a worker ends a machine's grace.
    """
    open_tenures = sa.select(Tenure.computer, Tenure.generation).where(Tenure.released_at.is_(None))
    held = {(computer, generation) for computer, generation in session.execute(open_tenures)} | spares.machines(session)
    orphaned = {m.instance_uuid: m for m in machines if (m.computer, m.generation) not in held}
    if orphaned:
        handed_out = spares.handed_out(session)
        orphaned = {uuid: m for uuid, m in orphaned.items() if uuid not in handed_out}
    known = {row.instance_uuid: row for row in session.scalars(sa.select(Orphan).where(Orphan.endpoint == endpoint))}
    for gone in set(known) - set(orphaned):
        session.delete(known[gone])
    found = []
    for uuid, machine in orphaned.items():
        row = known.get(uuid)
        if row is None:
            row = Orphan(endpoint=endpoint, instance_uuid=uuid, name=machine.name, first_seen=utc(now), seconds=0.0)
            session.add(row)
        else:
            row.seconds += min(max((now - row.last_seen).total_seconds(), 0.0), longest)
        row.last_seen = utc(now)
        found.append(Orphaned(machine, row.first_seen, row.seconds))
    session.flush()
    return found
