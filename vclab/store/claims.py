"""Claims: promises about time. Two claims of one computer never overlap, and no pool is promised beyond its limits.

The database itself refuses an overlap. Before amounts of pools are added up, the pools' rows are locked in the order of
their names; before a computer is claimed or its claim moves, its row is locked: two that wait for each other's claim
would be broken off by PostgreSQL. SQLite has only one writer anyway.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from vclab.model.errors import NotFound, Refused
from vclab.model.inventory import Amounts
from vclab.placement import Booking, first_shortage
from vclab.store import locks
from vclab.store.column_types import utc
from vclab.store.models import Claim, Pool

OVERLAP = "claims_computer_overlap"
"""The name of the exclusion constraint on PostgreSQL, and the message of the triggers on SQLite."""

_AMOUNTS = (Claim.cpus, Claim.memory_mb, Claim.disk_gb)
_FEW = 20  # pools that are looked up by name; for more of them, the claims of all pools are read at once
_SUMS = (
    sa.select(Claim.pool, *(sa.func.sum(amount) for amount in _AMOUNTS))
    .where(
        Claim.pool.is_not(None),
        Claim.released.is_(False),
        Claim.starts < sa.bindparam("until"),
        Claim.ends > sa.bindparam("since"),
    )
    .group_by(Claim.pool)
)
_SUMS_OF = _SUMS.where(Claim.pool.in_(sa.bindparam("names", expanding=True)))
_ADD = sa.insert(Claim.metadata.tables[Claim.__tablename__])
_LOCKED_POOLS = (
    sa.select(Pool)
    .where(Pool.name.in_(sa.bindparam("names", expanding=True)))
    .order_by(Pool.name)
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)


class ClaimHeld(Refused):
    """The computer is promised to another reservation at that time."""

    def __init__(self, computer: str, holder: str, until: datetime) -> None:
        super().__init__(f"{computer} is promised to {holder} until {until:%Y-%m-%d %H:%M} UTC")
        self.computer, self.holder, self.until = computer, holder, until


class NoRoom(Refused):
    """The pool does not hold the amounts at some instant of that time."""

    def __init__(self, pool: str, at: datetime, lacks: tuple[str, ...]) -> None:
        super().__init__(f"{pool} has no room at {at:%Y-%m-%d %H:%M} UTC: {', '.join(lacks)}")
        self.pool, self.at, self.lacks = pool, at, lacks


def host_pool(endpoint: str, host: str) -> str:
    """The name of a host's pool of CPUs and memory."""
    return f"{endpoint}/host/{host}"


def datastore_pool(endpoint: str, datastore: str) -> str:
    """The name of a datastore's pool of disk space."""
    return f"{endpoint}/datastore/{datastore}"


def claim_computer(session: Session, computer: str, holder: str, starts: datetime, ends: datetime) -> None:
    """Promise a computer during [starts, ends). Raises ``ClaimHeld`` when the database refuses."""
    locks.computer(session, computer)
    claim = Claim(computer=computer, holder=holder, starts=utc(starts), ends=utc(ends))
    try:
        with session.begin_nested():
            session.add(claim)
    except IntegrityError as error:
        raise _refusal(session, error, computer, holder, starts, ends) from None


def claim_pools(
    session: Session,
    holder: str,
    starts: datetime,
    ends: datetime,
    wanted: Mapping[str, Amounts],
    spare: bool = False,
) -> None:
    """Promise amounts of pools during [starts, ends). Raises ``NoRoom``, and then nothing is promised.

    ``spare``: the holder is a spare, which makes way for others.
    """
    starts, ends = utc(starts), utc(ends)
    pools = lock_pools(session, wanted)
    for name in sorted(set(wanted) - set(pools)):
        raise NotFound(f"there is no pool {name}")
    most = at_most(session, pools, starts, ends)
    if any(first_shortage(most[name], _amounts(pool), wanted[name], starts, ends) for name, pool in pools.items()):
        promised = bookings(session, pools, starts, ends)
        for name, pool in pools.items():
            _must_fit(pool, promised[name], wanted[name], starts, ends)
    claim = {"holder": holder, "starts": starts, "ends": ends, "spare": spare}
    rows = [{"pool": name, **claim, **asdict(amounts)} for name, amounts in sorted(wanted.items())]
    if rows:
        session.execute(_ADD, rows)


def move_end(session: Session, holder: str, ends: datetime) -> None:
    """Move the end of all of the holder's claims. Raises ``ClaimHeld`` or ``NoRoom``; then nothing changed.

    An earlier end always succeeds. ``ValueError``: a claim begins later than ``ends``.
    """
    ends = utc(ends)
    claims = of(session, holder)
    pools = lock_pools(session, [claim.pool for claim in claims if claim.pool])
    for claim in claims:
        if claim.starts >= ends:
            raise ValueError("a claim can't end before it starts")
        if claim.pool and ends > claim.ends:
            promised = bookings(session, [claim.pool], claim.ends, ends, but=holder)
            _must_fit(pools[claim.pool], promised[claim.pool], _amounts(claim), claim.ends, ends)
    _rewrite(session, holder, claims, None, ends)


def transfer(session: Session, holder: str, starts: datetime, ends: datetime) -> None:
    """Move all of the holder's claims to [starts, ends). Raises ``ClaimHeld`` or ``NoRoom``; then nothing changed."""
    starts, ends = utc(starts), utc(ends)
    claims = of(session, holder)
    pools = lock_pools(session, [claim.pool for claim in claims if claim.pool])
    for claim in claims:
        if claim.pool:
            promised = bookings(session, [claim.pool], starts, ends, but=holder)
            _must_fit(pools[claim.pool], promised[claim.pool], _amounts(claim), starts, ends)
    _rewrite(session, holder, claims, starts, ends)


def last_end(session: Session, holder: str, otherwise: datetime) -> datetime:
    """When the last of the holder's claims ends; ``otherwise`` if there is none."""
    return max((claim.ends for claim in of(session, holder)), default=otherwise)


def carry(session: Session, holder: str, pool: str, to: str) -> None:
    """Have the holder claim of another pool what it claims of this one, whether that has room or not. Lock both."""
    session.execute(sa.update(Claim).where(*_is_of(holder), Claim.pool == pool).values(pool=to))
    session.expire_all()


def withdraw(session: Session, holder: str) -> None:
    """Delete the holder's claims, as if they had never been made, to look for another place."""
    session.execute(sa.delete(Claim).where(*_is_of(holder)))
    session.expire_all()


def latest_end(session: Session, holder: str, until: datetime, spares: bool = True) -> datetime:
    """The latest end, ``until`` at most, to which all of the holder's claims can move; locks the pools.

    Without ``spares``: as if all spares made way.
    """
    until = utc(until)
    claims = of(session, holder)
    pools = lock_pools(session, [claim.pool for claim in claims if claim.pool])
    return min([until, *(_latest_of(session, claim, pools, until, spares) for claim in claims)])


def release(session: Session, holder: str, now: datetime) -> None:
    """End the holder's claims now. Released claims do not change, and past time stays recorded."""
    now = utc(now)
    ends = sa.case((Claim.ends < now, Claim.ends), (Claim.starts > now, Claim.starts), else_=now)
    session.execute(
        sa.update(Claim).where(*_is_of(holder)).values(released=True, ends=ends),
        execution_options={"synchronize_session": False},
    )
    session.expire_all()


def keep(session: Session, holder: str, pools: Collection[str], computers: Collection[str], now: datetime) -> None:
    """Release all of the holder's claims except those on these pools and computers."""
    now = utc(now)
    for claim in of(session, holder):
        if claim.pool not in pools and claim.computer not in computers:
            claim.released, claim.ends = True, max(min(claim.ends, now), claim.starts)
    session.flush()


def lock_pools(session: Session, names: Iterable[str]) -> dict[str, Pool]:
    """The pools of these names, in their order, locked until the transaction ends."""
    return {pool.name: pool for pool in session.scalars(_LOCKED_POOLS, {"names": sorted(set(names))})}


def bookings(
    session: Session, pools: Iterable[str], starts: datetime, ends: datetime, but: str = "", spares: bool = True
) -> dict[str, list[Booking]]:
    """What is promised of each pool during [starts, ends), except to ``but`` and, without ``spares``, to spares."""
    found: dict[str, list[Booking]] = {name: [] for name in pools}
    query = sa.select(Claim.pool, Claim.starts, Claim.ends, *_AMOUNTS).where(
        Claim.pool.in_(sorted(found)),
        Claim.released.is_(False),
        Claim.starts < ends,
        Claim.ends > starts,
        Claim.holder != but,
    )
    if not spares:
        query = query.where(Claim.spare.is_(False))
    for pool, begins, stops, *amounts in session.execute(query):
        found[str(pool)].append(Booking(begins, stops, Amounts(*amounts)))
    return found


def firm(session: Session, pools: Iterable[str], starts: datetime, ends: datetime) -> dict[str, list[Booking]]:
    """The bookings without those of spares, which make way."""
    return bookings(session, pools, starts, ends, spares=False)


def at_most(session: Session, pools: Iterable[str], starts: datetime, ends: datetime) -> dict[str, list[Booking]]:
    """For each pool one booking of all that is promised at any time during [starts, ends): at least the peak.

    What fits beside it fits. The database adds the claims up: in a large lab, reading them takes most of a placement.
    """
    found: dict[str, list[Booking]] = {name: [] for name in pools}
    given: dict[str, Any] = {"since": starts, "until": ends}
    few = len(found) <= _FEW
    sums = session.execute(_SUMS_OF, {**given, "names": sorted(found)}) if few else session.execute(_SUMS, given)
    for pool, *amounts in sums:
        if pool in found:
            found[pool] = [Booking(starts, ends, Amounts(*map(int, amounts)))]
    return found


def of(session: Session, holder: str) -> list[Claim]:
    """The holder's claims that are not released."""
    query = sa.select(Claim).where(*_is_of(holder)).order_by(Claim.pool, Claim.id)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def _rewrite(session: Session, holder: str, claims: list[Claim], starts: datetime | None, ends: datetime) -> None:
    """Change the times of these claims. The database itself refuses an overlap on a computer."""
    times = {"ends": ends} if starts is None else {"starts": starts, "ends": ends}
    for name in sorted(claim.computer for claim in claims if claim.computer):
        locks.computer(session, name)
    try:
        with session.begin_nested():
            session.execute(sa.update(Claim).where(*_is_of(holder)).values(**times))
    except IntegrityError as error:
        computer = next((claim for claim in claims if claim.computer), None)
        if computer is None or computer.computer is None:
            raise
        raise _refusal(session, error, computer.computer, holder, starts or computer.starts, ends) from None
    for claim in claims:
        session.refresh(claim)


def _is_of(holder: str) -> tuple[sa.ColumnElement[bool], ...]:
    return Claim.holder == holder, Claim.released.is_(False)


def _amounts(item: Claim | Pool) -> Amounts:
    return Amounts(item.cpus, item.memory_mb, item.disk_gb)


def _must_fit(pool: Pool, promised: list[Booking], need: Amounts, starts: datetime, ends: datetime) -> None:
    at = first_shortage(promised, _amounts(pool), need, starts, ends)
    if at is not None:
        used = sum((b.amounts for b in promised if b.starts <= at < b.ends), Amounts())
        raise NoRoom(pool.name, at, (_amounts(pool) - used).lacks(need))


def _latest_of(session: Session, claim: Claim, pools: Mapping[str, Pool], until: datetime, spares: bool) -> datetime:
    if claim.pool:
        promised = bookings(session, [claim.pool], claim.ends, until, claim.holder, spares)[claim.pool]
        if until <= claim.ends:
            return until
        return first_shortage(promised, _amounts(pools[claim.pool]), _amounts(claim), claim.ends, until) or until
    following = sa.select(sa.func.min(Claim.starts)).where(
        Claim.computer == claim.computer,
        Claim.released.is_(False),
        Claim.holder != claim.holder,
        Claim.starts >= claim.ends,
    )
    return session.scalar(following) or until


def _refusal(
    session: Session, error: IntegrityError, computer: str, holder: str, starts: datetime, ends: datetime
) -> Exception:
    """Who holds the computer, if the database refused an overlap; else the violation itself.

    A holder may give its claim up in between: then the violation leaves the transaction, which is run again.
    """
    if OVERLAP not in str(error.orig):
        return error
    query = (
        sa.select(Claim.holder, Claim.ends)
        .where(
            Claim.computer == computer, Claim.released.is_(False), Claim.starts < utc(ends), Claim.ends > utc(starts)
        )
        .where(Claim.holder != holder)
        .order_by(Claim.starts)
    )
    other = session.execute(query).first()
    return ClaimHeld(computer, *other) if other else error
