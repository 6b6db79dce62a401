"""How many of the identities (hostname and addresses) are promised when. One is as good as another.

Who has which is settled by its tenure, when a load begins; until then there must only be enough. Each virtual machine's
claim on a host is a promise of one identity too. Whoever promises has locked the pools before, and then ``lock``: two
endpoints, and two hosts of one, have no pool in common, but the identities.
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
from vclab.store.models import Claim, Computer, Spare, Tenure

_LOCK = 0x76636C6964  # "vclid": one of PostgreSQL's locks that belong to no row
ONE = Amounts(cpus=1)  # counted as if identities were CPUs


class NoIdentity(claims.NoRoom):
    """All identities are promised at that moment."""

    def __init__(self, at: datetime) -> None:
        super().__init__("the pool of identities", at, ("no hostname and addresses are left",))


def lock(session: Session) -> None:
    """Nobody else counts identities, or promises one, until the transaction ends. On SQLite there is one writer anyway.

    After the pools' locks and before those of computers.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def shortage(session: Session, starts: datetime, ends: datetime, but: str = "", spares: bool = True) -> datetime | None:
    """The first moment of [starts, ends) at which no identity is left for one more; None: there is always one.

    What is promised to ``but`` is left out, and without ``spares`` what these hold.
    """
    starts, ends = utc(starts), utc(ends)
    if ends <= starts:
        return None
    promised = _promised(starts, ends, but, spares)
    # In a large lab most questions are settled by counting all that are promised at some time of it.
    most = session.scalar(sa.select(sa.func.count()).select_from(Claim).where(*promised)) or 0
    if _there(session, most + 1) > most:
        return None
    return first_shortage(_bookings(session, promised), Amounts(cpus=_there(session)), ONE, starts, ends)


def must_last(session: Session, starts: datetime, ends: datetime, holder: str) -> None:
    """Raises ``NoIdentity`` if the holder of a virtual machine can't have one during [starts, ends); locks them."""
    lock(session)
    short = shortage(session, starts, ends, but=holder)
    if short is not None:
        raise NoIdentity(short)


def free(session: Session, starts: datetime, ends: datetime) -> list[tuple[datetime, datetime]]:
    """The times within [starts, ends), or beyond, at which one more could be had if spares made way."""
    bookings = _bookings(session, _promised(utc(starts), utc(ends), "", spares=False))
    return list(gaps(bookings, Amounts(cpus=_there(session)), ONE, utc(starts), known=utc(ends)))


def latest_end(session: Session, holder: str, ends: datetime, until: datetime) -> datetime:
    """The latest end, ``until`` at most, to which the holder of a virtual machine may keep its identity; spares make
    way for it. Locks them."""
    lock(session)
    return shortage(session, ends, until, but=holder, spares=False) or until


def pick(session: Session) -> Computer | None:
    """A virtual machine's identity that nobody holds, and no spare has, locked.

    Whoever takes a tenure locks the computer first, so once it is locked the second look is the truth.
    """
    passed_over: list[str] = []
    while True:
        held = sa.exists().where(Tenure.computer == Computer.name, Tenure.released_at.is_(None))
        computer = session.scalar(
            sa.select(Computer)
            .where(
                Computer.kind == ComputerKind.VIRTUAL,
                Computer.state == ComputerState.AVAILABLE,
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
    """How many are usable; no more are counted than are ``enough``."""
    usable = Computer.kind == ComputerKind.VIRTUAL, Computer.state.not_in(OUT_OF_SERVICE), Computer.removed_at.is_(None)
    some = sa.select(Computer.name).where(*usable).limit(enough).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(some)) or 0


def _promised(starts: datetime, ends: datetime, but: str, spares: bool) -> list[sa.ColumnElement[bool]]:
    """Claims on hosts during [starts, ends). Without ``but`` an index alone answers."""
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
