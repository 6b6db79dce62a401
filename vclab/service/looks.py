"""One look at a reservation: what the store knows, and what its workflow says at this moment."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from vclab.contract.looks import CurrentStatus, Look
from vclab.model.durations import format_duration
from vclab.model.errors import NotFound, Unreachable
from vclab.model.messages import StatusView, capture_workflow
from vclab.model.reservations import ReservationView
from vclab.model.revisions import Wanted
from vclab.model.states import Word
from vclab.service.backend import Backend
from vclab.store import captures, copies, reservations

ASK = 3.0
"""Seconds to wait for Temporal, and for a worker to take up a task, before the store's view is the answer."""


async def look_at(backend: Backend, reservation: str) -> Look:
    """What is known now, after ``ASK`` seconds at the latest. Raises ``NotFound`` for an unknown id."""
    status = None
    try:
        status, why_not = await (await backend.reservations(ASK)).look(reservation, ASK)
    except (Unreachable, NotFound) as error:
        why_not = str(error)
    view, awaited = await backend.read(
        lambda session: (reservations.view(session, reservation), copies.awaited_by(session, reservation))
    )
    if view is None:
        raise NotFound(f"there is no reservation {reservation}")
    if status and awaited and not status.step:
        status = replace(status, waits_for=await _copying(backend, *awaited))
    current = CurrentStatus.of(_at_step(status, view) if status else None, why_not)
    return Look.at(view, current, await _capturing(backend, view) if view.becomes else "")


async def _capturing(backend: Backend, view: ReservationView) -> str:
    """``hello/1 (6/9): Make a disk of it, copied 1.2 of 8.0 GiB``. No step runs while it waits for a computer."""
    from vclab.temporal.pending_activities import said_by

    def ask(session: Session) -> tuple[str, bool]:
        capture = captures.running_of(session, view.id)
        return capture, captures.lacks_computer(session, capture)

    capture, waits = await backend.read(ask)
    runs = view.step and not waits
    text = f"{view.becomes} ({view.step}/{view.steps}): {view.step_title}" if runs else view.becomes
    with suppress(Unreachable):
        if progress := await said_by(await backend.temporal(ASK), capture_workflow(capture)):
            text += f", {progress}"
    return text


async def _copying(backend: Backend, wanted: Wanted, others: int) -> str:
    """``debian-12/3 to be copied to ds2 of vc1, 40 %, for you and 11 others, about 2 min``."""
    from vclab.temporal.pending_activities import copied

    with suppress(Unreachable):
        if (done := await copied(await backend.temporal(ASK), wanted)) is not None:
            percent, since = done
            spent = (datetime.now(UTC) - since).total_seconds()
            left = f", about {format_duration(max(1, round(spent * (100 - percent) / percent)))}" if percent else ""
            return f"{wanted} to be copied to {wanted.place}, {percent} %{_for(others)}{left}"
    return f"{wanted} to be copied to {wanted.place}{_for(others)}"


def _for(others: int) -> str:
    return f", for you and {others} other{'s' * (others > 1)}" if others else ""


def _at_step(status: StatusView, view: ReservationView) -> StatusView:
    """Between two steps of a load no step runs: the load log knows the last that began."""
    saving = view.word.startswith(Word.SAVING)
    if saving and view.step and status.word != Word.NEEDS_HELP:  # its own workflow runs the steps
        return replace(status, word=view.word, step=view.step, steps=view.steps, waits_for=view.step_title)
    if status.step or not status.steps or not view.step:
        return status
    return replace(status, word=view.word, step=view.step, steps=view.steps, waits_for=view.step_title)
