"""Machines that carry our mark while nobody holds them."""

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
class Stray:
    """A machine of ours that nobody holds, and since when that is known."""

    endpoint: str
    name: str
    since: datetime


def strays(session: Session) -> list[Stray]:
    """Those that the reconciler's last round has seen, oldest first."""
    rows = session.scalars(sa.select(Orphan).order_by(Orphan.first_seen, Orphan.name))
    return [Stray(row.endpoint, row.name, row.first_seen) for row in rows]


def seen(
    session: Session, endpoint: str, machines: Sequence[MachineFacts], now: datetime
) -> list[tuple[MachineFacts, datetime]]:
    """Of the machines just seen on an endpoint, those that nobody holds and that are no spares, each with when that was
    first seen.

    ``machines`` must be all of the endpoint: what is not among them is forgotten.
    """
    open_tenures = sa.select(Tenure.computer, Tenure.generation).where(Tenure.released_at.is_(None))
    held = {(computer, generation) for computer, generation in session.execute(open_tenures)} | spares.machines(session)
    strays = {m.instance_uuid: m for m in machines if (m.computer, m.generation) not in held}
    if strays:
        handed_out = spares.handed_out(session)
        strays = {uuid: m for uuid, m in strays.items() if uuid not in handed_out}
    known = {row.instance_uuid: row for row in session.scalars(sa.select(Orphan).where(Orphan.endpoint == endpoint))}
    for gone in set(known) - set(strays):
        session.delete(known[gone])
    found = []
    for uuid, machine in strays.items():
        row = known.get(uuid)
        if row is None:
            row = Orphan(endpoint=endpoint, instance_uuid=uuid, name=machine.name, first_seen=utc(now))
            session.add(row)
        found.append((machine, row.first_seen))
    session.flush()
    return found
