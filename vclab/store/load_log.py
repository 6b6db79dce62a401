"""The load log: when each step of each load began and ended. Kept for good; past loads tell how long one takes."""

from datetime import datetime
from statistics import median

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.plans import StepInput
from vclab.store.models import LoadStep
from vclab.store.types import utc

DONE = "done"
FAILED = "failed"
CANCELLED = "cancelled"

_PAST = 20  # loads that the medians go by


def started(session: Session, step: StepInput, attempt: int, now: datetime) -> None:
    """Note that an attempt of a step began; a second note of the same attempt changes nothing."""
    if _find(session, step, attempt) is not None:
        return
    target = step.target
    session.add(
        LoadStep(
            reservation=target.reservation,
            computer=target.computer,
            generation=target.generation,
            image=target.image,
            revision=target.revision,
            name=step.step,
            title=step.title,
            number=step.number,
            count=step.count,
            attempt=attempt,
            started_at=utc(now),
        )
    )
    session.flush()


def ended(session: Session, step: StepInput, attempt: int, outcome: str, detail: str, now: datetime) -> None:
    """Note how an attempt ended (``DONE``, ``FAILED``, ``CANCELLED``); the first note stays."""
    row = _find(session, step, attempt)
    if row is not None and row.ended_at is None:
        row.ended_at, row.outcome, row.detail = utc(now), outcome, detail
        session.flush()


def medians(session: Session, image: str) -> dict[str, float]:
    """Seconds that each step of the image's last 20 good loads took, from its first attempt on, by step name."""
    first = sa.func.min(LoadStep.started_at).over(
        partition_by=(LoadStep.reservation, LoadStep.generation, LoadStep.name)
    )
    timed = sa.select(LoadStep, first.label("first")).where(LoadStep.image == image).subquery()
    rank = sa.func.row_number().over(partition_by=timed.c.name, order_by=timed.c.ended_at.desc())
    good = (
        sa.select(timed.c.name, timed.c.first, timed.c.ended_at, rank.label("rank"))
        .where(timed.c.outcome == DONE)
        .subquery()
    )
    seconds: dict[str, list[float]] = {}
    for name, begun, end in session.execute(
        sa.select(good.c.name, good.c.first, good.c.ended_at).where(good.c.rank <= _PAST)
    ):
        seconds.setdefault(name, []).append((end - begun).total_seconds())
    return {name: median(times) for name, times in seconds.items()}


def newest(session: Session, reservations: list[str]) -> dict[str, LoadStep]:
    """The step that began last, of each of the reservations."""
    last = sa.select(sa.func.max(LoadStep.id)).where(LoadStep.reservation.in_(reservations))
    query = sa.select(LoadStep).where(LoadStep.id.in_(last.group_by(LoadStep.reservation)))
    return {row.reservation: row for row in session.scalars(query)}


def steps(session: Session, reservation: str) -> list[LoadStep]:
    """All attempts of all steps of a reservation's loads, in order."""
    return list(session.scalars(sa.select(LoadStep).where(LoadStep.reservation == reservation).order_by(LoadStep.id)))


def _find(session: Session, step: StepInput, attempt: int) -> LoadStep | None:
    return session.scalar(
        sa.select(LoadStep).where(
            LoadStep.reservation == step.target.reservation,
            LoadStep.generation == step.target.generation,
            LoadStep.name == step.step,
            LoadStep.attempt == attempt,
        )
    )
