"""``vclab doctor --replay``: would running workflows go on with the workflow code that is installed here?"""

import asyncio
import time
from contextlib import suppress
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from vclab.cli.errors import Code
from vclab.cli.output import JsonValue, note, say_json, table
from vclab.cli.tables import Column, Fit
from vclab.model.errors import Failed, VclabError
from vclab.model.messages import workflow_id
from vclab.service.backend import Backend
from vclab.store import reservations

if TYPE_CHECKING:
    from vclab.temporal.replay import Replayed

GROUP = "vclab.workflows"
"""Entry points of this group name tuples of workflow classes: all that a worker registers."""

PROGRESS_SECONDS = 5.0
ADVICE = (
    "Keep a worker with their own code running until they have ended; see README.md, “When a reservation stands still”."
)


def replay(backend: Backend, json: bool) -> Code:
    """Replay all, print which would stop, and return the exit code. Raises ``Unreachable``, ``Failed``."""
    number, still = asyncio.run(_replayed(backend, installed()))
    if json:
        each: list[JsonValue] = [
            {
                "workflow": one.workflow,
                "reservation": _reservation(one),
                "state": _state(backend, one),
                "why": one.why_not,
            }
            for one in still
        ]
        say_json({"ok": not still, "replayed": number, "stand_still": each})
    elif still:
        rows = [(_reservation(one) or one.workflow, _state(backend, one) or one.kind, one.why_not) for one in still]
        table((Column("RESERVATION"), Column("STATE", drop=1), Column("WHY IT WOULD STOP", fit=Fit.FOLD)), rows)
        note(f"{len(still)} of {number} would stop with the code that is installed here. {ADVICE}")
    else:
        note(f"All {number} would go on with the code that is installed here." if number else "No workflow runs.")
    return Code.FAILED if still else Code.OK


def installed() -> list[type]:
    """The workflow code that a worker would run. Raises ``Failed`` when there is none, or it can't be loaded."""
    found: list[type] = []
    for point in entry_points(group=GROUP):
        try:
            found += point.load()
        except Exception as error:  # whatever it is, a worker could not start either
            raise Failed(f"the workflow code {point.value} can't be loaded: {type(error).__name__}: {error}") from None
    if not found:
        raise Failed("no workflow code is installed here; run this where the worker is installed")
    return found


async def _replayed(backend: Backend, workflows: list[type]) -> tuple[int, list["Replayed"]]:
    """How many were replayed, and those that would stop."""
    client, queue = await backend.temporal(), backend.settings.temporal.workflow_queue
    from vclab.temporal.replay import count, running

    still, number, told, total = [], 0, time.monotonic(), await count(client)
    async for one in running(client, queue, workflows):
        number += 1
        if one.why_not:
            still.append(one)
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            note(f"{number} of about {total} replayed, {len(still)} would stop …")
    return number, still


def _reservation(one: "Replayed") -> str | None:
    prefix = workflow_id("")
    return one.workflow.removeprefix(prefix) if one.workflow.startswith(prefix) else None


def _state(backend: Backend, one: "Replayed") -> str | None:
    """As its user sees it. The database may be of another version than this code: then it is unknown."""
    with suppress(VclabError), backend.store.read() as session:
        view = reservations.view(session, _reservation(one) or "")
        return view.word if view else None
    return None
