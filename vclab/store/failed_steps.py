"""Steps that failed for good, each with what could be seen of its computer then. Kept for a time."""

import dataclasses
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.messages import computer_workflow
from vclab.model.plans import Evidence, Target
from vclab.model.reservations import FailedStep
from vclab.model.rules import Health
from vclab.model.states import ComputerState
from vclab.store import audit, copies, failures, models
from vclab.store.column_types import utc
from vclab.store.models import Computer

_SAME = ("at", "computer", "generation", "host", "step", "number", "title", "cause", "in_guest")


def note(session: Session, target: Target, failed: FailedStep, health: Health) -> bool:
    """Record a step that failed for good; it may count against the host or the revision. Repeating it is harmless.

    Whether it is news.
    """
    reservation = target.reservation
    known = sa.select(models.FailedStep.id).where(
        models.FailedStep.reservation == reservation,
        models.FailedStep.generation == failed.generation,
        models.FailedStep.step == failed.step,
        models.FailedStep.at == utc(failed.at),
    )
    if session.scalar(known) is not None:
        return False
    values = {name: getattr(failed, name) for name in _SAME}
    session.add(models.FailedStep(reservation=reservation, evidence=dataclasses.asdict(failed.evidence), **values))
    session.flush()
    if failed.copy_lost and target.traits.copies:
        copies.lost(session, target.made_from, failed.cause, failed.at)
    what = f"{failed.title} on {failed.host}: {failed.cause}"
    audit.note(session, reservation, "vclab", "step failed", what, failed.at)
    if failed.number:  # before the first step neither the host nor the image was tried
        blame = failed.in_guest, failed.at, health, failed.blames_nobody
        failures.note(session, target, failed.step, failed.cause, *blame)
    return True


def of(session: Session, reservation: str) -> list[FailedStep]:
    """All steps of a reservation, or of a computer's own loads, that failed for good, oldest first."""
    query = (
        sa.select(models.FailedStep).where(models.FailedStep.reservation == reservation).order_by(models.FailedStep.id)
    )
    return [_failed_step(row) for row in session.scalars(query)]


def of_loads(session: Session) -> list[FailedStep]:
    """The newest failed step of each computer whose background load failed."""
    holder = sa.literal(computer_workflow("")) + Computer.name
    last = sa.select(sa.func.max(models.FailedStep.id)).join(Computer, models.FailedStep.reservation == holder)
    last = last.where(Computer.state == ComputerState.FAILED).group_by(Computer.name)
    rows = session.scalars(sa.select(models.FailedStep).where(models.FailedStep.id.in_(last)))
    return [_failed_step(row) for row in rows]


def newest(session: Session, reservations: Sequence[str]) -> dict[str, FailedStep]:
    """The step that failed last, of each of the reservations."""
    last = sa.select(sa.func.max(models.FailedStep.id)).where(models.FailedStep.reservation.in_(reservations))
    last = last.group_by(models.FailedStep.reservation)
    rows = session.scalars(sa.select(models.FailedStep).where(models.FailedStep.id.in_(last)))
    return {row.reservation: _failed_step(row) for row in rows}


def _failed_step(row: models.FailedStep) -> FailedStep:
    seen = row.evidence
    evidence = Evidence(
        power=str(seen.get("power", "unknown")),
        endpoint=tuple(seen.get("endpoint", ())),
        console=tuple(seen.get("console", ())),
        missing=tuple(seen.get("missing", ())),
    )
    return FailedStep(evidence=evidence, **{name: getattr(row, name) for name in _SAME})
