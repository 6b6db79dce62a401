"""Relocation: another place for a reservation whose load failed.

Two records. ``find`` claims the other place beside the one that failed, so that nobody else takes it while what was
made is removed. ``relocate``, after that is verified, gives the old place up and takes the new one: claims, tenure and
row, all in one transaction or none.
"""

import dataclasses
import functools
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from vclab.model.inventory import Amounts, Inventory
from vclab.model.plans import Target
from vclab.model.reservations import OtherPlace, Placed, Refusal
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES, Purpose
from vclab.placement import Choice, choose
from vclab.store import (
    audit,
    catalog,
    children,
    claims,
    computers,
    eviction,
    extension,
    failures,
    lab_machines,
    locks,
    placement,
    pools,
    targets,
)
from vclab.store.column_types import utc
from vclab.store.models import Reservation
from vclab.store.search import Search, prepare, window_from_now


def find(
    session: Session, target: Target, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> OtherPlace | Refusal:
    """Claim a place on another host than the target's, or say why there is none. Repeated, it claims anew.

    Raises ``NotFound`` for an unknown reservation.
    """
    row, now = locks.reservation(session, target.reservation), utc(now)
    if row.state not in OPEN_STATES or not _is_at(row, target):
        return Refusal(f"{row.id} is not at {target.host} any more")
    _keep(session, target, now)
    if any(inventory.endpoint == target.endpoint and inventory.error for inventory in inventories):
        failures.excuse(session, target, rules.health, now)
    search = _search(session, row, inventories, rules, now)
    if target.traits.lent:
        return _another_machine(session, row, search)
    choice = _choose_beside(session, row, placement.lock_room(session, search))
    if isinstance(choice, Refusal):
        return choice
    held = _pools(target)
    amounts = pools.wanted(choice, search.amounts_at(choice))
    wanted = {pool: amount for pool, amount in amounts.items() if pool not in held}
    claims.claim_pools(session, row.id, search.need.starts, search.need.ends, wanted)
    evicted = eviction.evicted_for(session, row.id)
    return OtherPlace(choice.endpoint, choice.host, choice.storage, target.computer, evicted)


def relocate(
    session: Session,
    target: Target,
    place: OtherPlace,
    not_clean: str,
    lost_seconds: float,
    rules: Rules,
    now: datetime,
) -> Placed | None:
    """Leave the target's place, which is verified gone, and take the other one. None: the reservation has ended.

    ``not_clean``: why a lab machine goes out of service. ``lost_seconds`` are credited to the user as far as no other
    claim begins. Repeated, it returns the same place.

    Raises ``NotFound`` for an unknown reservation, and ``TenureHeld`` when somebody else has the other computer by now:
    then nothing has changed.
    """
    row, now = locks.reservation(session, target.reservation), utc(now)
    if not _is_at(row, target):
        return placement.placed(session, row, rules)
    if row.state not in OPEN_STATES:
        return None
    computers.give_back(session, target, not_clean, now)
    new = _taken(session, row, target, place, rules, now)
    _keep(session, new, now)
    targets.record(row, new)
    targets.forget_machine(row)
    session.flush()
    audit.note(session, row.id, "vclab", "moved", f"from {target.host} to {new.host}", now)
    extension.credit(session, row, lost_seconds, rules, now)
    return placement.placed(session, row, rules)


def abandon(session: Session, target: Target, now: datetime) -> None:
    """Release what ``find`` has claimed beside the target's own place. The reconciler removes the evicted spares."""
    _keep(session, target, now)
    eviction.let_go(session, target.reservation)


def _is_at(row: Reservation, target: Target) -> bool:
    return (row.computer, row.generation) == (target.computer, target.generation)


def _search(
    session: Session, row: Reservation, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> Search:
    """For the same revision, at any endpoint that has it."""
    image = targets.as_promised(catalog.revision(session, row.image, row.revision), targets.of(row))
    window = window_from_now(row, rules, now, rules.lead)
    return prepare(session, row.id, row.user, image, inventories, window, rules)


def _choose_beside(session: Session, row: Reservation, search: Search) -> Choice | Refusal:
    """Where else the machine of a reservation can go, or why nowhere. Nothing is claimed.

    If there is no room, spares are evicted. The reservation's own claims do not count: its machine is removed first.
    """
    failed = {(row.endpoint, row.host): "its load failed here"}
    search = dataclasses.replace(search, resting={**search.resting, **failed})
    promised = functools.partial(claims.bookings, but=row.id)
    choice = choose(search.need, pools.rooms(session, search, promised), 1)
    if isinstance(choice, Refusal):
        firm = pools.rooms(session, search, functools.partial(promised, spares=False))
        return eviction.evict(session, search, firm) or choice
    return choice


def _another_machine(session: Session, row: Reservation, search: Search) -> OtherPlace | Refusal:
    heard = {name: _without(inventory, row) for name, inventory in search.heard.items()}
    found = lab_machines.claim(session, dataclasses.replace(search, heard=heard))
    if isinstance(found, Refusal):
        return found
    return OtherPlace(found.choice.endpoint, found.choice.host, "", found.choice.host)


def _without(inventory: Inventory, row: Reservation) -> Inventory:
    """The endpoint's answer with the machine that failed marked as not usable."""
    if inventory.endpoint != row.endpoint:
        return inventory
    hosts = (
        dataclasses.replace(host, usable=False, why_not="its load failed here") if host.name == row.host else host
        for host in inventory.hosts
    )
    return dataclasses.replace(inventory, hosts=tuple(hosts))


def _taken(session: Session, row: Reservation, old: Target, place: OtherPlace, rules: Rules, now: datetime) -> Target:
    """The same machine in the other place, under a tenure of its own."""
    computer = locks.computer(session, place.computer)
    image = targets.as_promised(catalog.revision(session, old.image, old.revision), old)
    until = claims.last_end(session, row.id, row.ends)
    kept = old.traits.reloadable and lab_machines.holds(computer, image)  # of this computer, not of the one before
    generation = computers.take(session, computer, row.id, Purpose.RESERVATION, image, old.traits.lent, until, now)
    endpoint = next(each for each in catalog.endpoints(session, old.module) if each.name == place.endpoint)
    claimed_gb = rules.claimed_gb(image, pools.is_linked(session, place.endpoint, place.storage))
    new = targets.at(old, endpoint, Choice(place.endpoint, place.host, place.storage), claimed_gb)
    return children.hold(session, dataclasses.replace(targets.on(new, computer, generation), kept=kept), now)


def _pools(target: Target) -> set[str]:
    return set(pools.wanted(Choice(target.endpoint, target.host, target.storage), Amounts()))


def _keep(session: Session, target: Target, now: datetime) -> None:
    """Release the reservation's claims on everything but the target's place."""
    if target.traits.lent:
        claims.keep(session, target.reservation, (), (target.computer,), now)
    else:
        claims.keep(session, target.reservation, _pools(target), (), now)
