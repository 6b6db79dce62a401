"""Spares: machines that nobody could have logged in to, kept for a while for the next reservation of their image.

A spare has no tenure, but it has claims, under the holder ``spare-<computer>``. Before changing its row, lock the pools
and then the computer's row.
"""

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.errors import NotFound
from vclab.model.inventory import Amounts
from vclab.model.plans import Facts, Target
from vclab.model.revisions import RevisionState
from vclab.model.states import ComputerState, Purpose, ReservationState
from vclab.placement import Choice
from vclab.store import children, claims, computers, identities, locks, pools, targets, tenures
from vclab.store.column_types import utc
from vclab.store.models import Computer, Endpoint, Image, Reservation, Revision, Spare, Tenure
from vclab.store.search import Found, Search

OLD_AT_ONCE = 4
"""So many spares of revisions that are not in production any more are removed in one round."""


def keep(session: Session, row: Reservation, until: datetime, now: datetime) -> str:
    """Keep the machine of an ended reservation, and claim its room. Returns why it can't be kept, else "".

    It must be verified clean. The caller releases its tenure.
    """
    target = targets.recorded(row.target)
    holder = holder_of(target.computer)
    if not in_production(session, target.image, target.revision):
        return f"revision {row.revision} of {row.image} is no longer in production"
    claims.release(session, holder, now)
    try:
        claims.lock_pools(session, room_of(target))
        identities.lock(session)
        if identities.shortage(session, now, until) is not None:
            return f"the identity of {target.computer} is promised to others"
        claims.claim_pools(session, holder, now, until, room_of(target), spare=True)
    except (claims.NoRoom, NotFound) as refused:
        return str(refused)
    computer = locks.computer(session, target.computer)
    if computer.tainted:
        return f"somebody was logged in at {target.computer}, or let in with root rights"
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
    """Whether there is a spare of the image. Most often there is none, and this one query is enough."""
    return session.scalar(_ANY, _of(image)) or False


def _of(image: model.Image) -> dict[str, Any]:
    """The parameters of ``_THERE``."""
    return {"of_image": image.name, "in_revision": image.revision}


_THERE = sa.select(Spare).where(
    Spare.image == sa.bindparam("of_image"), Spare.revision == sa.bindparam("in_revision"), Spare.removal == 0
)
_ANY = sa.select(_THERE.exists())
_BY_AGE = _THERE.order_by(Spare.until, Spare.computer)


def hand_out(session: Session, search: Search) -> Found | None:
    """Claim the room of a matching spare, the oldest first; None when there is none.

    The pools of the search's endpoints must be locked.
    """
    for spare in session.scalars(_BY_AGE, _of(search.image)).all():
        target = targets.recorded(spare.target)
        if not _is_wanted(target, search):
            continue
        computer = lock_idle(session, spare.computer)
        if computer is not None and _passed_on(session, search, target):
            facts = computers.facts(computer)
            choice = Choice(target.endpoint, target.host, target.storage)
            return Found(choice, computer, target, facts)
    return None


def _passed_on(session: Session, search: Search, target: Target) -> bool:
    """The search takes over its room. False: the room is free only until the spare's end, and the search is longer."""
    trial = session.begin_nested()
    forget(session, target.computer, search.window.now)
    if claimed(session, search, room_of(target)):
        trial.commit()
        return True
    trial.rollback()
    return False


def overdue(session: Session, now: datetime) -> list[str]:
    """Computers whose spare must be removed: it is overdue, or its removal has no workflow.

    Of those that only have an old revision a few at a time: whoever promotes one sets no storm off.
    """
    awaited = sa.exists().where(Reservation.id == Spare.evicted_for, Reservation.state == ReservationState.NEW)
    idle = Spare.removal == 0
    query = sa.select(Spare.computer, sa.and_(idle, ~_is_over(now)).label("is_old")).where(
        sa.or_(
            sa.and_(idle, _is_overdue(now)),
            sa.and_(Spare.removal > 0, ~awaited),
        )
    )
    found = session.execute(query.order_by(Spare.computer)).all()
    old = [name for name, is_old in found if is_old]
    return sorted({name for name, is_old in found if not is_old} | set(old[:OLD_AT_ONCE]))


def leave(session: Session, computer: str, now: datetime) -> Target | None:
    """Take the tenure that removes an overdue spare; returns what is removed. None: it need not be removed any more."""
    locks.computer(session, computer)
    spare = session.get(Spare, computer, populate_existing=True)
    if spare is None:
        return None
    if not spare.removal:
        over = sa.select(Spare.computer).where(Spare.computer == computer, _is_overdue(now))
        if session.scalar(over) is None or tenures.current(session, computer) is not None:
            return None
        begin_removal(session, spare, "", now)
    return removed_target(spare)


def removed(session: Session, computer: str, generation: int, now: datetime) -> None:
    """The spare is verified gone. Repeating it is harmless."""
    row = locks.computer(session, computer)
    spare = session.get(Spare, computer, populate_existing=True)
    if spare is not None and spare.removal == generation:
        children.gone(session, removed_target(spare))
        forget(session, computer, now)
        row = locks.computer(session, computer)
        if row.state is ComputerState.RELOADING:
            row.state = ComputerState.AVAILABLE
        computers.forget_content(row, lent=False)
    tenures.release(session, computer, generation, now)


def machines(session: Session) -> set[tuple[str, int]]:
    """The spares, by computer and the generation of their mark: nobody holds them, and they are no orphans."""
    marked = session.execute(sa.select(Spare.computer, Spare.generation))
    return {(computer, generation) for computer, generation in marked}


def handed_out(session: Session) -> set[str]:
    """The instance UUIDs of spares that reservations have and that may not carry the new mark yet."""
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
    """The address and pinned host key of the spare that a reservation got. Empty when it got none."""
    row = session.get(Reservation, target.reservation) if target.spare else None
    computer = session.get(Computer, target.computer) if target.traits.reloadable else None
    if computer is not None:  # it stays, and keeps its address and host key
        return computers.facts(computer)
    if row is None or (row.computer, row.generation) != (target.computer, target.generation):
        return Facts()
    return computers.facts(row)


def holder_of(computer: str) -> str:
    """The holder of a spare's claims and of the tenure that removes it. No reservation's id has a hyphen."""
    return f"spare-{computer}"


def room_of(target: Target) -> dict[str, Amounts]:
    """The amounts that its machine takes, by pool."""
    return pools.wanted(Choice(target.endpoint, target.host, target.storage), targets.amounts_of(target))


def claimed(session: Session, search: Search, room: Mapping[str, Amounts]) -> bool:
    """Claim the pools for the search, which also needs an identity all the time. False: there is not enough."""
    need = search.need
    try:
        claims.claim_pools(session, search.holder, need.starts, need.ends, room)
    except claims.NoRoom:
        return False
    return identities.shortage(session, need.starts, need.ends, but=search.holder) is None


def lock_idle(session: Session, name: str) -> Computer | None:
    """The computer, locked, if its spare is free to be handed out or evicted; else None."""
    computer = locks.computer(session, name)
    spare = session.get(Spare, name, populate_existing=True)
    if spare is None or spare.removal or computer.leaving or computer.state is not ComputerState.AVAILABLE:
        return None
    return None if tenures.current(session, name) else computer


def begin_removal(session: Session, spare: Spare, reservation: str, now: datetime) -> None:
    """Take the tenure that removes the spare; ``reservation``: the one that needs its room, or none."""
    holder = holder_of(spare.computer)
    spare.removal = tenures.take(session, spare.computer, holder, Purpose.REMOVAL, now, now)
    spare.evicted_for = reservation
    computer = session.get_one(Computer, spare.computer)
    if computer.state is ComputerState.AVAILABLE:  # one in maintenance stays there
        computer.state = ComputerState.RELOADING
    session.flush()


def forget(session: Session, computer: str, now: datetime) -> None:
    """Delete the spare and release its claims."""
    claims.release(session, holder_of(computer), now)
    session.execute(sa.delete(Spare).where(Spare.computer == computer))
    session.expire_all()


def removed_target(spare: Spare) -> Target:
    """The target of the tenure that removes it."""
    return dataclasses.replace(targets.recorded(spare.target), generation=spare.removal)


def _in_production(image: Any, revision: Any) -> sa.Exists:
    state = Revision.state == RevisionState.PRODUCTION
    return sa.exists().where(Revision.image == image, Revision.number == revision, state)


def in_production(session: Session, image: str, revision: int) -> bool:
    """Whether new reservations of the image get this revision."""
    return bool(session.scalar(sa.select(_in_production(image, revision))))


def _is_overdue(now: datetime) -> sa.ColumnElement[bool]:
    """It is over, or its revision is no longer in production."""
    return sa.or_(_is_over(now), ~_in_production(Spare.image, Spare.revision))


def _is_over(now: datetime) -> sa.ColumnElement[bool]:
    """Its time is over, its image or endpoint is disabled, or its computer is to leave."""
    image = sa.exists().where(Image.name == Spare.image, Image.disabled_at.is_not(None))
    endpoint = sa.exists().where(Endpoint.name == Spare.endpoint, Endpoint.disabled_at.is_not(None))
    leaving = sa.exists().where(Computer.name == Spare.computer, Computer.leaving)
    return sa.or_(Spare.until <= utc(now), image, endpoint, leaving)


def _is_wanted(target: Target, search: Search) -> bool:
    """Whether the machine is what a load of the image would make, on a host that can be used now."""
    endpoints = {endpoint.name: endpoint for endpoint in search.endpoints}
    endpoint, inventory = endpoints.get(target.endpoint), search.heard.get(target.endpoint)
    if endpoint is None or inventory is None or (target.endpoint, target.host) in search.resting:
        return False
    same = ("module", "guest", "cpus", "memory_mb", "disk_gb")
    return (
        (target.dedicated or not search.image.dedicated)
        and all(getattr(target, name) == getattr(search.image, name) for name in same)
        and (target.image_data, target.endpoint_data) == (search.image.module_data, endpoint.module_data)
        and any(host.name == target.host and host.usable for host in inventory.hosts)
    )
