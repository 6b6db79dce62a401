"""Steps that failed for good, and reservations that wait for an operator to mend what made them fail."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.intents import Author
from vclab.model.messages import computer_workflow
from vclab.model.plans import Evidence, Target
from vclab.model.reservations import Trouble
from vclab.model.rules import Health, Rules
from vclab.model.states import OPEN_STATES, ComputerState
from vclab.store import audit, credit, elsewhere, failures, placing
from vclab.store.models import Computer, Reservation, TroubleRow
from vclab.store.types import utc

_SAME = ("at", "computer", "generation", "host", "step", "number", "title", "cause", "in_guest")


def note(session: Session, target: Target, trouble: Trouble, health: Health) -> None:
    """A step failed for good; it may speak against the host or the revision. The same one again changes nothing."""
    reservation = target.reservation
    known = sa.select(TroubleRow.id).where(
        TroubleRow.reservation == reservation,
        TroubleRow.generation == trouble.generation,
        TroubleRow.step == trouble.step,
        TroubleRow.at == utc(trouble.at),
    )
    if session.scalar(known) is not None:
        return
    values = {name: getattr(trouble, name) for name in _SAME}
    session.add(TroubleRow(reservation=reservation, evidence=dataclasses.asdict(trouble.evidence), **values))
    session.flush()
    what = f"{trouble.title} on {trouble.host}: {trouble.cause}"
    audit.note(session, reservation, "vclab", "step failed", what, trouble.at)
    if not trouble.number:
        return  # before the first step nothing of the host or of the image was tried
    blame = trouble.in_guest, trouble.at, health, trouble.blames_nobody
    failures.note(session, target, trouble.step, trouble.cause, *blame)


def of(session: Session, reservation: str) -> list[Trouble]:
    """All steps of a reservation, or of a computer's own loads, that failed for good, oldest first."""
    query = sa.select(TroubleRow).where(TroubleRow.reservation == reservation).order_by(TroubleRow.id)
    return [_trouble(row) for row in session.scalars(query)]


def of_loads(session: Session) -> list[Trouble]:
    """What failed last at each computer that could not be loaded while nobody waited for it, by the computer's name."""
    holder = sa.literal(computer_workflow("")) + Computer.name
    failed = sa.select(sa.func.max(TroubleRow.id)).join(Computer, TroubleRow.reservation == holder)
    failed = failed.where(Computer.state == ComputerState.FAILED).group_by(Computer.name)
    return [_trouble(row) for row in session.scalars(sa.select(TroubleRow).where(TroubleRow.id.in_(failed)))]


def need_help(session: Session, target: Target, seconds: float, reason: str, now: datetime) -> None:
    """It waits for an operator, for at most so long. What was claimed for another place, in vain, is given back."""
    row = placing.locked(session, target.reservation)
    if row.state not in OPEN_STATES:
        return
    elsewhere.abandon(session, target, now)
    row.help_since, row.reason = row.help_since or utc(now), reason
    row.help_until = row.help_since + timedelta(seconds=seconds)
    session.flush()
    audit.note(session, row.id, "vclab", "needs help", reason, now)


def helped(session: Session, id: str, by: Author, how: str, rules: Rules, now: datetime) -> tuple[datetime, str]:
    """An operator has said how it goes on: the user gets the time back. The end as it is now, and what was credited.

    Again, or when it does not wait: nothing changes.
    """
    row = placing.locked(session, id)
    if row.help_since is None or row.state not in OPEN_STATES:
        return row.ends, ""
    audit.note(session, id, by.who, f"resolved: {how}", "", now, by.act)
    text = credit.give(session, row, (utc(now) - row.help_since).total_seconds(), rules, now)
    row.help_since = row.help_until = None
    row.reason = text
    session.flush()
    return row.ends, text


def not_let_in(session: Session, id: str, text: str, addresses: Sequence[str], now: datetime) -> None:
    """Connect was pressed in vain: the computer lets in these addresses, as before, and the text says why no others.

    That it was acknowledged stays: access may be half open, so the computer is not taken for untouched.
    """
    row = placing.locked(session, id)
    if row.state not in OPEN_STATES:
        return
    row.remote_addresses, row.reason = list(addresses), text
    session.flush()
    audit.note(session, id, "vclab", "not let in", text, now)


def waiting(session: Session) -> list[tuple[str, Trouble]]:
    """The reservations that wait for help, and what failed last of each; the longest wait first."""
    waits = sa.select(Reservation.id).where(Reservation.help_since.is_not(None), Reservation.state.in_(OPEN_STATES))
    ids = session.scalars(waits.order_by(Reservation.help_since, Reservation.id)).all()
    last = sa.select(sa.func.max(TroubleRow.id)).where(TroubleRow.reservation.in_(ids))
    rows = session.scalars(sa.select(TroubleRow).where(TroubleRow.id.in_(last.group_by(TroubleRow.reservation))))
    newest = {row.reservation: _trouble(row) for row in rows}
    return [(id, newest[id]) for id in ids if id in newest]


def _trouble(row: TroubleRow) -> Trouble:
    seen = row.evidence
    evidence = Evidence(
        power=str(seen.get("power", "unknown")),
        endpoint=tuple(seen.get("endpoint", ())),
        console=tuple(seen.get("console", ())),
        missing=tuple(seen.get("missing", ())),
    )
    return Trouble(evidence=evidence, **{name: getattr(row, name) for name in _SAME})
