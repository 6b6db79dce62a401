"""Spares: machines that nobody could have logged in to, kept for a while for the next reservation of their image.

A spare has no tenure, but it takes room: its claims are held by ``spare-`` and its computer's name. Whoever
changes its row has locked the computer's row before, after the pools.
"""

import dataclasses
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.errors import NotFound
from vclab.model.inventory import Amounts, Inventory
from vclab.model.plans import Facts, Target
from vclab.model.reservations import Refusal
from vclab.model.states import ComputerState, Purpose, ReservationState
from vclab.placement import Choice, EndpointRoom, Need, SpareRoom, choose_evicting, fewest
from vclab.store import audit, claims, identities, locks, pools, targets, tenures
from vclab.store.column_types import utc
from vclab.store.models import Computer, Endpoint, Image, Reservation, Revision, Spare, Tenure

TO_GO = timedelta(minutes=5)
"""So long before its room is needed a spare is removed: a round of the reconciler, and what a removal takes."""


@dataclasses.dataclass(frozen=True)
class HandedOut:
    """A place where the machine is already, or whose former machine the load will remove first."""

    choice: Choice
    computer: Computer | None  #: none yet, for what begins later
    machine: str = ""  #: instance UUID of the spare that it gets; empty: none, it is loaded
    facts: Facts = Facts()  #: what is known of that spare: its address and pinned host key


def keep(session: Session, row: Reservation, until: datetime, now: datetime) -> str:
    """Keep the machine of a reservation that has ended, and claim its room; why that can't be, or "".

    It must be verified clean. Its tenure is the caller's to release.
    """
    target = targets.recorded(row.target)
    holder = _holder(target.computer)
    if not in_production(session, target.image, target.revision):
        return f"revision {row.revision} of {row.image} is not in production any more"
    claims.release(session, holder, now)
    try:
        claims.lock_pools(session, _wanted(target))
        identities.lock(session)
        if identities.shortage(session, now, until) is not None:
            return f"the identity of {target.computer} is promised to others"
        claims.claim_pools(session, holder, now, until, _wanted(target), spare=True)
    except (claims.NoRoom, NotFound) as refused:
        return str(refused)
    computer = locks.computer(session, target.computer)
    if computer.tainted:
        return f"somebody was logged in at {target.computer}"
    target = dataclasses.replace(target, spare=target.instance_uuid)
    session.merge(
        Spare(
            computer=target.computer,
            generation=row.generation,
            image=target.image,
            revision=target.revision,
            endpoint=target.endpoint,
            host=target.host,
            target=dataclasses.asdict(target),
            kept_at=utc(now),
            until=utc(until),
            removal=0,
            evicted_for="",
        )
    )
    computer.state = ComputerState.AVAILABLE
    session.flush()
    return ""


def any_of(session: Session, image: model.Image) -> bool:
    """Whether there is a spare of the image just now. Most often there is none, and nothing more has to be asked."""
    return session.scalar(_ANY, _of(image)) or False


def _of(image: model.Image) -> dict[str, Any]:
    """What ``_THERE`` asks for."""
    return {"of_image": image.name, "in_revision": image.revision}


_THERE = sa.select(Spare).where(
    Spare.image == sa.bindparam("of_image"), Spare.revision == sa.bindparam("in_revision"), Spare.removal == 0
)
_ANY = sa.select(_THERE.exists())
_BY_AGE = _THERE.order_by(Spare.until, Spare.computer)
_EVICTED_FOR = (
    sa.select(Spare).where(Spare.evicted_for == sa.bindparam("of"), Spare.removal > 0).order_by(Spare.computer)
)


def hand_out(
    session: Session,
    holder: str,
    image: model.Image,
    endpoints: Sequence[model.Endpoint],
    heard: Mapping[str, Inventory],
    need: Need,
    resting: Container[tuple[str, str]],
    now: datetime,
) -> HandedOut | None:
    """Claim the room of a spare that is just what is wanted, the oldest one first; None when there is none.

    ``resting``: hosts, by endpoint and name, that are not to be used. The pools of all that was heard must be locked.
    """
    known = {endpoint.name: endpoint for endpoint in endpoints}
    for spare in session.scalars(_BY_AGE, _of(image)).all():
        target = targets.recorded(spare.target)
        if (target.endpoint, target.host) in resting or not _is_wanted(
            target, image, known.get(target.endpoint), heard.get(target.endpoint)
        ):
            continue
        computer = _to_be_had(session, spare.computer)
        if computer is None:
            continue
        facts = Facts(private_address=computer.private_address, host_key=computer.host_key)
        trial = session.begin_nested()
        _forget(session, spare.computer, now)
        if not _claimed(session, holder, need, _wanted(target)):
            trial.rollback()  # it fits until its time is over, and the reservation is longer
            continue
        trial.commit()
        choice = Choice(target.endpoint, target.host, target.storage)
        return HandedOut(choice, computer, target.instance_uuid, facts)
    return None


def make_room(
    session: Session, holder: str, need: Need, rooms: Sequence[EndpointRoom], at_once: bool, now: datetime
) -> tuple[Choice, Computer | None] | None:
    """Have as few spares as needed make way, and claim the room; None when it would not suffice if all went.

    ``rooms``: the endpoints without what spares hold; their pools must be locked. ``at_once``: the first spare's
    computer goes to the newcomer, whose load removes what was there before. Else there is no computer yet.
    """
    enough = identities.shortage(session, need.starts, need.ends) is None
    identity = identities.pick(session) if at_once and enough else None
    chosen = _chosen(session, need, rooms, enough if not at_once else identity is not None)
    if chosen is None:
        return None
    choice, gone = chosen
    names = [spare.computer for spare in gone]
    trial = session.begin_nested()
    taken, others = (gone[:1], gone[1:]) if at_once else ([], gone)
    for spare in others:
        _makes_way(session, spare, holder, need.starts, now)
    for spare in taken:
        _forget(session, spare.computer, now)
    if not _claimed(session, holder, need, pools.wanted(choice, need.amounts)):
        trial.rollback()
        return None
    trial.commit()
    _note(session, holder, names, now)
    computer = session.get_one(Computer, names[0]) if taken else identity
    return choice, computer


def evict(session: Session, holder: str, need: Need, rooms: Sequence[EndpointRoom], now: datetime) -> Choice | None:
    """Evict as few spares as needed for a machine that has its identity; None when that would not suffice.

    ``rooms`` as for ``make_room``. Nothing is claimed. What is evicted stands in ``evicted_for``.
    """
    chosen = _chosen(session, need, rooms, identity=True)
    if chosen is None:
        return None
    choice, gone = chosen
    for spare in gone:
        _makes_way(session, spare, holder, now, now)
    _note(session, holder, [spare.computer for spare in gone], now)
    return choice


def aside(session: Session, holder: str, since: datetime, act: Callable[[], None], now: datetime) -> None:
    """Do ``act``, which claims more room for the holder from ``since`` on; where there is none, spares make way for it.

    Raises ``claims.NoRoom`` when not even that helps; then nothing has changed. The holder's pools must be locked.
    """
    try:
        with session.begin_nested():
            act()
        return
    except claims.NoRoom as refused:
        refusal = refused
    idle = [spare for spare in _idle(session, None, since) if _to_be_had(session, spare.computer)]

    def fits(gone: Sequence[Spare]) -> bool:
        trial = session.begin_nested()
        try:
            for spare in gone:
                claims.release(session, _holder(spare.computer), now)
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


def _nearest(session: Session, holder: str, spares: Sequence[Spare]) -> list[Spare]:
    """Those first that hold room of the holder's own pools: most of them, and much of it."""
    pools = {claim.pool for claim in claims.of(session, holder)}

    def key(spare: Spare) -> tuple[int, int, str]:
        wanted = _wanted(targets.recorded(spare.target))
        return -len(pools & set(wanted)), -sum(amounts.memory_mb for amounts in wanted.values()), spare.computer

    return sorted(spares, key=key)


def _chosen(
    session: Session, need: Need, rooms: Sequence[EndpointRoom], identity: bool
) -> tuple[Choice, list[Spare]] | None:
    """Where the need fits, and the spares that are in its way there, locked; None: nowhere."""
    spares = {spare.computer: spare for spare in _idle(session, [room.name for room in rooms], need.starts)}
    chosen = choose_evicting(need, rooms, [_room(spare) for spare in spares.values()], identity)
    if isinstance(chosen, Refusal):
        return None
    names = [victim.computer for victim in chosen[1]]
    if not all(_to_be_had(session, name) for name in sorted(names)):
        return None  # taken since: it is not to be had, and its room neither
    return chosen[0], [spares[name] for name in names]


def _note(session: Session, holder: str, gone: Sequence[str], now: datetime) -> None:
    if gone:
        audit.note(session, holder, "vclab", "evicted", f"spares that were in the way: {', '.join(gone)}", now)


def _claimed(session: Session, holder: str, need: Need, wanted: Mapping[str, Amounts]) -> bool:
    """Claim the pools, with an identity for all of the time; False: they don't hold it."""
    try:
        claims.claim_pools(session, holder, need.starts, need.ends, wanted)
    except claims.NoRoom:
        return False
    return identities.shortage(session, need.starts, need.ends, but=holder) is None


def let_go(session: Session, reservation: str) -> None:
    """What was evicted for the reservation is not removed by it any more: the reconciler does that."""
    session.execute(sa.update(Spare).where(Spare.evicted_for == reservation).values(evicted_for=""))
    session.expire_all()


def evicted_for(session: Session, reservation: str) -> tuple[Target, ...]:
    """The spares that must be removed before this reservation is loaded."""
    return tuple(_leaving(spare) for spare in session.scalars(_EVICTED_FOR, {"of": reservation}))


def overdue(session: Session, now: datetime) -> list[str]:
    """Computers whose spare is to be removed: too old, of an old revision; or whose removal nobody looks after."""
    awaited = sa.exists().where(Reservation.id == Spare.evicted_for, Reservation.state == ReservationState.NEW)
    query = sa.select(Spare.computer).where(
        sa.or_(
            sa.and_(Spare.removal == 0, _is_overdue(now)),
            sa.and_(Spare.removal > 0, ~awaited),
        )
    )
    return list(session.scalars(query.order_by(Spare.computer)))


def leave(session: Session, computer: str, now: datetime) -> Target | None:
    """Take the tenure that removes a spare, if it is to be removed: what is removed; None when it is not any more."""
    locks.computer(session, computer)
    spare = session.get(Spare, computer, populate_existing=True)
    if spare is None:
        return None
    if not spare.removal:
        over = sa.select(Spare.computer).where(Spare.computer == computer, _is_overdue(now))
        if session.scalar(over) is None or tenures.current(session, computer) is not None:
            return None
        _evict(session, spare, "", now)
    return _leaving(spare)


def removed(session: Session, computer: str, generation: int, now: datetime) -> None:
    """The spare is verified gone; harmless when that is known."""
    row = locks.computer(session, computer)
    spare = session.get(Spare, computer, populate_existing=True)
    if spare is not None and spare.removal == generation:
        _forget(session, computer, now)
        row = locks.computer(session, computer)
        if row.state is ComputerState.RELOADING:
            row.state = ComputerState.AVAILABLE
        row.image, row.revision, row.tainted = "", 0, False
        row.host_key = row.private_address = row.public_address = ""
    tenures.release(session, computer, generation, now)


def machines(session: Session) -> set[tuple[str, int]]:
    """The spares by computer and the generation of their mark: nobody holds them, and they are no strays."""
    marked = session.execute(sa.select(Spare.computer, Spare.generation))
    return {(computer, generation) for computer, generation in marked}


def handed_out(session: Session) -> set[str]:
    """The instance UUIDs of spares that a reservation has and that may not carry its mark yet."""
    query = sa.select(Reservation.target).join(
        Tenure,
        sa.and_(
            Tenure.holder == Reservation.id,
            Tenure.computer == Reservation.computer,
            Tenure.generation == Reservation.generation,
            Tenure.released_at.is_(None),
        ),
    )
    return {str(target["spare"]) for target in session.scalars(query) if target.get("spare")}


def facts(session: Session, target: Target) -> Facts:
    """What is known of the spare that a reservation got: its address and pinned host key. Empty when it got none."""
    row = session.get(Reservation, target.reservation) if target.spare else None
    computer = session.get(Computer, target.computer) if target.traits.reloadable else None
    if computer is not None:  # it stays where it is: its address and pinned host key are its own
        return Facts(private_address=computer.private_address, host_key=computer.host_key)
    if row is None or (row.computer, row.generation) != (target.computer, target.generation):
        return Facts()
    return Facts(private_address=row.private_address, host_key=row.host_key)


def _in_production(image: Any, revision: Any) -> sa.Exists:
    return sa.exists().where(Revision.image == image, Revision.number == revision, Revision.production)


def in_production(session: Session, image: str, revision: int) -> bool:
    """Whether new reservations of the image get this revision."""
    return bool(session.scalar(sa.select(_in_production(image, revision))))


def _is_overdue(now: datetime) -> sa.ColumnElement[bool]:
    """Its time is over, or nothing new is made of its image or at its endpoint."""
    image = sa.exists().where(Image.name == Spare.image, Image.disabled_at.is_not(None))
    endpoint = sa.exists().where(Endpoint.name == Spare.endpoint, Endpoint.disabled_at.is_not(None))
    return sa.or_(Spare.until <= utc(now), ~_in_production(Spare.image, Spare.revision), image, endpoint)


def _holder(computer: str) -> str:
    """Who holds a spare's claims, and the tenure that removes it. No reservation's id has a hyphen."""
    return f"spare-{computer}"


def _is_wanted(
    target: Target, image: model.Image, endpoint: model.Endpoint | None, inventory: Inventory | None
) -> bool:
    """Whether the machine is what a load of the image would make, where it can be used now."""
    if endpoint is None or inventory is None or inventory.error:
        return False
    same = ("module", "guest", "cpus", "memory_mb", "disk_gb")
    return (
        all(getattr(target, name) == getattr(image, name) for name in same)
        and (target.image_data, target.endpoint_data) == (image.module_data, endpoint.module_data)
        and any(host.name == target.host and host.usable for host in inventory.hosts)
    )


def _idle(session: Session, endpoints: Sequence[str] | None, since: datetime) -> list[Spare]:
    """The spares at these endpoints, or everywhere, that nobody removes yet and that would be there at that time."""
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
    amounts = Amounts(target.cpus, target.memory_mb, target.disk_gb)
    return SpareRoom(spare.computer, target.endpoint, target.host, target.storage, amounts, spare.until)


def _to_be_had(session: Session, name: str) -> Computer | None:
    """The computer, locked, if its spare can be given away or evicted; else None."""
    computer = locks.computer(session, name)
    spare = session.get(Spare, name, populate_existing=True)
    if spare is None or spare.removal or computer.state is not ComputerState.AVAILABLE:
        return None
    return None if tenures.current(session, name) else computer


def _makes_way(session: Session, spare: Spare, holder: str, needed: datetime, now: datetime) -> None:
    """Its room is the holder's from then on: until shortly before that it stays a spare; if that is now, it goes."""
    name, leaves = _holder(spare.computer), utc(needed) - TO_GO
    if leaves > utc(now):
        spare.until = leaves
        claims.move_end(session, name, needed)
    else:
        _evict(session, spare, holder, now)
        claims.release(session, name, now)


def _evict(session: Session, spare: Spare, reservation: str, now: datetime) -> None:
    """Take the tenure that removes it."""
    holder = _holder(spare.computer)
    spare.removal = tenures.take(session, spare.computer, holder, Purpose.REMOVAL, now, now)
    spare.evicted_for = reservation
    computer = session.get_one(Computer, spare.computer)
    if computer.state is ComputerState.AVAILABLE:  # one in maintenance stays there
        computer.state = ComputerState.RELOADING
    session.flush()


def _forget(session: Session, computer: str, now: datetime) -> None:
    """It is no spare any more, and holds no room."""
    claims.release(session, _holder(computer), now)
    session.execute(sa.delete(Spare).where(Spare.computer == computer))
    session.expire_all()


def _leaving(spare: Spare) -> Target:
    return dataclasses.replace(targets.recorded(spare.target), generation=spare.removal)


def _wanted(target: Target) -> dict[str, Amounts]:
    amounts = Amounts(target.cpus, target.memory_mb, target.disk_gb)
    return pools.wanted(Choice(target.endpoint, target.host, target.storage), amounts)
