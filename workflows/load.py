"""Running a plan: one step after the other, exactly as recorded."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio import workflow

from vclab.model.plans import Facts, Plan, Step, StepInput, Target
from workflows import profiles

UnlessEnded = Callable[["workflow.ActivityHandle[Any]"], Awaitable[Any]]
"""Awaits an activity; returns None, after the activity has stopped, when its result is not wanted any more."""

LEAST = 1.0
"""Seconds that a step gets when the whole load has no time left: it fails then, as one that takes too long."""


@dataclass
class Load:
    """Where a load stands: what a resumed one goes on from. Kept while it runs."""

    plan: Plan | None = None
    done: int = 0  #: steps of the plan that are done, and are never run again
    facts: Facts = Facts()  #: what they have learned
    run: int = 0  #: how often it was resumed
    deadline: datetime | None = None  #: the whole load's ceiling
    hurried: bool = False  #: the step at which it stands has less time than is its own, for the whole load has no more


async def run_plan(
    plan: Plan,
    target: Target,
    ceiling: float,
    unless_ended: UnlessEnded,
    entered: Callable[[int, Step], None],
    load: Load | None = None,
) -> Facts | None:
    """What the steps learned, or None when it was broken off. ``entered`` is told of each step as it starts.

    With a ``load`` it goes on from there, and leaves there what is done. Steps are the only activities called by name:
    the plan is recorded data, and a released step name stays registered.
    """
    load = load or Load(plan, facts=plan.facts)
    for number, step in enumerate(plan.steps[load.done :], start=load.done + 1):
        entered(number, step)
        limit = _limit(step, ceiling, load.deadline)
        load.hurried = limit < profiles.step_ceiling(step, ceiling)
        given = StepInput(step.name, step.title, target, load.facts, number, len(plan.steps), limit, load.run)
        handle = workflow.start_activity(
            step.name,
            given,
            result_type=Facts,
            **profiles.step(f"{number}/{len(plan.steps)} {step.title} — {target.computer}", step, target.site, limit),
        )
        learned = await unless_ended(handle)
        if learned is None:
            return None
        load.facts = load.facts.merged(learned)
        load.done = number
    return load.facts


def _limit(step: Step, ceiling: float, deadline: datetime | None) -> float:
    """Seconds for a step: its own ceiling, or what is left of the whole load's."""
    limit = profiles.step_ceiling(step, ceiling)
    if deadline is None:
        return limit
    return max(LEAST, min(limit, (deadline - workflow.now()).total_seconds()))
