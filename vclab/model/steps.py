"""What a step of a plan may ask of whoever runs it: shared by provisioning modules and guests."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from vclab.model.plans import Facts, StepInput


class StepContext(Protocol):
    """The runner's side of a step. Safe to call from a thread."""

    @property
    def remembered(self) -> Mapping[str, str]:
        """What an earlier attempt of this very step left by ``remember``: hints, not truth."""

    @property
    def cancelled(self) -> bool:
        """True once the step is asked to stop: end the outside operation, then raise ``Interrupted``."""

    def progress(self, text: str) -> None:
        """Say what goes on, for people ("copied 40 %")."""

    def remember(self, **details: str) -> None:
        """Keep small details for the next attempt, should this one be cut off."""

    def fence(self) -> None:
        """Call right before each destructive driver call. Raises ``Fenced`` if the tenure is not ours any more."""


class Unattended:
    """The context of work without a tenure: the removal of an orphan, a question of an operator's."""

    remembered: Mapping[str, str] = {}
    cancelled = False

    def progress(self, text: str) -> None:
        """Not shown anywhere."""

    def remember(self, **details: str) -> None:
        """There is no next attempt."""

    def fence(self) -> None:
        """There is no tenure to check: the caller has made sure of that."""


BlockingStep = Callable[[StepContext, StepInput], Facts]
"""A step in a library that blocks: runs in a thread."""

AsyncStep = Callable[[StepContext, StepInput], Awaitable[Facts]]
"""A step that awaits: runs in the event loop."""
