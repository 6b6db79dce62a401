"""Whoever has a plan run for a computer in a workflow of its own: what the plan runner asks of it."""

from typing import Any, TypeVar

from temporalio import workflow
from temporalio.types import MethodSyncSingleParam

from vclab.model.life import Load
from vclab.model.plans import Becomes, Target
from vclab.model.reservations import Waits
from workflows import live_status, profiles
from workflows.tasks import Handle, result_after, whole

P = TypeVar("P")
T = TypeVar("T")


class BackgroundOwner:
    """Where it stands. Nothing breaks it off but a cancellation."""

    ended = False

    def __init__(self, doing: str, computer: str, load: Load | None = None, becomes: Becomes | None = None) -> None:
        """``doing``: "Loading", for people; ``load``: it goes on from there; ``becomes``: it is of a capture."""
        self.load = load or Load()
        self.becomes, self.part = becomes, ""
        self.waits = Waits()
        self.doing = "a look whether it can be had"
        self._title = f"{doing} {computer}"
        self._target: Target | None = None

    def has(self, target: Target, waits: Waits) -> None:
        """This is the computer, and these are the ceilings."""
        self._target, self.waits = target, waits

    @property
    def target(self) -> Target:
        """The computer, from when its tenure is taken."""
        assert self._target is not None
        return self._target

    async def unless_ended(self, handle: Handle[T]) -> T:
        """The activity's result; when the workflow is cancelled, it has stopped before that goes on."""
        result = await result_after(workflow.wait_condition(handle.done), handle)
        assert result is not None  # it is done
        return result

    async def record(self, what: MethodSyncSingleParam[Any, P, T], given: P) -> T:
        """Write something down, never half of it."""
        return await whole(workflow.execute_local_activity_method(what, given, **profiles.record_of(what)))

    def waits_for(self, what: str, seconds: float | None = None, then: str = "") -> None:
        """Show what it waits for."""
        self._show(what, "")

    def begins_step(self, number: int, then: str) -> None:
        """Show that this step runs."""
        assert self.load.plan is not None
        steps = self.load.plan.steps
        self._show(steps[number - 1].title, f" ({number}/{len(steps)})")

    def says(self, reason: str) -> None:
        """Nothing: the failure is shown when it ends."""

    def _show(self, what: str, number: str) -> None:
        self.doing = what
        doing = live_status.doing(what, is_step=bool(number))
        workflow.set_current_details(f"### {self._title}{number}\n\n{doing}\n\n{live_status.BLANK}")
