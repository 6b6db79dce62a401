"""What uses a thing of the catalog now or later: reservations that are not finished, claims, tenures and spares.

Each function returns their names, in order: ids of reservations, ids of background loads, ``spare-<computer>``.
"""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.catalog import ComputerKind
from vclab.store.models import Claim, Computer, Pool, Reservation, Spare, Tenure

_SHOWN = 3


def of_user(session: Session, login: str) -> list[str]:
    """Their reservations."""
    return _names(session, _reservations(Reservation.user == login))


def of_image(session: Session, name: str) -> list[str]:
    """Its reservations, background loads and spares."""
    loads = sa.select(Tenure.holder).where(Tenure.image == name, Tenure.released_at.is_(None))
    return _names(session, _reservations(Reservation.image == name), loads, _spares(Spare.image == name))


def of_endpoint(session: Session, name: str) -> list[str]:
    """What has a computer or room of it."""
    machines = sa.select(Computer.name).where(Computer.kind == ComputerKind.LAB, Computer.pool == name)
    pools = sa.select(Pool.name).where(Pool.endpoint == name)
    claimed = sa.or_(Claim.pool.in_(pools), Claim.computer.in_(machines))
    return _names(
        session,
        _reservations(Reservation.endpoint == name),
        sa.select(Claim.holder).where(Claim.released.is_(False), claimed),
        sa.select(Tenure.holder).where(Tenure.released_at.is_(None), Tenure.computer.in_(machines)),
        _spares(Spare.endpoint == name),
    )


def of_computer(session: Session, name: str) -> list[str]:
    """Who holds it or is promised it."""
    return _names(
        session,
        sa.select(Claim.holder).where(Claim.released.is_(False), Claim.computer == name),
        sa.select(Tenure.holder).where(Tenure.released_at.is_(None), Tenure.computer == name),
        _spares(Spare.computer == name),
    )


def shown(users: list[str]) -> str:
    """The first few of them, for a message."""
    more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
    return f"{', '.join(users[:_SHOWN])}{more}"


def _reservations(which: sa.ColumnElement[bool]) -> sa.Select[str]:
    return sa.select(Reservation.id).where(which, Reservation.finished_at.is_(None))


def _spares(which: sa.ColumnElement[bool]) -> sa.Select[str]:
    return sa.select(sa.literal("spare-") + Spare.computer).where(which)


def _names(session: Session, *queries: sa.Select[str]) -> list[str]:
    return sorted({name for query in queries for name in session.scalars(query)})
