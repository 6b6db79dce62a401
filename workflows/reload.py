"""The load of a computer for which nobody waits: after a reservation, or because an operator wants it.

It runs the same plan by the same function as a reservation does. A reservation that wants the computer registers by the
signal ``waiter``, and is signalled when it is loaded, or has failed. A bug leaves the computer alone: the workflow task
is retried, and the tenure stays.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from activities.evidence import EvidenceActivities, EvidenceInput
from activities.loads import LoadBegins, LoadBegun, LoadEnded, LoadRecords
from activities.provisioning import ProvisioningActivities
from activities.troubles import FailedInput, TroubleRecords
from vclab.model import messages
from vclab.model.messages import Reload, workflow_id
from vclab.model.plans import Evidence, Facts, Plan, Step, Target
from vclab.model.reservations import Waits
from vclab.model.states import ComputerState
from vclab.temporal import search_attributes as searchable
from workflows import failures, profiles
from workflows.life import Handle, result_after, whole
from workflows.load import Load, run_plan
from workflows.loading import PLANNING, Failed


@workflow.defn(name=messages.LOAD)
class ComputerLoad:
    """Loads a computer. One of the name runs at a time, by its id; that nobody else touches it is the tenure's work."""

    @workflow.init
    def __init__(self, given: Reload) -> None:
        self._given = given
        self._load = Load()
        self._watched = False
        self._doing = "a look whether it can be had"
        self._waiters: list[str] = []

    @workflow.run
    async def run(self, given: Reload) -> str:
        """What the computer holds now, or why nothing was done. Raises the reason when it could not be loaded."""
        begun = await whole(self._begin())
        if begun.target is None:
            await self._tell()
            return begun.refusal
        self._watched = begun.watched
        self._is(ComputerState.RELOADING, begun.target)
        target, facts, why_not = begun.target, Facts(), ""
        try:
            facts = await self._run(target, begun.waits)
        # Exactly what ends a workflow. Anything else is a bug, and changes nothing.
        except (FailureError, asyncio.CancelledError) as error:
            step = f"step {self._load.done + 1}, {self._doing}: " if self._load.plan else ""
            why_not = "it was cancelled" if failures.was_cancelled(error) else f"{step}{failures.reason(error)}"
            if self._watched and not failures.was_cancelled(error):
                with suppress(asyncio.CancelledError):  # what failed has failed, and its end is recorded
                    await whole(self._keep_evidence(target, self._failed(error)))
        self._is(ComputerState.FAILED if why_not else ComputerState.AVAILABLE, target)
        await whole(self._end(LoadEnded(target, workflow.now(), facts, why_not)))
        await self._tell()
        if why_not:
            raise ApplicationError(f"{given.computer}: {why_not}", type="LoadFailed", non_retryable=True)
        return f"{given.computer} holds {target.image}, revision {target.revision}"

    @workflow.signal(name=messages.WAITER)
    async def waiter(self, *args: Any) -> None:
        """A reservation wants the computer. What is no name of one is left out: a signal never raises."""
        if args and isinstance(args[0], str) and args[0] not in self._waiters:
            self._waiters.append(args[0])

    @workflow.query(name=messages.STATUS)
    def status(self) -> str:
        """What it does now, in words."""
        return self._doing

    async def _begin(self) -> LoadBegun:
        return await workflow.execute_local_activity_method(
            LoadRecords.load_begins,
            LoadBegins(self._given, workflow.now()),
            **profiles.record("load begins"),
        )

    async def _run(self, target: Target, waits: Waits) -> Facts:
        ceiling = waits.step_ceiling
        self._does(f"{target.computer} to be empty")
        # What it holds may be well: it is loaded anew all the same, and from now on nobody takes it for READY.
        not_clear = await workflow.execute_activity_method(
            ProvisioningActivities.clear_computer,
            target,
            **profiles.short(f"forget what {target.computer} holds", target.site, ceiling),
        )
        if not_clear:
            raise ApplicationError(not_clear, type="StepFailed", non_retryable=True)
        self._does(f"a look at {target.computer}")
        plan: Plan = await workflow.execute_activity_method(
            ProvisioningActivities.make_plan,
            target,
            **profiles.short(f"look at {target.computer} and plan its load", target.site, ceiling),
        )
        self._load = Load(plan, facts=plan.facts)
        if waits.load_ceiling:
            seconds = max(waits.load_ceiling, 2 * plan.usual_seconds)
            self._load.deadline = workflow.now() + timedelta(seconds=seconds)

        def entered(number: int, step: Step) -> None:
            self._does(step.title, f" ({number}/{len(plan.steps)})")

        facts = await run_plan(plan, target, ceiling, _to_the_end, entered, self._load)
        assert facts is not None  # nothing breaks it off but a cancellation, and that raises
        return facts

    def _failed(self, error: BaseException) -> Failed:
        load, cause = self._load, failures.reason(error)
        if load.plan is None:
            return Failed(PLANNING, 0, self._doing, cause)
        step = load.plan.steps[load.done]
        return Failed(step.name, load.done + 1, step.title, cause)

    async def _keep_evidence(self, target: Target, failed: Failed) -> None:
        """What can be seen, before an operator or the next load touches it. It counts as any load that failed."""
        now = workflow.now()
        self._does(f"what can be seen of {target.computer}, for {failed.title} has failed")
        try:
            seen = await workflow.execute_activity_method(
                EvidenceActivities.gather_evidence,
                EvidenceInput(target, self._load.facts),
                **profiles.briefly(f"see what became of {target.computer}", target.site),
            )
        except ActivityError as error:
            seen = Evidence(missing=(f"nobody could look: {failures.reason(error)}",))
        given = FailedInput(target, failed.trouble(target, now, seen))
        await workflow.execute_local_activity_method(
            TroubleRecords.step_failed, given, **profiles.record("step failed")
        )

    def _is(self, state: ComputerState, target: Target) -> None:
        """By what it is found in the Temporal UI."""
        if self._watched:
            workflow.upsert_search_attributes(
                [
                    searchable.STATE.value_set(state),
                    searchable.IMAGE.value_set(target.image),
                    searchable.COMPUTER.value_set(target.computer),
                    searchable.HOST.value_set(target.host),
                ]
            )

    async def _end(self, given: LoadEnded) -> None:
        await workflow.execute_local_activity_method(LoadRecords.load_ended, given, **profiles.record("load ended"))

    async def _tell(self) -> None:
        """Tell all who wait; also who comes while others are told. One that has ended need not know."""
        self._does("those who wait for it are told")
        while self._waiters:
            reservation = self._waiters.pop(0)
            with suppress(FailureError):
                handle = workflow.get_external_workflow_handle(workflow_id(reservation))
                await handle.signal(messages.LOADED, self._given.computer)

    def _does(self, what: str, number: str = "") -> None:
        self._doing = what
        workflow.set_current_details(f"### loads {self._given.computer}\n\nwaits for: {what}{number}")


async def _to_the_end(handle: Handle[Any]) -> Any:
    """The activity's result; when the workflow is cancelled, it has stopped before that goes on."""
    return await result_after(workflow.wait_condition(handle.done), handle)
