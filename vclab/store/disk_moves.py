"""Machines' disks that somebody has moved, or made whole: a storage migration makes a disk without parent of a child.

What is there is recorded. Room is claimed where the disk takes it, and a copy is not kept for a disk that needs none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.inventory import MachineFacts, PoolKind
from vclab.store import audit, children, claims, locks, spares
from vclab.store.column_types import utc
from vclab.store.models import Claim, DiskChild, Pool, Reservation, Spare, Tenure

_Key = tuple[str, int]
"""Computer and generation."""


@dataclass(frozen=True)
class _Recorded:
    """What the rows say of a machine's disk."""

    holder: str  #: of its claims
    pool: str  #: in which its room is claimed; empty: in none, or in two while a load goes elsewhere
    is_child: bool  #: a copy is kept for it

    def is_elsewhere(self, machine: MachineFacts) -> bool:
        """Whether the machine's disk is on another datastore than the rows say."""
        return bool(machine.storage and self.pool) and self.pool != _pool(machine)

    def is_whole(self, machine: MachineFacts) -> bool:
        """Whether the machine's disk has no parent, but the rows say so."""
        return bool(machine.storage) and self.is_child and not machine.parent


def suspects(session: Session, machines: Sequence[MachineFacts]) -> list[MachineFacts]:
    """The machines of one endpoint whose disks are not where, or not what, the rows say. Nothing is locked."""
    if not machines:
        return []
    recorded = _recorded(session, machines[0].endpoint)
    known = [(each, row) for each in machines if (row := recorded.get(_key(each))) is not None]
    return [each for each, row in known if row.is_elsewhere(each) or row.is_whole(each)]


def record(session: Session, machine: MachineFacts, now: datetime) -> str:
    """Record where, and what, the machine's disk is. Returns what is new, in words; empty: nothing is, any more.

    It is there, so it is recorded where there is no room, too. A spare that somebody has moved is given up.
    """
    row = _recorded(session, machine.endpoint, machine.computer).get(_key(machine))
    if row is None or not _lock(session, machine, row):
        return ""
    moved, whole = row.is_elsewhere(machine), row.is_whole(machine)
    if moved:
        claims.carry(session, row.holder, row.pool, _pool(machine))
    if whole:
        children.forget(session, machine.computer, machine.generation, machine.endpoint)
    if not (moved or whole):
        return ""
    _give_up_spare(session, machine, now)
    text = _words(machine, row.pool, moved, whole)
    audit.note(session, row.holder, "vclab", "disk moved" if moved else "disk made whole", text, now)
    return text


# Inside.


def _key(machine: MachineFacts) -> _Key:
    return machine.computer, machine.generation


def _pool(machine: MachineFacts) -> str:
    return claims.datastore_pool(machine.endpoint, machine.storage)


def _words(machine: MachineFacts, pool: str, moved: bool, whole: bool) -> str:
    if not moved:
        return f"{machine.computer}'s disk was made a whole disk by somebody: it needs no copy any more"
    was = pool.removeprefix(_prefix(machine.endpoint))
    text = f"{machine.computer}'s disk was moved from {was} to {machine.storage} by somebody"
    return f"{text}, and is a whole disk now" if whole else text


def _lock(session: Session, machine: MachineFacts, row: _Recorded) -> bool:
    """Lock what is to change, in the order of ``locks``. False: it has changed meanwhile, or nothing is known of its
    datastore yet; the next round looks again."""
    if not row.holder.startswith(spares.holder_of("")):
        locks.reservation(session, row.holder)
    locked = claims.lock_pools(session, {_pool(machine), row.pool} - {""})
    locks.computer(session, machine.computer)
    return _pool(machine) in locked and _recorded(session, machine.endpoint, machine.computer).get(_key(machine)) == row


def _give_up_spare(session: Session, machine: MachineFacts, now: datetime) -> None:
    mine = sa.and_(Spare.computer == machine.computer, Spare.generation == machine.generation, Spare.removal == 0)
    session.execute(sa.update(Spare).where(mine, Spare.until > utc(now)).values(until=utc(now)))
    session.expire_all()


def _prefix(endpoint: str) -> str:
    return claims.datastore_pool(endpoint, "")


def _recorded(session: Session, endpoint: str, computer: str = "") -> dict[_Key, _Recorded]:
    """What is known of the disks of the endpoint's machines that are loaded: those of reservations, and spares."""
    pools = _pools(session, endpoint)
    made, unlinked = _children(session, endpoint), _unlinked(session, endpoint)
    found = {}
    for name, generation, holder, target in _machines(session, endpoint, computer):
        claimed = pools.get(holder, set())
        pool = next(iter(claimed)) if len(claimed) == 1 else ""
        copied = target.get("dedicated", False) or pool in unlinked
        is_child = not copied and any(g <= generation for g in made.get(name, ()))
        found[name, generation] = _Recorded(holder, pool, is_child)
    return found


def _machines(session: Session, endpoint: str, computer: str) -> list[tuple[str, int, str, dict[str, Any]]]:
    """Computer, generation, holder of the claims, and target."""
    held = (
        sa.select(Tenure.computer, Tenure.generation, Reservation.id, Reservation.target)
        .join(Reservation, sa.and_(Reservation.id == Tenure.holder, Reservation.computer == Tenure.computer))
        .where(Tenure.released_at.is_(None), Tenure.generation == Reservation.generation)
        .where(Reservation.endpoint == endpoint, Reservation.ready_at.is_not(None))
    )
    kept = sa.select(Spare.computer, Spare.generation, Spare.target)
    kept = kept.where(Spare.endpoint == endpoint, Spare.removal == 0)
    if computer:
        held, kept = held.where(Tenure.computer == computer), kept.where(Spare.computer == computer)
    found = [(name, generation, holder, target) for name, generation, holder, target in session.execute(held)]
    return found + [(name, number, spares.holder_of(name), target) for name, number, target in session.execute(kept)]


def _pools(session: Session, endpoint: str) -> dict[str, set[str]]:
    """By holder, the datastores' pools of which it claims room."""
    here = Claim.pool.startswith(_prefix(endpoint), autoescape=True)
    found: dict[str, set[str]] = {}
    for holder, pool in session.execute(sa.select(Claim.holder, Claim.pool).where(Claim.released.is_(False), here)):
        found.setdefault(holder, set()).add(str(pool))
    return found


def _children(session: Session, endpoint: str) -> dict[str, list[int]]:
    """By computer, the generations whose disks copies are kept for."""
    here = DiskChild.place.startswith(_prefix(endpoint), autoescape=True)
    found: dict[str, list[int]] = {}
    for computer, generation in session.execute(sa.select(DiskChild.computer, DiskChild.generation).where(here)):
        found.setdefault(computer, []).append(generation)
    return found


def _unlinked(session: Session, endpoint: str) -> set[str]:
    """The pools of datastores on which each disk is a copy."""
    mine = sa.and_(Pool.endpoint == endpoint, Pool.kind == PoolKind.DATASTORE, Pool.linked.is_(False))
    return set(session.scalars(sa.select(Pool.name).where(mine)))
