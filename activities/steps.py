"""Every step of every plan as an activity of its own, registered under its recorded name.

A step is logged, fenced, run with heartbeats, and its errors become failures. These are the only activities that
workflows call by name: the plan that names them is recorded data.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from typing import Any, Protocol

from temporalio import activity

from activities.errors import failure, redacted
from activities.runner import Context, Fence, asking, heartbeating, in_thread, this_attempt
from vclab.model.attempts import ActivityAttempt
from vclab.model.errors import NotYet, StepFailed, Unreachable
from vclab.model.plans import Facts, StepInput, Target, Whereabouts
from vclab.model.steps import AsyncStep, BlockingStep
from vclab.store import load_log as outcomes

log = logging.getLogger(__name__)
WAITING = "waiting"
"""An attempt that found that what it waits for is not there yet."""

LOOKS = 3
"""After this many failed looks, and each time again, ask the endpoint whether the computer is still there."""


class LoadLog(Protocol):
    """Keeps when each step started and how it ended, for good. Both block."""

    def started(self, step: StepInput, attempt: ActivityAttempt) -> None:
        """An attempt begins. Raises ``Fenced`` when the tenure does not hold the computer any more, or a newer attempt
        works on it; older ones are refused from now on."""

    def ended(self, step: StepInput, attempt: int, outcome: str, detail: str) -> None:
        """An attempt ended: ``done``, ``waiting``, ``cancelled`` or ``failed``."""


def step_activities(
    tables: Iterable[Mapping[str, BlockingStep] | Mapping[str, AsyncStep]],
    fence: Fence,
    load_log: LoadLog,
    executor: Executor,
    whereabouts: Callable[[Target], Whereabouts] | None = None,
) -> list[Callable[..., Any]]:
    """One activity for each step in the tables. Raises ``ValueError`` when two steps have one name.

    ``whereabouts`` asks an endpoint for a computer in which a guest's step finds nobody; it blocks.
    """
    steps: dict[str, BlockingStep | AsyncStep] = {}
    for table in tables:
        for name, step in table.items():
            if name in steps:
                raise ValueError(f"two steps are called {name}")
            steps[name] = step
    return [_step_activity(name, step, fence, load_log, executor, whereabouts) for name, step in sorted(steps.items())]


def _step_activity(
    name: str,
    step: BlockingStep | AsyncStep,
    fence: Fence,
    load_log: LoadLog,
    executor: Executor,
    whereabouts: Callable[[Target], Whereabouts] | None,
) -> Callable[..., Any]:
    def block(context: Context, given: StepInput, attempt: ActivityAttempt) -> Facts:
        """All in one thread: each change of threads costs as much as a short step."""
        load_log.started(given, attempt)
        facts: Facts = step(context, given)  # type: ignore[assignment]
        _log_end(load_log, given, attempt.attempt, outcomes.DONE, "")
        return facts

    async def perform(context: Context, given: StepInput, attempt: ActivityAttempt) -> Facts:
        if not inspect.iscoroutinefunction(step):
            return await in_thread(executor, context, block, context, given, attempt)
        await in_thread(executor, context, load_log.started, given, attempt)
        try:
            facts: Facts = await step(context, given)
        except (NotYet, Unreachable) as error:
            # A machine that boots is not there for a while: its endpoint is not bothered with each look.
            if whereabouts is not None and (isinstance(error, Unreachable) or attempt.attempt % LOOKS == 0):
                await in_thread(executor, context, _must_be_there, whereabouts, given.target)
            raise
        await asyncio.to_thread(_log_end, load_log, given, attempt.attempt, outcomes.DONE, "")
        return facts

    async def run(given: StepInput) -> Facts:
        attempt = this_attempt()
        try:
            async with heartbeating(asking(fence, given.target)) as context:
                return await perform(context, given, attempt)
        except asyncio.CancelledError:
            await asyncio.shield(
                asyncio.to_thread(_log_end, load_log, given, attempt.attempt, outcomes.CANCELLED, "asked to stop")
            )
            raise
        except Exception as error:
            outcome = WAITING if isinstance(error, NotYet) else outcomes.FAILED
            await asyncio.to_thread(_log_end, load_log, given, attempt.attempt, outcome, redacted(str(error)))
            raise failure(error) from None

    run.__doc__ = step.__doc__
    return activity.defn(name=name)(run)


def _must_be_there(whereabouts: Callable[[Target], Whereabouts], target: Target) -> None:
    """Raise ``StepFailed`` if the endpoint says that the machine is off or gone: then nobody will ever answer. Whatever
    is wrong with the endpoint says nothing of the machine."""
    try:
        found = whereabouts(target)
    except Exception as error:
        log.info("%s: where it is can't be asked: %s", target.computer, redacted(str(error)))
        return
    if found.gone:
        raise StepFailed(
            f"{target.machine_name} is not on {target.endpoint} any more: it was deleted while it was loaded"
        )
    if found.off:
        raise StepFailed(f"{found.trouble}: it was switched off while it was loaded")


def _log_end(load_log: LoadLog, given: StepInput, attempt: int, outcome: str, detail: str) -> None:
    """Log the end of an attempt if possible: a log that can't be written must not undo work."""
    try:
        load_log.ended(given, attempt, outcome, detail)
    except Exception as error:
        log.warning("the load log of %s could not be written: %s", given.target.reservation, redacted(str(error)))
