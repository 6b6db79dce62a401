"""Identities (hostname and addresses) of virtual machines: how many are promised when.

A tenure decides who has which identity, when a load begins; until then there must only be enough. Each claim of a
virtual machine on a host promises one identity too. Before promising, lock the pools and then call ``lock``: two hosts
share no pool, but all share the identities.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.catalog import ComputerKind
from vclab.model.inventory import Amounts
from vclab.model.states import OUT_OF_SERVICE, ComputerState
from vclab.placement import Booking, first_shortage, gaps
from vclab.store import claims, tenures
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of
from vclab.store.models import Claim, Computer, Spare, Tenure

_LOCK = 0x76636C6964  # "vclid": one of PostgreSQL's locks that belong to no row
ONE = Amounts(cpus=1)  # counted as if identities were CPUs


class NoIdentity(claims.NoRoom):
    """All identities are promised at that moment."""

    def __init__(self, at: datetime) -> None:
        super().__init__("the pool of identities", at, ("no hostname and addresses are left",))


def lock(session: Session) -> None:
    """Nobody else counts or promises identities until the transaction ends. SQLite has one writer anyway.

    After the locks of pools and before those of computers.
    """
    if dialect_of(session) == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def shortage(session: Session, starts: datetime, ends: datetime, but: str = "", spares: bool = True) -> datetime | None:
    """The first moment of [starts, ends) without an identity for one more; None: there is always one.

    Promises to ``but`` do not count; without ``spares``, those of spares neither.
    """
    starts, ends = utc(starts), utc(ends)
    if ends <= starts:
        return None
    promised = _promised(starts, ends, but, spares)
    # Counting all promises of that time is most often enough, and fast.
    most = session.scalar(sa.select(sa.func.count()).select_from(Claim).where(*promised)) or 0
    if _there(session, most + 1) > most:
        return None
    return first_shortage(_bookings(session, promised), Amounts(cpus=_there(session)), ONE, starts, ends)


def must_last(session: Session, starts: datetime, ends: datetime, holder: str) -> None:
    """Raise ``NoIdentity`` if the holder of a virtual machine can't have one in [starts, ends). Locks identities."""
    lock(session)
    short = shortage(session, starts, ends, but=holder)
    if short is not None:
        raise NoIdentity(short)


def free(session: Session, starts: datetime, ends: datetime) -> list[tuple[datetime, datetime]]:
    """The times from ``starts`` on at which one more is free if spares make way, by the promises before ``ends``."""
    bookings = _bookings(session, _promised(utc(starts), utc(ends), "", spares=False))
    return list(gaps(bookings, Amounts(cpus=_there(session)), ONE, utc(starts), known=utc(ends)))


def latest_end(session: Session, holder: str, ends: datetime, until: datetime) -> datetime:
    """The latest end, ``until`` at most, to which the holder of a virtual machine may keep its identity.

    Spares make way for it. Locks the identities.
    """
    lock(session)
    return shortage(session, ends, until, but=holder, spares=False) or until


def pick(session: Session) -> Computer | None:
    """A virtual machine's identity that nobody holds and no spare has, locked.

    Taking a tenure locks the computer first. So the second check, under the lock, is reliable.
    """
    passed_over: list[str] = []
    while True:
        held = sa.exists().where(Tenure.computer == Computer.name, Tenure.released_at.is_(None))
        computer = session.scalar(
            sa.select(Computer)
            .where(
                Computer.kind == ComputerKind.VIRTUAL,
                Computer.state == ComputerState.AVAILABLE,
                ~Computer.leaving,
                Computer.removed_at.is_(None),
                ~held,
                ~sa.exists().where(Spare.computer == Computer.name),
                Computer.name.not_in(passed_over),
            )
            .order_by(Computer.name)
            .limit(1)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if computer is None or tenures.current(session, computer.name) is None:
            return computer
        passed_over.append(computer.name)


def _there(session: Session, enough: int | None = None) -> int:
    """How many are usable, counted up to ``enough``."""
    usable = Computer.kind == ComputerKind.VIRTUAL, Computer.state.not_in(OUT_OF_SERVICE), ~Computer.leaving
    some = sa.select(Computer.name).where(*usable, Computer.removed_at.is_(None)).limit(enough).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _promised(starts: datetime, ends: datetime, but: str, spares: bool) -> list[sa.ColumnElement[bool]]:
    """The claims on hosts during [starts, ends). Without ``but``, an index alone answers."""
    promised = [
        Claim.cpus > 0,
        Claim.pool.is_not(None),
        Claim.released.is_(False),
        Claim.starts < ends,
        Claim.ends > starts,
    ]
    promised += [Claim.holder != but] if but else []
    return promised if spares else [*promised, Claim.spare.is_(False)]


def _bookings(session: Session, promised: list[sa.ColumnElement[bool]]) -> list[Booking]:
    found = session.execute(sa.select(Claim.starts, Claim.ends).where(*promised))
    return [Booking(begins, stops, ONE) for begins, stops in found]
