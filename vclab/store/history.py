"""Who had which computer, addresses and revision from when to when, and how it ended. Whose it was is kept for a time.

A stay is a tenure with what its reservation says of it. Addresses have a table of their own: a computer may get others
while it is held, and the reservation only has the last.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.orm import Session

from vclab.model.errors import NotFound
from vclab.model.states import Ending, Purpose
from vclab.store.column_types import utc
from vclab.store.models import Addresses, Reservation, Tenure

_AT_A_TIME = 1000  # tenures whose addresses are read in one query


@dataclass(frozen=True)
class AddressSpan:
    """The addresses of a computer from ``since`` on, until ``until`` (None: still)."""

    private_address: str
    public_address: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Stay:
    """One tenure of a computer. The fields of a reservation are empty when something else held it."""

    id: int  #: of the tenure
    computer: str
    generation: int
    holder: str  #: the reservation's id, or what else held it
    purpose: Purpose
    taken_at: datetime
    released_at: datetime | None  #: when the computer was verified gone or clean; None: still held
    user: str = ""
    requested_by: str = ""
    image: str = ""
    revision: int = 0
    endpoint: str = ""
    host: str = ""
    ready_at: datetime | None = None
    connected_at: datetime | None = None
    ended_at: datetime | None = None  #: when it ended for the user
    ending: Ending | None = None
    addresses: tuple[AddressSpan, ...] = ()


def plain_address(text: str) -> str:
    """An address as it is stored: IPv6 in its short form, in lower case. Other text does not change."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return text.strip()


def note_addresses(session: Session, computer: str, generation: int, private: str, public: str, now: datetime) -> None:
    """From ``now`` on the computer has these addresses. The same as before, or none at first, are not recorded."""
    addresses = plain_address(private), plain_address(public)
    of_tenure = sa.and_(Addresses.computer == computer, Addresses.generation == generation)
    last = session.scalar(sa.select(Addresses).where(of_tenure).order_by(Addresses.id.desc()).limit(1))
    known = (last.private_address, last.public_address) if last else ("", "")
    if addresses == known:
        return
    session.add(
        Addresses(
            computer=computer,
            generation=generation,
            since=utc(now),
            private_address=addresses[0],
            public_address=addresses[1],
        )
    )


def stays(
    session: Session,
    computer: str = "",
    user: str = "",
    address: str = "",
    at: datetime | None = None,
    limit: int = 1000,
    before: int = 0,
) -> list[Stay]:
    """The newest ``limit`` stays that match all arguments, newest first. ``before``: only older ones than the stay of
    this id. Raises ``NotFound`` when there is none.

    ``at``: the stays of that moment; with ``address`` too: those whose computer had the address then.
    """
    query = sa.select(Tenure, Reservation).outerjoin(Reservation, Reservation.id == Tenure.holder)
    if computer:
        query = query.where(Tenure.computer == computer)
    if user:
        query = query.where(Reservation.user == user)
    if address:
        had = _with_address(plain_address(address), utc(at) if at else None)
        query = query.where(sa.tuple_(Tenure.computer, Tenure.generation).in_(had))
    if at is not None:
        moment = utc(at)
        query = query.where(Tenure.taken_at <= moment)
        query = query.where(sa.or_(Tenure.released_at.is_(None), Tenure.released_at > moment))
    if before:
        there = session.get(Tenure, before)
        if there is None:
            raise NotFound(f"there is no stay {before}", "begin again without a cursor")
        query = query.where(sa.tuple_(Tenure.taken_at, Tenure.id) < sa.tuple_(there.taken_at, there.id))
    query = query.order_by(Tenure.taken_at.desc(), Tenure.id.desc())
    rows = [(tenure, row) for tenure, row in session.execute(query.limit(limit))]
    spans = _spans(session, [tenure for tenure, _ in rows])
    return [_stay(tenure, row, spans.get((tenure.computer, tenure.generation), ())) for tenure, row in rows]


def _with_address(address: str, moment: datetime | None) -> sa.Select[str, int]:
    """Which computers had it, in which generations; at that moment, if there is one."""
    either = sa.or_(Addresses.private_address == address, Addresses.public_address == address)
    query = sa.select(Addresses.computer, Addresses.generation).where(either)
    if moment is None:
        return query
    later = orm.aliased(Addresses)
    same = sa.and_(later.computer == Addresses.computer, later.generation == Addresses.generation)
    changed = sa.exists().where(same, later.id > Addresses.id, later.since <= moment)
    return query.where(Addresses.since <= moment, ~changed)


def _spans(session: Session, tenures: Sequence[Tenure]) -> dict[tuple[str, int], tuple[AddressSpan, ...]]:
    """The addresses of these tenures, in order: each until the next one, the last until the release."""
    ends = {(t.computer, t.generation): t.released_at for t in tenures}
    rows: dict[tuple[str, int], list[Addresses]] = {}
    of_tenure = sa.tuple_(Addresses.computer, Addresses.generation)
    for first in range(0, len(ends), _AT_A_TIME):
        some = list(ends)[first : first + _AT_A_TIME]
        for row in session.scalars(sa.select(Addresses).where(of_tenure.in_(some)).order_by(Addresses.id)):
            rows.setdefault((row.computer, row.generation), []).append(row)
    return {
        tenure: tuple(
            AddressSpan(row.private_address, row.public_address, row.since, until)
            for row, until in zip(of_one, [*(later.since for later in of_one[1:]), ends[tenure]], strict=True)
        )
        for tenure, of_one in rows.items()
    }


def _stay(tenure: Tenure, row: Reservation | None, spans: tuple[AddressSpan, ...]) -> Stay:
    stay = Stay(
        id=tenure.id,
        computer=tenure.computer,
        generation=tenure.generation,
        holder=tenure.holder,
        purpose=tenure.purpose,
        taken_at=tenure.taken_at,
        released_at=tenure.released_at,
        image=tenure.image,
        revision=tenure.revision,
        addresses=spans,
    )
    return stay if row is None else _of_reservation(stay, row)


def _of_reservation(stay: Stay, row: Reservation) -> Stay:
    """The stay with what its reservation says. What happened later on another computer is not part of it."""
    stay = replace(stay, user=row.user, requested_by=row.requested_by, image=row.image, revision=row.revision)
    if (row.computer, row.generation) != (stay.computer, stay.generation):
        return stay
    return replace(
        stay,
        endpoint=row.endpoint,
        host=row.host,
        ready_at=row.ready_at,
        connected_at=row.connected_at,
        ended_at=row.ended_at,
        ending=row.ending,
    )
