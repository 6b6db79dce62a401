"""The load log: when each step of each load began and ended. Kept for a time; it predicts how long a load takes."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from statistics import median
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.plans import StepInput
from vclab.store.column_types import utc
from vclab.store.inserts import dialect_of, insert
from vclab.store.models import LoadStep

DONE = "done"
FAILED = "failed"
CANCELLED = "cancelled"

_PAST = 20  # loads that the medians are taken of
_STEPS = 24  # of a load, about; with more of them, the medians are taken of fewer loads

_table = LoadStep.metadata.tables[LoadStep.__tablename__]
_log = _table.c
_ONE_ATTEMPT = (
    _log.reservation == sa.bindparam("of"),
    _log.computer == sa.bindparam("on_computer"),
    _log.part == sa.bindparam("of_part"),
    _log.generation == sa.bindparam("in_generation"),
    _log.name == sa.bindparam("of_step"),
    _log.run == sa.bindparam("in_run"),
    _log.attempt == sa.bindparam("in_attempt"),
)


@cache
def _begin(dialect: str) -> Any:
    return insert(dialect, _table).on_conflict_do_nothing()


_END = (
    sa.update(_table)
    .where(*_ONE_ATTEMPT, _log.ended_at.is_(None))
    .values(ended_at=sa.bindparam("end"), outcome=sa.bindparam("how"), detail=sa.bindparam("said"))
)

_first = _table.alias("first")


def _seconds_past(seconds: Callable[[Any, Any], Any]) -> sa.Select[Any]:
    """The newest good attempts, each with the seconds from the step's first attempt to its end.

    The database subtracts the times: reading hundreds of them takes longer than the rest of a placement.
    """
    first = sa.and_(
        _log.attempt > 1,
        _first.c.reservation == _log.reservation,
        _first.c.computer == _log.computer,
        _first.c.part == _log.part,
        _first.c.generation == _log.generation,
        _first.c.name == _log.name,
        _first.c.run == _log.run,
        _first.c.attempt == 1,
    )
    begun = sa.func.coalesce(_first.c.started_at, _log.started_at)
    return (
        sa.select(_log.name, sa.cast(seconds(begun, _log.ended_at), sa.Float))
        .select_from(_table.outerjoin(_first, first))
        .where(
            _log.image == sa.bindparam("of_image"), _log.outcome == DONE, (_log.part != "") == sa.bindparam("captured")
        )
        .order_by(_log.ended_at.desc())
        .limit(sa.bindparam("lines"))
    )


_GOOD = {
    "postgresql": _seconds_past(lambda begun, end: sa.extract("epoch", end - begun)),
    "sqlite": _seconds_past(lambda begun, end: (sa.func.julianday(end) - sa.func.julianday(begun)) * 86400.0),
}


def started(session: Session, step: StepInput, attempt: int, now: datetime) -> None:
    """Record that an attempt of a step began. Repeating it is harmless.

    Plain statements take half the time of mapped objects, and each step of each load writes two rows.
    """
    target = step.target
    line = {
        "reservation": target.reservation,
        "computer": target.computer,
        "part": step.part,
        "generation": target.generation,
        "image": target.image,
        "revision": target.revision,
        "name": step.step,
        "title": step.title,
        "number": step.number,
        "count": step.count,
        "run": step.run,
        "attempt": attempt,
        "started_at": utc(now),
    }
    session.execute(_begin(dialect_of(session)), line)


def ended(session: Session, step: StepInput, attempt: int, outcome: str, detail: str, now: datetime) -> None:
    """Record how an attempt ended (``DONE``, ``FAILED``, ``CANCELLED``). The first record stays."""
    target = step.target
    which = {
        "of": target.reservation,
        "on_computer": target.computer,
        "of_part": step.part,
        "in_generation": target.generation,
        "of_step": step.step,
        "in_run": step.run,
        "in_attempt": attempt,
    }
    session.execute(_END, which | {"end": utc(now), "how": outcome, "said": detail})


def medians(session: Session, image: str, captured: bool = False) -> dict[str, float]:
    """The median seconds of each step of the image's last 20 good loads, from its first attempt on, by step name.
    ``captured``: of its captures instead.

    The log is long, so only its newest rows are read. SQLite counts time in milliseconds.
    """
    found = session.execute(
        _GOOD[dialect_of(session)], {"of_image": image, "lines": _PAST * _STEPS, "captured": captured}
    )
    seconds: dict[str, list[float]] = {}
    for name, took in found:
        times = seconds.setdefault(name, [])
        if took is not None and took >= 0 and len(times) < _PAST:  # else the clock was set back in between
            times.append(took)
    return {name: round(median(times), 3) for name, times in seconds.items()}


def newest(session: Session, reservations: list[str]) -> dict[str, LoadStep]:
    """The newest attempt of each of the reservations."""
    last = sa.select(sa.func.max(LoadStep.id)).where(LoadStep.reservation.in_(reservations))
    query = sa.select(LoadStep).where(LoadStep.id.in_(last.group_by(LoadStep.reservation)))
    return {row.reservation: row for row in session.scalars(query)}


def steps(session: Session, reservation: str) -> list[LoadStep]:
    """All attempts of all steps of a reservation's loads, in order."""
    return list(session.scalars(sa.select(LoadStep).where(LoadStep.reservation == reservation).order_by(LoadStep.id)))


@dataclass(frozen=True)
class Attempt:
    """One attempt of one step, as logged."""

    name: str
    title: str
    number: int
    count: int
    attempt: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    detail: str
    generation: int = 0
    run: int = 0  #: how often the load had been resumed by then


def last_attempt(session: Session, reservation: str) -> Attempt | None:
    """The attempt that began last; None before the first."""
    row = newest(session, [reservation]).get(reservation)
    return None if row is None else Attempt(**{field.name: getattr(row, field.name) for field in fields(Attempt)})


def attempts(session: Session, reservation: str) -> list[Attempt]:
    """All attempts of all steps of a reservation's loads, in order."""
    rows = steps(session, reservation)
    return [Attempt(**{field.name: getattr(row, field.name) for field in fields(Attempt)}) for row in rows]
