"""Computers that nobody has: which of them are switched off, by policy of their group."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.catalog import AfterUse, ComputerKind
from vclab.model.power import can_be_switched
from vclab.model.rules import Rules
from vclab.model.states import BRIEF, ComputerState
from vclab.store.column_types import utc
from vclab.store.models import Claim, Computer, Endpoint, Tenure

AT_ONCE = 8
"""Computers of a site that are switched or checked at one moment: each may keep a worker's thread for minutes."""


def to_switch_off(session: Session, rules: Rules, now: datetime) -> list[str]:
    """Computers that are to be switched off, and of each site no more than may be switched at one moment."""
    query = sa.select(Computer, Endpoint).join(Endpoint, Endpoint.name == Computer.pool)
    query = query.where(*IDLE, Endpoint.after_use != AfterUse.ON, Computer.off_since.is_(None))
    left, found = room(session), []
    for row, endpoint in session.execute(query.order_by(Computer.name)):
        if left.setdefault(endpoint.site, AT_ONCE) > 0 and not why_stays_on(session, row, rules, now):
            left[endpoint.site] -= 1
            found.append(row.name)
    return found


def why_stays_on(session: Session, row: Computer, rules: Rules, now: datetime) -> str:
    """Why a computer is not to be switched off now; empty when it is."""
    endpoint = session.get_one(Endpoint, row.pool) if row.kind is ComputerKind.LAB else None
    if endpoint is None or endpoint.after_use is AfterUse.ON:
        return "its group is left on"
    if not is_idle(session, row.name):
        return "it is not idle"
    traits = rules.modules.get(endpoint.module)
    if traits is None or not can_be_switched(row.power, traits):
        return "nothing is known that could switch it off and on again"
    if traits.reloadable and endpoint.after_use is AfterUse.OFF and not row.image:
        return "it is to be brought back to its image first"
    lately = timedelta(seconds=rules.idle.off_after)
    if _left(session, row.name) > utc(now) - lately:
        return "somebody had it lately"
    return "it is promised to somebody soon" if is_promised(session, row.name, utc(now), lately) else ""


_HELD = sa.exists().where(Tenure.computer == Computer.name, Tenure.released_at.is_(None))
IDLE = (
    Computer.kind == ComputerKind.LAB,
    Computer.removed_at.is_(None),
    Computer.state == ComputerState.AVAILABLE,
    ~Computer.leaving,
    Computer.load_intent == "",
    ~_HELD,
)
"""Nobody has it, it is in service, and no operator wants anything of it."""


def _left(session: Session, computer: str) -> datetime:
    """When somebody held it last."""
    last = sa.select(sa.func.max(Tenure.released_at)).where(Tenure.computer == computer)
    return session.scalar(last) or utc(datetime(1, 1, 1, tzinfo=UTC))


def is_idle(session: Session, computer: str) -> bool:
    """Nobody has it, it is in service, and no operator wants anything of it."""
    return bool(session.scalar(sa.select(sa.exists().where(Computer.name == computer, *IDLE))))


def is_promised(session: Session, computer: str, now: datetime, within: timedelta) -> bool:
    """Somebody is to have it soon. A claim begins before the start of its reservation: with the preload."""
    claims = Claim.computer == computer, Claim.released.is_(False), Claim.ends > now, Claim.starts <= now + within
    return bool(session.scalar(sa.select(sa.exists().where(*claims))))


def room(session: Session) -> dict[str, int]:
    """How many more may be switched or checked, at sites where some are."""
    query = sa.select(Endpoint.site, sa.func.count()).join(Computer, Computer.pool == Endpoint.name)
    query = query.join(Tenure, sa.and_(Tenure.computer == Computer.name, Tenure.released_at.is_(None)))
    query = query.where(Computer.kind == ComputerKind.LAB, Tenure.purpose.in_(BRIEF)).group_by(Endpoint.site)
    return {site: AT_ONCE - busy for site, busy in session.execute(query)}
