"""Switching a computer by hand: under a tenure of its own, so that nobody gets it meanwhile."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.catalog import ComputerKind
from vclab.model.errors import NotFound, Refused
from vclab.model.intents import Author
from vclab.model.messages import power_workflow
from vclab.model.plans import Target
from vclab.model.power import PowerAddress, PowerOrder, PowerSeen, PowerVerb, Switch
from vclab.model.rules import Rules
from vclab.model.states import BRIEF, Purpose
from vclab.store import audit, catalog, idle, locks, targets, tenures
from vclab.store.column_types import utc
from vclab.store.models import Computer, Reservation, Tenure

LONGEST = timedelta(hours=1)
"""For which a computer is switched, at the most: a soft shutdown and the waits around it."""
_NOT_SET = "give it one with `vclab computer edit {} --bmc ADDRESS`"


BRIEFLY = timedelta(minutes=30)
"""The same where vclab itself switches an idle one off."""


def begin(session: Session, given: Switch, by: Author, rules: Rules, now: datetime) -> PowerOrder:
    """What is to be done, and where. What changes something holds the computer meanwhile, unless somebody holds it and
    it is forced. Without an intent, vclab itself switches one off that is idle. Repeated, it is the same. Raises
    ``NotFound`` and ``Refused``."""
    row = locks.computer(session, given.computer)
    if row.removed_at is not None:
        raise NotFound(f"there is no computer {given.computer}")
    holder, held = power_workflow(given.computer), tenures.current(session, given.computer)
    if not given.intent and (held is None or held.holder != holder):
        _must_be_idle(session, given, row, rules, now)
    order = _order(session, given, row, held, rules)
    if not given.changes:
        return order
    text = f"{given.verb} {given.device}".strip()
    if held is not None and held.holder != holder:
        if not given.forced:
            raise Refused(f"{given.computer} is held by {held.holder}", "use --force to switch it all the same")
        audit.note(session, holder, by.who, "power", f"{text}, though it is held by {held.holder}", utc(now), by.act)
        return order
    until = now + (LONGEST if given.intent else BRIEFLY)
    generation = tenures.take(session, given.computer, holder, Purpose.POWER, until, now)
    audit.note(session, holder, by.who, "power", text if given.intent else f"{text}: nobody needs it", utc(now), by.act)
    return _in(order, generation)


def end(session: Session, order: PowerOrder, seen: PowerSeen, why_not: str, now: datetime) -> None:
    """It is done, or was not (``why_not``); the computer is free again."""
    if not order.switch.changes:
        return
    computer = order.switch.computer
    text = why_not or f"seen: {seen.device or seen.power}"
    audit.note(session, power_workflow(computer), "vclab", "power failed" if why_not else "power", text, utc(now))
    if order.generation:
        if not why_not:
            _note_state(session, order, seen, now)
        tenures.release(session, computer, order.generation, now)


def _note_state(session: Session, order: PowerOrder, seen: PowerSeen, now: datetime) -> None:
    """One that was switched off is on when somebody needs it. Where off is only silence, it is unknown what is seen."""
    row = locks.computer(session, order.switch.computer)
    if order.switch.verb is PowerVerb.OFF and seen.power != "on" and row.kind is ComputerKind.LAB:
        row.off_since = utc(now)
    elif order.switch.verb in (PowerVerb.ON, PowerVerb.RESET):
        row.off_since = None
    session.flush()


def _must_be_idle(session: Session, given: Switch, row: Computer, rules: Rules, now: datetime) -> None:
    """Raises ``Refused``."""
    if given.verb is not PowerVerb.OFF or given.forced:
        raise Refused("this switch has no recorded intent", "send it with vclab, which records the intent first")
    if why_not := idle.why_stays_on(session, row, rules, now):
        raise Refused(f"{row.name} is not switched off: {why_not}")


def release_lost(session: Session, now: datetime) -> None:
    """Tenures of workflows that were terminated: none lasts as long."""
    lost = Tenure.released_at.is_(None), Tenure.purpose.in_(BRIEF), Tenure.expected_end <= utc(now)
    for row in session.scalars(sa.select(Tenure).where(*lost)).all():
        tenures.release(session, row.computer, row.generation, now)


def order_of(session: Session, given: Switch, row: Computer, generation: int, rules: Rules) -> PowerOrder:
    """How a computer is switched that is held in this generation, by nobody's reservation. Raises ``Refused``."""
    return _in(_order(session, given, row, None, rules), generation)


def references(session: Session) -> dict[str, str]:
    """Where the passwords of BMCs are among the secrets, by computer."""
    has = Computer.power_password_ref != "", Computer.removed_at.is_(None)
    rows = session.execute(sa.select(Computer.name, Computer.power_password_ref).where(*has))
    return {row.name: row.power_password_ref for row in rows}


def address_of(row: Computer) -> PowerAddress:
    """Where it is switched by itself."""
    return PowerAddress(row.power, row.power_password_ref, row.power_fingerprint)


def address(session: Session, name: str) -> PowerAddress:
    """The same of a computer by name. Raises ``NotFound``."""
    row = session.get(Computer, name)
    if row is None:
        raise NotFound(f"there is no computer {name}")
    return address_of(row)


def set_address(session: Session, name: str, address: PowerAddress) -> None:
    """From now on it is switched there. Raises as ``set_addresses``."""
    set_addresses(session, {name: address})


def set_addresses(session: Session, addresses: Mapping[str, PowerAddress]) -> None:
    """From now on these computers are switched there; two of them may exchange their BMCs.

    Raises ``NotFound``, and ``Refused`` where two computers would be one.
    """
    rows = [_lab_row(session, name) for name in sorted(addresses)]
    switched = Computer.power.not_in(("", "none")), Computer.removed_at.is_(None)
    others = session.execute(sa.select(Computer.power, Computer.name).where(*switched))
    owners = {row.power: row.name for row in others if row.name not in addresses}
    for row in rows:
        at = addresses[row.name]
        other = owners.setdefault(at.address, row.name)
        if at.address not in ("", "none") and other != row.name:
            raise Refused(f"{other} is switched at {at.address}", "each computer has a BMC of its own")
        row.power, row.power_password_ref, row.power_fingerprint = at.address, at.password_ref, at.fingerprint
    session.flush()


def _lab_row(session: Session, name: str) -> Computer:
    """Locked. Raises ``NotFound`` and ``Refused``."""
    row = locks.computer(session, name)
    if row.removed_at is not None:
        raise NotFound(f"there is no computer {name}")
    if row.kind is not ComputerKind.LAB:
        raise Refused(f"{name} is a virtual machine's identity: its endpoint switches it")
    return row


def _order(session: Session, given: Switch, row: Computer, held: Tenure | None, rules: Rules) -> PowerOrder:
    if row.power:
        return PowerOrder(given, catalog.endpoint(session, row.pool).site, address_of(row))
    target = _target(session, row, held) or _idle_target(session, row, rules)
    operation = given.verb.operation
    if target is None or operation is None or not target.traits.can(operation):
        raise Refused(_why_not(row, target, given.verb), _NOT_SET.format(row.name) if _is_lab(row) else "")
    return PowerOrder(given, target.site, PowerAddress(), target)


def _why_not(row: Computer, target: Target | None, verb: PowerVerb) -> str:
    if target is None and not _is_lab(row):
        return f"{row.name} has no machine now: each reservation makes one"
    if verb is PowerVerb.CONSOLE:
        return f"{row.name} has no BMC that is known, and so no serial console"
    return f"nothing is known that could {'tell' if verb is PowerVerb.STATUS else 'change'} the power of {row.name}"


def _is_lab(row: Computer) -> bool:
    return row.kind is ComputerKind.LAB


def _in(order: PowerOrder, generation: int) -> PowerOrder:
    """The same, under the tenure of that generation."""
    return replace(order, generation=generation, target=order.target and replace(order.target, generation=generation))


def _target(session: Session, row: Computer, held: Tenure | None) -> Target | None:
    """Of the reservation that holds it."""
    reservation = session.get(Reservation, held.holder) if held is not None else None
    return targets.of(reservation) if reservation is not None and reservation.computer == row.name else None


def _idle_target(session: Session, row: Computer, rules: Rules) -> Target | None:
    """Of one that is lent, and that no reservation holds."""
    if not _is_lab(row):
        return None
    return targets.of_idle(power_workflow(row.name), row, catalog.endpoint(session, row.pool), 0, rules)
