"""Another place for a reservation whose load failed.

Two records. ``find`` claims the other place beside the one that failed, so that nobody else takes it while what was
made is removed. ``relocate``, after that is verified, gives the old place up and takes the new one: claims, tenure and
row, all in one transaction or none.
"""

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.inventory import Amounts, Inventory
from vclab.model.plans import Target
from vclab.model.reservations import OtherPlace, Placed, Refusal
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES, Purpose
from vclab.placement import Choice
from vclab.store import (
    audit,
    catalog,
    claims,
    computers,
    extension,
    failures,
    lab_machines,
    locks,
    placement,
    pools,
    spares,
    targets,
)
from vclab.store.column_types import utc
from vclab.store.models import Reservation


def find(
    session: Session, target: Target, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> OtherPlace | Refusal:
    """Claim a place that is not the target's host, or say why there is none. Again: the claim is made anew.

    Raises ``NotFound`` for an unknown reservation.
    """
    row, now = locks.reservation(session, target.reservation), utc(now)
    if row.state not in OPEN_STATES or not _is_at(row, target):
        return Refusal(f"{row.id} is not at {target.host} any more")
    _keep(session, target, now)
    if any(inventory.endpoint == target.endpoint and inventory.error for inventory in inventories):
        failures.excuse(session, target, rules.health, now)
    image = catalog.revision(session, row.image, row.revision)
    endpoints = catalog.endpoints_of(session, image)
    starts = now - timedelta(seconds=rules.lead)
    ends = row.ends + timedelta(seconds=rules.turnaround)
    if target.traits.lent:
        return _another_machine(session, row, image, inventories, starts, ends, now)
    choice = placement.choose_beside(session, row, image, endpoints, inventories, starts, ends, now)
    if isinstance(choice, Refusal):
        return choice
    held = _pools(target)
    amounts = pools.wanted(choice, Amounts(image.cpus, image.memory_mb, image.disk_gb))
    wanted = {pool: amount for pool, amount in amounts.items() if pool not in held}
    claims.claim_pools(session, row.id, starts, ends, wanted)
    evicted = spares.evicted_for(session, row.id)
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
    """Give the target's place up, which is verified gone, and take the other one. None: the reservation has ended.

    ``not_clean``: why nobody may get a lab machine that could not be taken back: it goes into maintenance.
    ``lost_seconds`` are given back to the user, as far as no claim stands in the way. Again: the same place.

    Raises ``NotFound`` for an unknown reservation, and ``TenureHeld`` when somebody else has the other computer by now:
    then nothing has changed.
    """
    row, now = locks.reservation(session, target.reservation), utc(now)
    if not _is_at(row, target):
        return placement.placed(session, row, rules)
    if row.state not in OPEN_STATES:
        return None
    computers.give_back(session, target, not_clean, now)
    new = _taken(session, row, target, place, now)
    _keep(session, new, now)
    targets.record(row, new)
    targets.forget_machine(row)
    session.flush()
    audit.note(session, row.id, "vclab", "moved", f"from {target.host} to {new.host}", now)
    extension.credit(session, row, lost_seconds, rules, now)
    return placement.placed(session, row, rules)


def abandon(session: Session, target: Target, now: datetime) -> None:
    """Give back what ``find`` has claimed beside the target's own place. The spares that had to go for it go all the
    same, removed by the reconciler."""
    _keep(session, target, now)
    spares.let_go(session, target.reservation)


def _is_at(row: Reservation, target: Target) -> bool:
    return (row.computer, row.generation) == (target.computer, target.generation)


def _another_machine(
    session: Session,
    row: Reservation,
    image: model.Image,
    inventories: Sequence[Inventory],
    starts: datetime,
    ends: datetime,
    now: datetime,
) -> OtherPlace | Refusal:
    able = catalog.endpoints_of(session, image)
    heard = {inventory.endpoint: _without(inventory, row) for inventory in inventories}
    machine = lab_machines.claim(session, able, heard, row.id, row.user, starts, ends, now, image)
    if isinstance(machine, Refusal):
        return machine
    return OtherPlace(machine[0], machine[1].name, "", machine[1].name)


def _without(inventory: Inventory, row: Reservation) -> Inventory:
    """What the endpoint said, but that the machine that failed can't be had."""
    if inventory.endpoint != row.endpoint:
        return inventory
    hosts = (
        dataclasses.replace(host, usable=False, why_not="its load failed here") if host.name == row.host else host
        for host in inventory.hosts
    )
    return dataclasses.replace(inventory, hosts=tuple(hosts))


def _taken(session: Session, row: Reservation, old: Target, place: OtherPlace, now: datetime) -> Target:
    """The same machine in the other place, under a tenure of its own."""
    computer = locks.computer(session, place.computer)
    image = catalog.revision(session, old.image, old.revision)
    until = max((claim.ends for claim in claims.of(session, row.id)), default=row.ends)
    generation = computers.take(session, computer, row.id, Purpose.RESERVATION, image, old.traits.lent, until, now)
    endpoint = next(each for each in catalog.endpoints(session, old.module) if each.name == place.endpoint)
    new = targets.at(old, endpoint, Choice(place.endpoint, place.host, place.storage))
    return targets.on(new, computer, generation)


def _pools(target: Target) -> set[str]:
    return set(pools.wanted(Choice(target.endpoint, target.host, target.storage), Amounts()))


def _keep(session: Session, target: Target, now: datetime) -> None:
    """Release the reservation's claims on everything but the target's place."""
    if target.traits.lent:
        claims.keep(session, target.reservation, (), (target.computer,), now)
    else:
        claims.keep(session, target.reservation, _pools(target), (), now)
