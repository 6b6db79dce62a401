"""Placement on lab machines: the claim is on the computer itself, and the database refuses a second one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.inventory import Inventory
from vclab.model.reservations import Refusal
from vclab.model.states import BRIEF, OUT_OF_SERVICE, Purpose
from vclab.placement import Choice, MachineRoom, Promise, choose_machine
from vclab.store import claims, local_time, locks, refusals, tenures
from vclab.store.access import Bars
from vclab.store.models import Claim, Computer
from vclab.store.search import Found, Search


def claim(session: Session, search: Search, may_wait: bool = False, but: str = "") -> Found | Refusal:
    """Claim a machine of the search's endpoints, preferably one that holds the image; never that of the name ``but``.

    ``may_wait``: if none is free, take one that is being loaded with the image, or switched. The machines' rows are
    locked in the order of their names, so of two placements one waits for the other.
    """
    rows = _locked(session, [endpoint.name for endpoint in search.endpoints])
    rows.pop(but, None)
    if not rows:
        groups = ", ".join(endpoint.name for endpoint in search.endpoints)
        return Refusal(
            f"there is no other lab machine at {groups}" if but else f"there is no lab machine yet at {groups}"
        )
    starts, ends = search.need.starts, search.need.ends
    rooms = _rooms(session, search, rows)
    chosen = _choose(session, search, rooms)
    if isinstance(chosen, Refusal) and may_wait:
        soon = [replace(room, held=None) for room in rooms if _is_soon_free(session, room.name, search.image)]
        waiting = choose_machine(starts, ends, soon)
        chosen = chosen if isinstance(waiting, Refusal) else waiting
    if isinstance(chosen, Refusal):
        return refusals.with_machine(chosen, starts, ends, rooms)
    try:
        claims.claim_computer(session, chosen.name, search.holder, starts, ends)
    except claims.ClaimHeld as refused:  # a claim was made without the lock: the database decides
        return Refusal(str(refused))
    return found(search, rows[chosen.name])


def found(search: Search, row: Computer) -> Found:
    """That machine."""
    return Found(Choice(row.pool, row.name, ""), row, kept=search.traits.reloadable and holds(row, search.image))


def holds(row: Computer, image: model.Image) -> bool:
    """Whether it is recorded that it holds that revision, and that nobody could have changed it."""
    return (row.image, row.revision, row.tainted) == (image.name, image.revision, False)


def _rooms(session: Session, search: Search, rows: Mapping[str, Computer]) -> list[MachineRoom]:
    promised = _promises(session, rows, search.need.starts)
    wanted, begun = (search.image.name, search.image.revision), search.need.starts <= search.window.now
    return [
        _not_barred(
            replace(
                _room(session, row, search.heard.get(row.pool), promised.get(row.name, []), begun),
                ready=(row.image, row.revision) == wanted,
            ),
            search.bars,
        )
        for row in rows.values()
    ]


def _not_barred(room: MachineRoom, bars: Bars) -> MachineRoom:
    """What a user may not use lacks that, whatever else it lacks."""
    why_not = bars.why_not(room.endpoint, room.name)
    return replace(room, lacks=(why_not,)) if why_not else room


def _choose(session: Session, search: Search, rooms: Sequence[MachineRoom]) -> MachineRoom | Refusal:
    """A refusal tells times in the user's zone."""
    zone = local_time.zone_of(session, search.user)
    return choose_machine(search.need.starts, search.need.ends, rooms, lambda moment: local_time.shown(moment, zone))


def _is_soon_free(session: Session, name: str, image: model.Image) -> bool:
    """Whether a background load is loading the machine with this revision, or it is being switched."""
    tenure = tenures.current(session, name)
    wanted = Purpose.LOAD, image.name, image.revision
    return tenure is not None and (tenure.purpose in BRIEF or (tenure.purpose, tenure.image, tenure.revision) == wanted)


def usable(session: Session, name: str, search: Search) -> Computer | Refusal:
    """The machine of that name, locked, if the search's reservation, which has the promise, can take it now."""
    row = locks.computer(session, name)
    chosen = _choose(session, search, [_room(session, row, search.heard.get(row.pool), (), at_once=True)])
    return chosen if isinstance(chosen, Refusal) else row


def _room(
    session: Session, row: Computer, inventory: Inventory | None, promised: Sequence[Promise], at_once: bool
) -> MachineRoom:
    """One machine. Its present holder may stay beyond its time: an overrun changes no claim.

    For a later time, what the endpoint sees now (somebody at the console, for example) does not matter.
    """
    tenure = tenures.current(session, row.name) if at_once else None
    lacks, held = tuple(_unfit(row, inventory) if at_once else _out_of_service(row)), None
    if tenure is not None:
        held = Promise(tenure.taken_at, tenure.expected_end, tenure.holder)
        promised = [promise for promise in promised if promise.holder != tenure.holder]
    return MachineRoom(row.pool, row.name, lacks, tuple(promised), held)


def _locked(session: Session, endpoints: Iterable[str]) -> dict[str, Computer]:
    query = (
        sa.select(Computer)
        .where(Computer.kind == model.ComputerKind.LAB, Computer.pool.in_(sorted(endpoints)))
        .where(Computer.removed_at.is_(None))
        .order_by(Computer.name)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.name: row for row in session.scalars(query)}


def _promises(session: Session, names: Iterable[str], since: datetime) -> dict[str, list[Promise]]:
    """The promises of each machine that end after ``since``."""
    found: dict[str, list[Promise]] = {}
    query = sa.select(Claim).where(Claim.computer.in_(sorted(names)), Claim.released.is_(False), Claim.ends > since)
    for row in session.scalars(query.order_by(Claim.starts).execution_options(populate_existing=True)):
        found.setdefault(str(row.computer), []).append(Promise(row.starts, row.ends, row.holder))
    return found


def _unfit(row: Computer, inventory: Inventory | None) -> Iterable[str]:
    """Why the machine can't be used, by its row and by its endpoint's answer."""
    known = [*_out_of_service(row)]
    if known:
        yield from known
        return
    if row.load_intent:
        yield "is to be loaded anew first"
    if inventory is None or inventory.error:
        yield (inventory and inventory.error) or "was not asked"
        return
    facts = next((host for host in inventory.hosts if host.name == row.name), None)
    if facts is None:
        yield "is not listed by its endpoint"
    elif not facts.usable:
        yield facts.why_not or "not usable"


def _out_of_service(row: Computer) -> Iterable[str]:
    if row.state in OUT_OF_SERVICE:
        yield f"is out of service: {row.why_out_of_service}" if row.why_out_of_service else "is out of service"
    if row.leaving:
        yield f"goes out of service when it is free: {row.why_leaving}".removesuffix(": ")
