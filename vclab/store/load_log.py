"""The load log: when each step of each load began and ended. Kept for good; past loads tell how long one takes."""

from dataclasses import dataclass, fields
from datetime import datetime
from statistics import median

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from vclab.model.plans import StepInput
from vclab.store.models import LoadStep
from vclab.store.types import utc

DONE = "done"
FAILED = "failed"
CANCELLED = "cancelled"

_PAST = 20  # loads that the medians go by
_STEPS = 24  # of a load, at most; more only mean that the medians go by fewer loads

_log = sa.inspect(LoadStep).local_table.c
_ONE_ATTEMPT = (
    _log.reservation == sa.bindparam("of"),
    _log.generation == sa.bindparam("in_generation"),
    _log.name == sa.bindparam("of_step"),
    _log.run == sa.bindparam("in_run"),
    _log.attempt == sa.bindparam("in_attempt"),
)
_END = (
    sa.update(LoadStep.__table__)  # type: ignore[arg-type]
    .where(*_ONE_ATTEMPT, _log.ended_at.is_(None))
    .values(ended_at=sa.bindparam("end"), outcome=sa.bindparam("how"), detail=sa.bindparam("said"))
)


def started(session: Session, step: StepInput, attempt: int, now: datetime) -> None:
    """Note that an attempt of a step began; a second note of the same attempt changes nothing.

    Written as plain statements, which take half the time of mapped objects: each step of each load writes two lines.
    """
    target = step.target
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    line = {
        "reservation": target.reservation,
        "computer": target.computer,
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
    session.execute(insert(LoadStep.__table__).on_conflict_do_nothing(), line)  # type: ignore[arg-type]


def ended(session: Session, step: StepInput, attempt: int, outcome: str, detail: str, now: datetime) -> None:
    """Note how an attempt ended (``DONE``, ``FAILED``, ``CANCELLED``); the first note stays."""
    target = step.target
    which = {
        "of": target.reservation,
        "in_generation": target.generation,
        "of_step": step.step,
        "in_run": step.run,
        "in_attempt": attempt,
    }
    session.execute(_END, which | {"end": utc(now), "how": outcome, "said": detail})


def medians(session: Session, image: str) -> dict[str, float]:
    """Seconds that each step of the image's last 20 good loads took, from its first attempt on, by step name.

    The log is kept for good, so only its newest lines are read.
    """
    first = aliased(LoadStep)
    one = (
        first.reservation == LoadStep.reservation,
        first.generation == LoadStep.generation,
        first.name == LoadStep.name,
        first.run == LoadStep.run,
        first.attempt == 1,
    )
    newest = (
        sa.select(LoadStep.name, sa.func.coalesce(first.started_at, LoadStep.started_at), LoadStep.ended_at)
        .outerjoin(first, sa.and_(*one))
        .where(LoadStep.image == image, LoadStep.outcome == DONE)
        .order_by(LoadStep.ended_at.desc())
        .limit(_PAST * _STEPS)
    )
    seconds: dict[str, list[float]] = {}
    for name, begun, end in session.execute(newest):
        times = seconds.setdefault(name, [])
        if end is not None and len(times) < _PAST:
            times.append((end - begun).total_seconds())
    return {name: median(times) for name, times in seconds.items()}


def newest(session: Session, reservations: list[str]) -> dict[str, LoadStep]:
    """The step that began last, of each of the reservations."""
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


def last_attempt(session: Session, reservation: str) -> Attempt | None:
    """The attempt that began last; None before the first."""
    row = newest(session, [reservation]).get(reservation)
    return None if row is None else Attempt(**{field.name: getattr(row, field.name) for field in fields(Attempt)})
