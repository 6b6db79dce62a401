"""Eviction: spares make way for a machine that finds no room beside them."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.plans import Target
from vclab.model.reservations import Refusal
from vclab.model.states import ComputerState
from vclab.placement import Choice, EndpointRoom, Need, SpareRoom, choose_evicting, fewest
from vclab.store import audit, claims, identities, pools, spares, targets
from vclab.store.column_types import utc
from vclab.store.models import Computer, Spare
from vclab.store.search import Found, Search

TO_GO = timedelta(minutes=5)
"""A spare is removed so long before its room is needed: one round of the reconciler and the removal itself."""

_EVICTED_FOR = (
    sa.select(Spare).where(Spare.evicted_for == sa.bindparam("of"), Spare.removal > 0).order_by(Spare.computer)
)


def make_room(session: Session, search: Search) -> Found | None:
    """Evict as few spares as needed, and claim the room; None when even evicting all of them would not suffice.

    The pools must be locked. If the search begins at once, it gets the first spare's computer, and its load removes
    the spare. Else it gets no computer yet.
    """
    need, at_once, now = search.need, search.window.at_once, search.window.now
    enough = identities.shortage(session, need.starts, need.ends) is None
    identity = identities.pick(session) if at_once and enough else None
    rooms = pools.rooms(session, search, claims.firm)
    chosen = _chosen(session, need, rooms, enough if not at_once else identity is not None)
    if chosen is None:
        return None
    choice, gone = chosen
    names = [spare.computer for spare in gone]
    trial = session.begin_nested()
    taken, others = (gone[:1], gone[1:]) if at_once else ([], gone)
    for spare in others:
        _makes_way(session, spare, search.holder, need.starts, now)
    for spare in taken:
        spares.forget(session, spare.computer, now)
    if not spares.claimed(session, search, pools.wanted(choice, search.amounts_at(choice))):
        trial.rollback()
        return None
    trial.commit()
    _note(session, search.holder, names, now)
    return Found(choice, session.get_one(Computer, names[0]) if taken else identity)


def evict(session: Session, search: Search, rooms: Sequence[EndpointRoom]) -> Choice | None:
    """Evict as few spares as needed for a machine that has an identity; None when that would not suffice.

    ``rooms``: the endpoints' room without the spares' claims; the pools must be locked. Nothing is claimed.
    ``evicted_for`` returns the evicted spares.
    """
    chosen = _chosen(session, search.need, rooms, identity=True)
    if chosen is None:
        return None
    choice, gone = chosen
    now = search.window.now
    for spare in gone:
        _makes_way(session, spare, search.holder, now, now)
    _note(session, search.holder, [spare.computer for spare in gone], now)
    return choice


def evicting(session: Session, holder: str, since: datetime, act: Callable[[], None], now: datetime) -> None:
    """Do ``act``, which claims more room for the holder from ``since`` on. If there is none, evict spares for it.

    Raises ``claims.NoRoom`` when eviction does not help either; then nothing changed. The holder's pools must be
    locked.
    """
    try:
        with session.begin_nested():
            act()
        return
    except claims.NoRoom as refused:
        refusal = refused
    idle = [spare for spare in _idle(session, None, since) if spares.lock_idle(session, spare.computer)]

    def fits(gone: Sequence[Spare]) -> bool:
        trial = session.begin_nested()
        try:
            for spare in gone:
                claims.release(session, spares.holder_of(spare.computer), now)
            act()
        except claims.NoRoom:
            return False
        finally:
            trial.rollback()
        return True

    gone = fewest(_nearest(session, holder, idle), fits) if fits(idle) else None
    if gone is None:
        raise refusal
    for spare in gone:
        _makes_way(session, spare, holder, since, now)
    act()
    _note(session, holder, [spare.computer for spare in gone], now)


def let_go(session: Session, reservation: str) -> None:
    """The reconciler, not the reservation, removes the spares that were evicted for it."""
    session.execute(sa.update(Spare).where(Spare.evicted_for == reservation).values(evicted_for=""))
    session.expire_all()


def evicted_for(session: Session, reservation: str) -> tuple[Target, ...]:
    """The spares that must be removed before this reservation is loaded."""
    return tuple(spares.removed_target(spare) for spare in session.scalars(_EVICTED_FOR, {"of": reservation}))


def _nearest(session: Session, holder: str, idle: Sequence[Spare]) -> list[Spare]:
    """First the spares that hold room in most of the holder's pools; of these, the largest."""
    own = {claim.pool for claim in claims.of(session, holder)}

    def key(spare: Spare) -> tuple[int, int, str]:
        room = spares.room_of(targets.recorded(spare.target))
        return -len(own & set(room)), -sum(amounts.memory_mb for amounts in room.values()), spare.computer

    return sorted(idle, key=key)


def _chosen(
    session: Session, need: Need, rooms: Sequence[EndpointRoom], identity: bool
) -> tuple[Choice, list[Spare]] | None:
    """Where the need fits, and the spares in its way there, locked; None: nowhere."""
    idle = {spare.computer: spare for spare in _idle(session, [room.name for room in rooms], need.starts)}
    chosen = choose_evicting(need, rooms, [_room(spare) for spare in idle.values()], identity)
    if isinstance(chosen, Refusal):
        return None
    names = [victim.computer for victim in chosen[1]]
    if not all(spares.lock_idle(session, name) for name in sorted(names)):
        return None  # a spare was taken meanwhile, and its room with it
    return chosen[0], [idle[name] for name in names]


def _note(session: Session, holder: str, gone: Sequence[str], now: datetime) -> None:
    if gone:
        audit.note(session, holder, "vclab", "evicted", f"spares in the way: {', '.join(gone)}", now)


def _idle(session: Session, endpoints: Sequence[str] | None, since: datetime) -> list[Spare]:
    """The spares at these endpoints (None: at all) that are not being removed and last until after ``since``."""
    query = (
        sa.select(Spare)
        .join(Computer, Computer.name == Spare.computer)
        .where(Spare.removal == 0, Spare.until > utc(since), Computer.state == ComputerState.AVAILABLE)
    )
    if endpoints is not None:
        query = query.where(Spare.endpoint.in_(endpoints))
    return list(session.scalars(query.order_by(Spare.computer)))


def _room(spare: Spare) -> SpareRoom:
    target = targets.recorded(spare.target)
    amounts = targets.amounts_of(target)
    return SpareRoom(spare.computer, target.endpoint, target.host, target.storage, amounts, spare.until)


def _makes_way(session: Session, spare: Spare, holder: str, needed: datetime, now: datetime) -> None:
    """Its room is the holder's from ``needed`` on. It stays a spare until shortly before; if that is now, it goes."""
    name, leaves = spares.holder_of(spare.computer), utc(needed) - TO_GO
    if leaves > utc(now):
        spare.until = leaves
        claims.move_end(session, name, needed)
    else:
        spares.begin_removal(session, spare, holder, now)
        claims.release(session, name, now)
