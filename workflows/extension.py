"""Extending: an update or a signal moves the end to a later time."""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.records import ExtendInput, RecordActivities, RefusalInput
from vclab.model import messages
from vclab.model.errors import Refused
from vclab.model.messages import Extend
from vclab.temporal import search_attributes as searchable
from workflows import acts, failures, signals
from workflows.life import Life


class Extensions:
    """One extension at a time: "1h" of a signal counts from the end that the one before has set."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._one = asyncio.Lock()
        self._signals = 0  #: of this run; those of the whole life are in its state

    async def extend(self, message: Extend) -> str:
        """Move the end; the refusal's text when that is not possible, else empty."""
        async with self._one:
            return await _extend(self._life, message)

    async def extend_by_signal(self, args: tuple[Any, ...]) -> None:
        """A signal has no answer, so a refusal is shown and kept in the audit.

        Its number makes a repeat harmless: "1h" must not be added twice when a worker dies between record and answer.
        """
        life = self._life
        life.state.signals += 1
        number = life.state.signals
        self._signals += 1
        of_run = self._signals
        try:
            acts.check_open(life)
            async with self._one:
                end = signals.new_end(args, life.end)
                refusal = await _extend(life, Extend(end), number, of_run)
        # A failure that leaves a signal's handler would end the workflow.
        except (Refused, ApplicationError, ActivityError) as error:
            refusal = failures.reason(error)
        if refusal:
            await _note_refusal(life, refusal, of_run)


async def _extend(life: Life, message: Extend, signal: int = 0, of_run: int = 0) -> str:
    if acts.is_done(life, message.intent):
        return ""
    given = ExtendInput(life.request.id, message, workflow.now(), signal, of_run)
    outcome = await life.record(RecordActivities.extend, given)
    if outcome.end is None:
        return outcome.refusal
    if outcome.waits is not None:
        life.heed(outcome.waits)
    acts.remember(life, message.intent)
    life.state.end_moved = True
    workflow.upsert_search_attributes([searchable.END.value_set(outcome.end)])
    life.end_is(outcome.end)
    return ""


async def _note_refusal(life: Life, refusal: str, signal: int) -> None:
    life.says(f"extend refused: {refusal}")
    life.publish()
    if life.state.placed is not None:
        note = RefusalInput(life.request.id, messages.EXTEND, refusal, workflow.now(), signal)
        with suppress(ApplicationError, ActivityError):
            await life.record(RecordActivities.refusal_noted, note)
