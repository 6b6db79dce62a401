"""Tenures: the fact of who holds a computer now. The database refuses a second unreleased one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.errors import Fenced, Refused
from vclab.model.states import Purpose
from vclab.store import locks
from vclab.store.column_types import utc
from vclab.store.models import Tenure

_tenure = sa.inspect(Tenure).local_table.c
_HOLDER = sa.select(_tenure.holder, _tenure.generation).where(
    _tenure.computer == sa.bindparam("computer"), _tenure.released_at.is_(None)
)
# Statements of every record are built once: building one takes as long as running it.
_CURRENT = (
    sa.select(Tenure)
    .where(Tenure.computer == sa.bindparam("of"), Tenure.released_at.is_(None))
    .execution_options(populate_existing=True)
)
_NEWEST = sa.select(sa.func.max(Tenure.generation)).where(Tenure.computer == sa.bindparam("of"))


class TenureHeld(Refused):
    """Somebody else holds the computer."""

    def __init__(self, computer: str, holder: str, expected_end: datetime) -> None:
        super().__init__(f"{computer} is held by {holder}, probably until {expected_end:%Y-%m-%d %H:%M} UTC")
        self.computer, self.holder, self.expected_end = computer, holder, expected_end


def take(
    session: Session,
    computer: str,
    holder: str,
    purpose: Purpose,
    expected_end: datetime,
    now: datetime,
    image: str = "",
    revision: int = 0,
) -> int:
    """Take a computer and return the generation, which counts up by one. Repeated by its holder, it returns the same.

    ``image``, ``revision``: what is loaded under it. Raises ``TenureHeld`` and, for an unknown computer, ``NotFound``.
    """
    locks.computer(session, computer)
    other = current(session, computer)
    asked = holder, purpose, image, revision
    if other is not None and (other.holder, other.purpose, other.image, other.revision) == asked:
        return other.generation
    if other is not None:
        raise TenureHeld(computer, other.holder, other.expected_end)
    newest = session.scalar(_NEWEST, {"of": computer})
    tenure = Tenure(
        computer=computer,
        generation=(newest or 0) + 1,
        holder=holder,
        purpose=purpose,
        image=image,
        revision=revision,
        taken_at=utc(now),
        expected_end=utc(expected_end),
    )
    session.add(tenure)
    session.flush()
    return tenure.generation


def current(session: Session, computer: str | None) -> Tenure | None:
    """The computer's tenure that is not released."""
    return session.scalar(_CURRENT, {"of": computer})


def expect(session: Session, computer: str | None, generation: int, expected_end: datetime) -> None:
    """Change the tenure's expected end."""
    _change(session, computer, generation, expected_end=utc(expected_end))


def release(session: Session, computer: str | None, generation: int, now: datetime) -> None:
    """Release this generation. Repeating it is harmless, and a newer generation is never touched."""
    _change(session, computer, generation, released_at=utc(now))


def held(session: Session, computer: str | None, generation: int) -> bool:
    """Whether exactly this generation holds the computer now."""
    now = current(session, computer)
    return now is not None and now.generation == generation


def released(session: Session, asked: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of the tenures (computer, generation) that are released. One that was never taken is not among them."""
    asked = set(asked)
    names = {computer for computer, _ in asked}
    query = sa.select(Tenure.computer, Tenure.generation).where(
        Tenure.computer.in_(names), Tenure.released_at.is_not(None)
    )
    return {(computer, generation) for computer, generation in session.execute(query)} & asked


def check(session: Session, computer: str, generation: int) -> None:
    """Raise ``Fenced`` unless exactly this generation holds the computer now."""
    # Plain columns, for speed: each step asks several times.
    refuse_unless_held(computer, generation, session.execute(_HOLDER, {"computer": computer}).first())


def refuse_unless_held(computer: str, generation: int, now: sa.Row[*tuple[Any, ...]] | None) -> None:
    """Raise ``Fenced`` unless the holder and generation that were read say so."""
    if now is None:
        raise Fenced(f"{computer} is not held in generation {generation} any more")
    if now.generation != generation:
        raise Fenced(f"{computer} was given to {now.holder} (generation {now.generation}, not {generation})")


def _change(session: Session, computer: str | None, generation: int, **values: datetime) -> None:
    session.execute(
        sa.update(Tenure)
        .where(Tenure.computer == computer, Tenure.generation == generation, Tenure.released_at.is_(None))
        .values(**values)
    )
