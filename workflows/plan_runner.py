"""Bringing a computer to an image by its recorded plan, for whoever needs that: a reservation, a preload, a load that
nobody waits for. What follows a step that has failed for good is theirs to say, by a ``Policy``.

What is done is kept: a load that goes on starts with the step that failed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.types import MethodSyncSingleParam

from activities.evidence import EvidenceActivities, EvidenceInput
from activities.failed_steps import FailedInput, FailedStepRecords
from activities.provisioning import ProvisioningActivities
from vclab.model.errors import CopyLost
from vclab.model.life import Load
from vclab.model.plans import Becomes, Evidence, Facts, Plan, Step, StepInput, Target
from vclab.model.reservations import FailedStep, Waits
from workflows import failures, profiles
from workflows.tasks import Handle, whole

P = TypeVar("P")
T = TypeVar("T")

PLANNING = "make_plan"
LEAST = 1.0
"""Seconds that a step gets when the whole load has no time left: it fails then, as one that takes too long."""


class LoadOwner(Protocol):
    """Whose load it is."""

    @property
    def load(self) -> Load:
        """Where it stands. Kept while it runs."""

    @property
    def target(self) -> Target:
        """The computer, and what it is to become."""

    @property
    def waits(self) -> Waits:
        """The ceilings."""

    @property
    def becomes(self) -> Becomes | None:
        """Of a capture: the revision that the computer becomes."""

    @property
    def part(self) -> str:
        """Of a capture: it and its stage. Steps of the same name are told apart by it."""

    @property
    def ended(self) -> bool:
        """Nobody wants it any more."""

    async def unless_ended(self, handle: Handle[T]) -> T | None:
        """The activity's result; or None, after it has stopped, when it has ended."""

    async def record(self, what: MethodSyncSingleParam[Any, P, T], given: P) -> T:
        """Write something down."""

    def waits_for(self, what: str, seconds: float | None = None, then: str = "") -> None:
        """Show what it waits for."""

    def begins_step(self, number: int, then: str) -> None:
        """Show that this step runs."""

    def says(self, reason: str) -> None:
        """Show a failure."""


@dataclass(frozen=True)
class Failed:
    """A step that failed for good, or the look before the first one."""

    step: str
    number: int
    title: str
    cause: str
    in_guest: bool = False  #: ``Step.in_guest``
    blames_nobody: bool = False  #: ``Step.blames_nobody``
    copy_lost: bool = False  #: the copy that the disk is made from is not there

    def trouble(self, target: Target, now: datetime, seen: Evidence) -> FailedStep:
        """As it is kept, with what was seen."""
        place, blame = (target.computer, target.generation, target.host), (self.in_guest, self.blames_nobody)
        return FailedStep(now, *place, self.step, self.number, self.title, self.cause, seen, *blame, self.copy_lost)

    def __str__(self) -> str:
        return f"step {self.number}, {self.title}: {self.cause}" if self.number else f"{self.title}: {self.cause}"


async def _nothing(failed: Failed) -> bool:
    return False


async def _all_there() -> Failed | None:
    return None


@dataclass(frozen=True)
class Policy:
    """What follows a step that has failed for good."""

    then: str = "the load fails"  #: in words
    #: does something about it: true when the load is to go on, or has ended. By default nothing follows
    mend: Callable[[Failed], Awaitable[bool]] = _nothing
    #: waits for what must be there before the plan is made, or says why that is not to be had
    before: Callable[[], Awaitable[Failed | None]] = _all_there
    #: makes the plan: an activity at the site
    plan: Callable[[Any, Any], Awaitable[Plan]] = ProvisioningActivities.make_plan
    asks: Callable[[Target], Any] = lambda target: target  #: what that is given
    knows: Facts = Facts()  #: what is known before the first step, beside what the plan says
    what: str = "load"  #: that is planned, in words


async def load(life: LoadOwner, policy: Policy) -> Facts | Failed | None:
    """What the steps of the plan have learned; or what failed, if nothing more follows; None when it has ended.

    Raises ``ActivityError`` when it was cancelled, or the computer is not ours any more.
    """
    while not life.ended:
        failed = await policy.before()
        if failed is None:
            try:
                return await _run(life, policy)
            except ActivityError as error:
                if failures.was_cancelled(error) or failures.is_fenced(error):
                    raise
                failed = _what_failed(life, error)
        await whole(keep_evidence(life, failed))  # what has failed has failed, whatever is asked for meanwhile
        if not await policy.mend(failed):
            return failed
    return None


async def _run(life: LoadOwner, policy: Policy) -> Facts | None:
    """One run of the plan, from the step at which it stands."""
    load, then = life.load, policy.then
    if load.plan is None:
        load.plan = await _make_plan(life, policy)
        if load.plan is None:
            return None
        load.facts = policy.knows.merged(load.plan.facts)
    load.ceiling, load.deadline = life.waits.step_ceiling, _deadline(life.waits, load.plan)
    for number, step in enumerate(load.plan.steps[load.done :], start=load.done + 1):
        life.begins_step(number, then)
        learned = await life.unless_ended(_start(life, load.plan, number, step))
        if learned is None:
            return None
        load.facts, load.done = load.facts.merged(learned), number
    return load.facts


async def _make_plan(life: LoadOwner, policy: Policy) -> Plan | None:
    target, ceiling = life.target, life.waits.step_ceiling
    life.waits_for(f"a look at {target.computer}", ceiling, policy.then)
    return await life.unless_ended(
        workflow.start_activity_method(
            policy.plan,
            policy.asks(target),
            **profiles.short(f"look at {target.computer} and plan its {policy.what}", target.site, ceiling),
        )
    )


def _start(life: LoadOwner, plan: Plan, number: int, step: Step) -> Handle[Facts]:
    """Steps are the only activities called by name: the plan is recorded data, and a released name stays registered."""
    load, target, count = life.load, life.target, len(plan.steps)
    limit = _limit(step, load)
    load.hurried = limit < profiles.step_ceiling(step, load.ceiling)
    return workflow.start_activity(
        step.name,
        StepInput(step.name, step.title, target, load.facts, number, count, limit, load.run, life.becomes, life.part),
        result_type=Facts,
        **profiles.step(f"{number}/{count} {step.title} — {target.computer}", step, target.site, limit),
    )


def _limit(step: Step, load: Load) -> float:
    """Seconds for a step: its own ceiling, or what is left of the whole load's."""
    left = (load.deadline - workflow.now()).total_seconds() if load.deadline else 0.0
    return max(LEAST, min(profiles.step_ceiling(step, load.ceiling), left))


def _deadline(waits: Waits, plan: Plan) -> datetime:
    """When the whole load is given up: after the setting, or twice its usual time if that is longer. What steps need
    for their bytes comes on top: the setting is for all else."""
    most = max(waits.load_ceiling, 2 * plan.usual_seconds)
    return workflow.now() + timedelta(seconds=most + sum(step.least_seconds for step in plan.steps))


def _what_failed(life: LoadOwner, error: ActivityError) -> Failed:
    """The step at which it stands, and why it failed."""
    load, cause = life.load, failures.reason(error)
    if load.plan is None:
        return Failed(PLANNING, 0, f"a look at {life.target.computer}", cause)
    step = load.plan.steps[load.done]
    if load.hurried and failures.timed_out(error):
        cause += " (the load as a whole has reached its ceiling)"
    lost = failures.type_of(error) == CopyLost.__name__
    blame = step.in_guest, step.blames_nobody or lost or life.becomes is not None
    return Failed(step.name, load.done + 1, step.title, cause, *blame, copy_lost=lost)


async def put_back(life: LoadOwner, then: str) -> None:
    """Undo what the steps of the plan have done, the last one first, also of one that has failed. That has time of its
    own: the load's may be over for long.

    Raises ``ActivityError`` when that fails for good.
    """
    load = life.load
    if load.plan is None:
        return
    load.ceiling, load.deadline = life.waits.step_ceiling, _deadline(life.waits, load.plan)
    begun = load.plan.steps[: load.done + 1]
    undone = [Step(step.undo, f"Undo: {step.title}", blames_nobody=True) for step in reversed(begun) if step.undo]
    for number, step in enumerate(undone, start=1):
        life.waits_for(step.title, profiles.step_ceiling(step, load.ceiling), then)
        await life.unless_ended(_start(life, Plan(tuple(undone), load.plan.status), number, step))


async def keep_evidence(life: LoadOwner, failed: Failed) -> None:
    """What can be seen, before anything of it is touched. That nothing can be seen ends nothing."""
    target, now = life.target, workflow.now()
    life.waits_for(f"evidence of {target.computer}: {failed.title} has failed")
    life.says(str(failed))
    try:
        evidence = await life.unless_ended(
            workflow.start_activity_method(
                EvidenceActivities.gather_evidence,
                EvidenceInput(target, life.load.facts),
                **profiles.briefly(f"collect evidence of {target.computer}", target.site),
            )
        )
    except ActivityError as error:
        evidence = Evidence(missing=(f"nobody could look: {failures.reason(error)}",))
    seen = evidence or Evidence(missing=("it ended before anybody had looked",))
    await life.record(FailedStepRecords.step_failed, FailedInput(target, failed.trouble(target, now, seen)))
