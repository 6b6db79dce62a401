"""Locks of single rows. A locked row is nobody else's until the transaction ends, and is read anew.

Locks are taken in one order everywhere: the user, the reservation, the pools by name, the identities, the computers by
name, a site. So two transactions wait for each other, and neither is broken off.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.errors import NotFound
from vclab.store.models import Computer, Endpoint, Reservation, User


def _locked(kind: type[Any], key: Any) -> sa.Select[Any]:
    query = sa.select(kind).where(key == sa.bindparam("key"))
    return query.with_for_update(key_share=True).execution_options(populate_existing=True)


# Built once: building a statement takes as long as running it.
_USER = _locked(User, User.login)
_RESERVATION = _locked(Reservation, Reservation.id)
_COMPUTER = _locked(Computer, Computer.name)


def user(session: Session, login: str) -> User | None:
    """The user's row; None when there is none."""
    row: User | None = session.scalar(_USER, {"key": login})
    return row


def reservation(session: Session, id: str) -> Reservation:
    """The reservation's row. Raises ``NotFound``."""
    row: Reservation | None = session.scalar(_RESERVATION, {"key": id})
    if row is None:
        raise NotFound(f"there is no reservation {id}")
    return row


def computer(session: Session, name: str) -> Computer:
    """The computer's row. Raises ``NotFound``."""
    row: Computer | None = session.scalar(_COMPUTER, {"key": name})
    if row is None:
        raise NotFound(f"there is no computer {name}")
    return row


def site(session: Session, name: str) -> None:
    """All endpoints of a site: what is counted there stays so until the transaction ends."""
    query = sa.select(Endpoint.name).where(Endpoint.site == name).order_by(Endpoint.name)
    session.execute(query.with_for_update(key_share=True)).all()
