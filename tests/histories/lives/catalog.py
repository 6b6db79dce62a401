"""The catalogue of lives: each is lived by the worker's own code on the time-skipping server, and its history kept."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.workflows.conftest import living

Harness = Callable[[Client, Path, Mapping[str, Any]], AbstractAsyncContextManager[Any]]
Script = Callable[[Any], Awaitable[str | None]]


@dataclass(frozen=True)
class RecordedLife:
    """A life and what it needs."""

    name: str
    script: Script  #: lives it. Returns the id of the workflow to keep; None: that of its reservation
    harness: Harness
    waits: Mapping[str, Any]  #: settings of the waits that are not the defaults of the harness
    short_runs: bool  #: the server suggests a new run after few events
    disturbed: bool  #: it is of workflow tasks that fail or come late

    @property
    def protects(self) -> str:
        """What it protects, in a line."""
        return (self.script.__doc__ or "").strip().splitlines()[0]


LIVES: dict[str, RecordedLife] = {}

KEPT = {"removal-unsearchable": "It was removed before its computer and host could be searched for."}
"""Histories that earlier code wrote, which ``patched()`` still looks after, and what each protects: no life can write
them anew. One goes with the guard."""


FEW_LOOKS = {"first_connection_look": 60}
"""Each look takes real time."""


def life(
    name: str, harness: Harness = living, short_runs: bool = False, disturbed: bool = False, **waits: Any
) -> Callable[[Script], Script]:
    """Register a life under its name, which is that of its file."""

    def register(script: Script) -> Script:
        assert name not in LIVES, f"two lives are called {name}"
        LIVES[name] = RecordedLife(name, script, harness, {**FEW_LOOKS, **waits}, short_runs, disturbed)
        return script

    return register
