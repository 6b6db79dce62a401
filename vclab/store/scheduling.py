"""Reservations for later: their load begins, is done before the start, or is put off; and their start is rescheduled.

Until its load begins, such a reservation has claims and no computer. Each record may run twice.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model import rules as limits
from vclab.model.intents import Author
from vclab.model.inventory import Amounts, Inventory
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, Refusal
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES, ReservationState
from vclab.placement import Choice, EndpointRoom, choose
from vclab.store import (
    audit,
    catalog,
    children,
    claims,
    computers,
    eviction,
    identities,
    lab_machines,
    local_time,
    locks,
    placement,
    pools,
    reservations,
    spares,
    targets,
    tenures,
)
from vclab.store.column_types import utc
from vclab.store.models import Computer, Reservation, Tenure
from vclab.store.search import Found, Search, Window, prepare, window_from_now, window_of

_WAITING = (ReservationState.SCHEDULED, ReservationState.NEW)


def begin(session: Session, id: str, inventories: Sequence[Inventory], rules: Rules, now: datetime) -> Placed | Refusal:
    """The load begins: take a computer, or say why none is free now.

    First choice is a matching spare, then the promised place, then any other place. Claims and tenure change in one
    transaction. Raises ``NotFound``.
    """
    row, now = locks.reservation(session, id), utc(now)
    if row.state not in OPEN_STATES:
        return Refusal(f"{id} has ended")
    if row.generation:
        return _begun(session, row, rules)
    search = _search(session, row, inventories, rules, now)
    if not search.traits.lent:
        search = placement.lock_room(session, search)
    found = _spare(session, search) or _promised(session, row, search)
    if isinstance(found, Refusal):
        found = _anew(session, search)
    if isinstance(found, Refusal):
        short = search.traits.identity and identities.pick(session) is None
        return _no_identity(session, row.user) if short else found
    computer = found.computer
    assert computer is not None  # what begins now has one
    generation = placement.take(session, search, computer)
    targets.record(row, children.hold(session, targets.for_search(search, found, generation, rules), now))
    if found.spare:
        row.private_address, row.host_key = found.facts.private_address, found.facts.host_key
    row.revision, row.state, row.reason = search.image.revision, ReservationState.NEW, ""
    what = "preload begins" if row.preload_at else "computer taken"
    audit.note(session, id, "vclab", what, f"{computer.name} on {found.choice.host}", now)
    return _begun(session, row, rules)


def _search(
    session: Session, row: Reservation, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> Search:
    image, window = _image(session, row, rules), window_from_now(row, rules, now)
    return prepare(session, row.id, row.user, image, inventories, window, rules, promised=row.endpoint)


def _begun(session: Session, row: Reservation, rules: Rules) -> Placed:
    """Where the load begins, and which spares must be removed before."""
    placed = placement.placed(session, row, rules)
    return replace(placed, evicted=eviction.evicted_for(session, row.id))


def why_not_begin(session: Session, id: str, inventories: Sequence[Inventory], rules: Rules, now: datetime) -> str:
    """Why ``begin`` would be refused now; empty when it would not. Nothing changes."""
    trial = session.begin_nested()
    try:
        outcome = begin(session, id, inventories, rules, now)
    finally:
        trial.rollback()
    return outcome.text() if isinstance(outcome, Refusal) else ""


def preloaded(session: Session, id: str, facts: Facts, now: datetime) -> bool:
    """It is loaded before its start, and the computer waits for it. Whether that is news."""
    row = locks.reservation(session, id)
    if row.state is not ReservationState.NEW:
        return False
    reservations.loaded(session, row, facts, now)
    row.state = ReservationState.SCHEDULED
    audit.note(session, id, "vclab", "preloaded", row.public_address, now)
    return True


def put_off(
    session: Session,
    id: str,
    reason: str,
    not_clean: str,
    rules: Rules,
    now: datetime,
    keep: float | None = None,
) -> Placed:
    """Its computer is taken back or out of service (``not_clean``): it waits again, with claims and no computer.

    ``keep``: the computer is verified clean and kept with what it holds, a spare for so many seconds. If it can't be
    kept, nothing changes.
    """
    row = locks.reservation(session, id)
    if row.generation and row.state in OPEN_STATES:
        if keep is None:
            computers.give_back(session, targets.of(row), not_clean, now)
        elif why_not := reservations.keep_content(session, row, keep, now):
            audit.note(session, id, "vclab", "not kept", f"{row.computer}: {why_not}", now)
            return placement.placed(session, row, rules)
        target = targets.of(row)  # a lent computer stays promised
        targets.record(row, replace(target, generation=0) if target.traits.lent else targets.on(target, None))
        targets.forget_machine(row)
        row.state, row.reason = ReservationState.SCHEDULED, reason
        audit.note(session, id, "vclab", "preload put off", reason, now)
    return placement.placed(session, row, rules)


def reschedule(
    session: Session,
    id: str,
    start: datetime,
    by: Author,
    inventories: Sequence[Inventory],
    rules: Rules,
    now: datetime,
) -> Placed | Refusal:
    """Move the start, or say why not. The length stays; the place too if it is free then, else it changes.

    The place does not change while a computer is held: the workflow keeps that or gives it back.
    """
    row, now = _locked_after_user(session, id), utc(now)
    seconds = (row.ends - row.starts).total_seconds()
    if start.tzinfo is None:
        return Refusal("the new start has no time zone")
    if row.preload_at is not None and start == row.starts:
        return placement.placed(session, row, rules)
    if row.preload_at is None or row.state not in _WAITING or row.starts <= now:
        return Refusal(f"{id} has begun; only a reservation that has not started can be moved")
    why_not = limits.why_not_start(rules.limits, start, seconds, now)
    if why_not:
        return Refusal(why_not)
    window = window_of(session, row.image, start, seconds, rules, now)
    why_not = placement.why_not_then(session, row.user, by.operator, window, rules, but=id)
    refusal = Refusal(why_not) if why_not else _move_claims(session, row, inventories, window, rules)
    if refusal is not None:
        return refusal
    row.starts, row.preload_at, row.ends = window.start, window.preload_at, window.end
    row.load_seconds, row.reason = window.load_seconds, ""
    tenures.expect(session, row.computer, row.generation, window.claim_ends)
    to = local_time.for_user(session, row.user, window.start)
    audit.note(session, id, by.who, "rescheduled", f"to {to}", now, by.act)
    return placement.placed(session, row, rules)


def _move_claims(
    session: Session, row: Reservation, inventories: Sequence[Inventory], window: Window, rules: Rules
) -> Refusal | None:
    """Move the claims to another time: at the same place, or at another one if no computer is held."""
    needs_identity = targets.of(row).traits.identity
    starts, ends = window.claim_starts, window.claim_ends

    def move() -> None:
        claims.transfer(session, row.id, starts, ends)
        if needs_identity:
            identities.must_last(session, starts, ends, row.id)

    claims.lock_pools(session, [claim.pool for claim in claims.of(session, row.id) if claim.pool])
    try:
        eviction.evicting(session, row.id, starts, move, window.now)
        return None
    except identities.NoIdentity as short:
        moment = local_time.for_user(session, row.user, short.at)
        return Refusal(f"no identity (hostname and addresses) is left at {moment}")
    except (claims.ClaimHeld, claims.NoRoom) as held:
        if row.generation:
            return Refusal(f"its computer is being prepared, and {held}")
    image = _image(session, row, rules)
    search = prepare(session, row.id, row.user, image, inventories, window, rules)
    found = _anew(session, search)
    if isinstance(found, Refusal):
        return found
    targets.record(row, targets.for_search(search, found, 0, rules))
    return None


def _spare(session: Session, search: Search) -> Found | None:
    """Claim the room of a matching spare, which needs no load, instead of the promised place."""
    if search.traits.lent or not spares.any_of(session, search.image):
        return None
    trial = session.begin_nested()
    claims.withdraw(session, search.holder)
    spare = spares.hand_out(session, search)
    if spare is None:
        trial.rollback()
    else:
        trial.commit()
    return spare


def _promised(session: Session, row: Reservation, search: Search) -> Found | Refusal:
    """The place that was promised, if it can be used now."""
    target = targets.of(row)
    choice = Choice(target.endpoint, target.host, target.storage)
    if target.traits.lent:
        machine = lab_machines.usable(session, target.computer, search)
        return machine if isinstance(machine, Refusal) else lab_machines.found(search, machine)
    computer = identities.pick(session)
    if computer is None:
        return _no_identity(session, row.user)
    rooms = pools.rooms(session, search, partial(claims.bookings, but=row.id))
    found = choose(search.need, [_only(room, choice) for room in rooms if room.name == choice.endpoint], 1)
    return found if isinstance(found, Refusal) else Found(choice, computer)


def _anew(session: Session, search: Search) -> Found | Refusal:
    """Claim as if for the first time, without the own claims. If refused, the own claims stay."""
    trial = session.begin_nested()
    claims.withdraw(session, search.holder)
    found = placement.claim_place(session, search)
    if isinstance(found, Refusal):
        trial.rollback()
    else:
        trial.commit()
    return found


def _no_identity(session: Session, user: str) -> Refusal:
    """A refusal that names the holder of the identity that is expected back first."""
    held = sa.select(Tenure).join(Computer, Computer.name == Tenure.computer)
    held = held.where(Tenure.released_at.is_(None), Computer.kind == model.ComputerKind.VIRTUAL)
    first = session.scalar(held.order_by(Tenure.expected_end, Tenure.computer).limit(1))
    if first is None:
        return Refusal("there is no usable identity (hostname and addresses)")
    return Refusal(
        f"all identities (hostname and addresses) are in use; the first expected back is {first.computer}, "
        f"held by {first.holder}, probably until {local_time.for_user(session, user, first.expected_end)}"
    )


def _only(room: EndpointRoom, choice: Choice) -> EndpointRoom:
    """Only the host and the datastore of the choice."""
    return replace(
        room,
        hosts=tuple(host for host in room.hosts if host.facts.name == choice.host),
        datastores=tuple(store for store in room.datastores if store.facts.name == choice.storage),
    )


def _image(session: Session, row: Reservation, rules: Rules) -> model.Image:
    """The revision in production now, if it needs no more than was promised; else the promised one.

    So a reservation made weeks before gets the image as it is on the day, as in VCL.
    """
    target = targets.of(row)
    newest = targets.as_promised(catalog.image(session, row.image), target)
    linked = pools.is_linked(session, target.endpoint, target.storage)
    needed = Amounts(newest.cpus, newest.memory_mb, rules.claimed_gb(newest, linked))
    same = (newest.module, newest.guest) == (target.module, target.guest)
    if same and not targets.amounts_of(target).lacks(needed):
        return newest
    return targets.as_promised(catalog.revision(session, row.image, row.revision), target)


def _locked_after_user(session: Session, id: str) -> Reservation:
    """Lock the user first, as a placement does: else two of their reservations could move onto each other."""
    locks.user(session, session.scalar(sa.select(Reservation.user).where(Reservation.id == id)) or "")
    return locks.reservation(session, id)
