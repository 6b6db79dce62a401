"""Computers that an operator takes out of service: now, or when nobody holds them; for good, or until a time."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.errors import NotFound
from vclab.model.messages import computer_workflow
from vclab.model.states import OUT_OF_SERVICE, ComputerState
from vclab.store import audit, catalog, computers, locks, tenures
from vclab.store.column_types import utc
from vclab.store.models import Computer, Tenure


def take_out(session: Session, name: str, why: str, when_free: bool, until: datetime | None) -> None:
    """Out of service, now or (``when_free``) as soon as nobody holds it, and not given to anybody else before.

    ``until``: it comes back by itself then. Raises ``NotFound``, and ``Refused`` while somebody holds it.
    """
    row = locks.computer(session, name)
    if row.removed_at is not None:
        raise NotFound(f"there is no computer {name}")
    if when_free and tenures.current(session, name) is not None:
        row.leaving, row.why_leaving = True, why
    else:
        catalog.set_computer(session, name, ComputerState.MAINTENANCE, why=why)
    row.returns_at = utc(until) if until else None
    session.flush()


def put_back(session: Session, name: str) -> None:
    """In service; one that was to leave stays. Raises ``NotFound``, and ``Refused`` while somebody holds another."""
    row = locks.computer(session, name)
    if row.leaving and tenures.current(session, name) is not None:
        row.stay()
        session.flush()
    else:
        catalog.set_computer(session, name, ComputerState.AVAILABLE)


def tend(session: Session, now: datetime) -> None:
    """Those that were to go when they are free go, those whose time has come return. It is in the audit."""
    held = sa.exists().where(Tenure.computer == Computer.name, Tenure.released_at.is_(None))
    query = sa.select(Computer.name).where(Computer.removed_at.is_(None))
    for name in session.scalars(query.where(Computer.leaving, ~held).order_by(Computer.name)).all():
        row = locks.computer(session, name)
        if row.leaving and tenures.current(session, name) is None:
            _go(session, row, now)
    for name in session.scalars(query.where(Computer.returns_at <= utc(now)).order_by(Computer.name)).all():
        _come_back(session, locks.computer(session, name), now)
    session.flush()


def _go(session: Session, row: Computer, now: datetime) -> None:
    """One that is out of service for another reason, such as what its last user left, does not come back by itself."""
    if row.state in OUT_OF_SERVICE:
        row.stay()
        return
    why, until = row.why_leaving or "an operator has asked for it", row.returns_at
    computers.put_out_of_service(row, ComputerState.MAINTENANCE, why)
    row.returns_at = until
    _note(session, row, "out of service", why, now)


def _come_back(session: Session, row: Computer, now: datetime) -> None:
    row.stay()
    if row.state is ComputerState.MAINTENANCE:
        computers.return_to_service(row)
        _note(session, row, "in service again", "its time has come", now)


def _note(session: Session, row: Computer, what: str, detail: str, now: datetime) -> None:
    audit.note(session, computer_workflow(row.name), "vclab", what, detail, utc(now))
