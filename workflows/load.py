"""Running a plan: one step after the other, exactly as recorded."""

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio import workflow

from vclab.model.plans import Facts, Plan, Step, StepInput, Target
from workflows import profiles

UnlessEnded = Callable[["workflow.ActivityHandle[Any]"], Awaitable[Any]]
"""Awaits an activity; returns None, after the activity has stopped, when its result is not wanted any more."""


async def run_plan(
    plan: Plan,
    target: Target,
    ceiling: float,
    unless_ended: UnlessEnded,
    entered: Callable[[int, Step], None],
) -> Facts | None:
    """What the steps learned, or None when it was broken off. ``entered`` is told of each step as it starts.

    Steps are the only activities called by name: the plan is recorded data, and a released step name stays registered.
    """
    facts = Facts()
    for number, step in enumerate(plan.steps, start=1):
        entered(number, step)
        limit = profiles.step_ceiling(step, ceiling)
        given = StepInput(step.name, step.title, target, facts, number, len(plan.steps), limit)
        handle = workflow.start_activity(
            step.name,
            given,
            result_type=Facts,
            **profiles.step(f"{number}/{len(plan.steps)} {step.title} — {target.computer}", step, target.site, limit),
        )
        learned = await unless_ended(handle)
        if learned is None:
            return None
        facts = facts.merged(learned)
    return facts
