"""Resting hosts: nothing is placed on them until a check, a good load or an operator returns them to service."""

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from vclab.model.health import BY_CHECK, BY_FAILURES, Rest
from vclab.model.inventory import PoolKind
from vclab.model.rules import Health
from vclab.store import local_time
from vclab.store.column_types import utc
from vclab.store.models import Endpoint, HostRest, Pool

_RESTING = sa.select(HostRest).where(HostRest.ended_at.is_(None)).order_by(HostRest.since)


def resting(session: Session) -> dict[tuple[str, str], Rest]:
    """All hosts that rest now, by endpoint and host."""
    return {(row.endpoint, row.host): _rest(row) for row in session.scalars(_RESTING)}


def reasons(session: Session, user: str, at_once: bool) -> Mapping[tuple[str, str], str]:
    """Why nothing is placed on these hosts for now, by endpoint and host, with times in the user's zone.

    Not ``at_once``: only those that no check brings back. The others are expected to be back by then.
    """
    found = {host: rest for host, rest in resting(session).items() if at_once or rest.next_check is None}
    if not found:
        return {}
    zone = local_time.zone_of(session, user)
    return {host: rest.text(lambda moment: local_time.shown(moment, zone)) for host, rest in found.items()}


def known_hosts(session: Session) -> list[tuple[str, str]]:
    """Endpoint and name of each host that a survey has found."""
    hosts = sa.select(Pool.endpoint, Pool.resource).join(Endpoint, Endpoint.name == Pool.endpoint)
    hosts = hosts.where(Pool.kind == PoolKind.HOST, Endpoint.removed_at.is_(None)).order_by(Pool.name)
    return [(endpoint, host) for endpoint, host in session.execute(hosts)]


def due(session: Session, now: datetime) -> list[Rest]:
    """The rests whose check is due, longest due first."""
    query = sa.select(HostRest).where(HostRest.ended_at.is_(None), HostRest.next_check <= utc(now))
    return [_rest(row) for row in session.scalars(query.order_by(HostRest.next_check))]


def by_failures(session: Session, endpoint: str, host: str) -> bool:
    """Whether the host rests because loads failed on it."""
    row = _open(session, endpoint, host)
    return row is not None and row.by == BY_FAILURES


def begin(session: Session, endpoint: str, host: str, why: str, health: Health, now: datetime) -> None:
    """The host rests until a check. Each check that returned it to service in vain doubles the pause of the next."""
    if _open(session, endpoint, host) is not None:
        return
    newest = sa.select(HostRest).where(HostRest.endpoint == endpoint, HostRest.host == host)
    last = session.scalar(newest.order_by(HostRest.id.desc()).limit(1))
    in_vain = last is not None and last.ended_by == BY_CHECK and not last.proven
    pause = min(last.pause * 2, health.check_longest) if last and in_vain else health.check_after
    _add(session, endpoint, host, why, BY_FAILURES, now, pause)


def order(session: Session, endpoint: str, host: str, why: str, by: str, now: datetime) -> None:
    """An operator lets a host rest; no check ends that. A host that rests already is the operator's from now on."""
    row = _open(session, endpoint, host)
    if row is None:
        _add(session, endpoint, host, why, by, now)
    else:
        row.by, row.why, row.next_check = by, why, None
    session.flush()


def checked(session: Session, endpoint: str, host: str, found: str, health: Health, now: datetime) -> None:
    """A check found that the host can't be used yet; the next one comes later."""
    row = _open(session, endpoint, host)
    if row is None or row.by != BY_FAILURES:
        return
    row.checks += 1
    row.pause = min(row.pause * 2, health.check_longest)
    row.last_check, row.next_check = found, utc(now) + timedelta(seconds=row.pause)
    session.flush()


def end(session: Session, endpoint: str, host: str, by: str, now: datetime) -> bool:
    """The host is back in service; False when it did not rest."""
    row = _open(session, endpoint, host)
    if row is None:
        return False
    row.ended_at, row.ended_by = utc(now), by
    session.flush()
    return True


def end_all(session: Session, endpoint: str, by: str, now: datetime) -> None:
    """All hosts of an endpoint are back in service."""
    of_endpoint = HostRest.endpoint == endpoint, HostRest.ended_at.is_(None)
    session.execute(sa.update(HostRest).where(*of_endpoint).values(ended_at=utc(now), ended_by=by))


def proven(session: Session, endpoint: str, host: str, now: datetime) -> None:
    """A load succeeded: a host that rests because of failures is back, and one that a check returned is proven."""
    for row in session.scalars(sa.select(HostRest).where(*_unproven(endpoint, host))):
        row.proven = True
        if row.ended_at is None:
            row.ended_at, row.ended_by = utc(now), "a good load"


def unproven(endpoint: str, host: str) -> sa.ColumnElement[bool]:
    """Whether ``proven`` has anything to do."""
    return sa.exists().where(*_unproven(endpoint, host))


def _unproven(endpoint: str, host: str) -> tuple[sa.ColumnElement[bool], ...]:
    by_failures = HostRest.by == BY_FAILURES
    return HostRest.endpoint == endpoint, HostRest.host == host, by_failures, HostRest.proven.is_(False)


def _add(
    session: Session, endpoint: str, host: str, why: str, by: str, now: datetime, pause: float | None = None
) -> None:
    next_check = None if pause is None else utc(now) + timedelta(seconds=pause)
    row = HostRest(
        endpoint=endpoint, host=host, since=utc(now), why=why, by=by, pause=pause or 0.0, next_check=next_check
    )
    with suppress(IntegrityError), session.begin_nested():  # another transaction did so at the same moment
        session.add(row)


def _open(session: Session, endpoint: str, host: str) -> HostRest | None:
    query = sa.select(HostRest).where(HostRest.endpoint == endpoint, HostRest.host == host, HostRest.ended_at.is_(None))
    return session.scalar(query)


def _rest(row: HostRest) -> Rest:
    return Rest(**{field.name: getattr(row, field.name) for field in dataclasses.fields(Rest)})
