"""A background load: of a computer after a reservation, or because an operator asks for it.

It runs its plan by the same component as a reservation does. A reservation that wants the computer registers by the
signal ``waiter``, and is signalled when it is loaded, or has failed. A bug leaves the computer alone: the workflow task
is retried, and the tenure stays.
"""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from activities.loads import LoadBegins, LoadEnded, LoadRecords
from activities.provisioning import ProvisioningActivities
from vclab.model import messages
from vclab.model.messages import Reload, workflow_id
from vclab.model.plans import Facts
from vclab.model.states import ComputerState
from vclab.temporal import search_attributes as searchable
from workflows import failures, profiles
from workflows.background_owner import BackgroundOwner
from workflows.plan_runner import PLANNING, Failed, Policy, keep_evidence, load
from workflows.tasks import whole


@workflow.defn(name=messages.LOAD)
class BackgroundLoad:
    """Loads a computer. Its id lets one run at a time; the tenure keeps everybody else away."""

    @workflow.init
    def __init__(self, given: Reload) -> None:
        self._given = given
        self._owner = BackgroundOwner("Loading", given.computer)
        self._waiters: list[str] = []

    @workflow.run
    async def run(self, given: Reload) -> str:
        """What the computer holds now, or why nothing was done. Raises the reason when it could not be loaded."""
        owner = self._owner
        begun = await owner.record(LoadRecords.load_begins, LoadBegins(given, workflow.now()))
        if begun.target is None:
            await self._signal_waiters()
            return begun.refusal
        owner.has(begun.target, begun.waits)
        self._is(ComputerState.RELOADING)
        facts, why_not = Facts(), ""
        try:
            loaded = await self._load()
            if isinstance(loaded, Facts):
                facts = loaded
            else:
                why_not = str(loaded)
        # Exactly what ends a workflow. Anything else is a bug, and changes nothing.
        except (FailureError, asyncio.CancelledError) as error:
            why_not = "it was cancelled" if failures.was_cancelled(error) else failures.reason(error)
        self._is(ComputerState.FAILED if why_not else ComputerState.AVAILABLE)
        ended = LoadEnded(owner.target, workflow.now(), facts, why_not)
        await owner.record(LoadRecords.load_ended, ended)
        await self._signal_waiters()
        if why_not:
            raise ApplicationError(f"{given.computer}: {why_not}", type="LoadFailed", non_retryable=True)
        return f"{given.computer} holds {owner.target.image}, revision {owner.target.revision}"

    @workflow.signal(name=messages.WAITER)
    async def waiter(self, *args: Any) -> None:
        """A reservation wants the computer. Input that is not its id is ignored: a signal never raises."""
        if args and isinstance(args[0], str) and args[0] not in self._waiters:
            self._waiters.append(args[0])

    @workflow.query(name=messages.STATUS)
    def status(self) -> str:
        """What it does now, in words."""
        return self._owner.doing

    async def _load(self) -> Facts | Failed:
        """What the computer holds may be well: it is loaded anew all the same, and from now on nobody takes it for
        READY."""
        owner = self._owner
        owner.waits_for(f"{owner.target.computer} to be empty")
        try:
            await self._clear()
        except FailureError as error:
            if failures.was_cancelled(error) or failures.is_fenced(error):
                raise
            failed = Failed(PLANNING, 0, owner.doing, failures.reason(error))
            await whole(keep_evidence(owner, failed))
            return failed
        loaded = await load(owner, Policy())
        assert loaded is not None  # it does not end meanwhile
        return loaded

    async def _clear(self) -> None:
        target = self._owner.target
        not_clear = await workflow.execute_activity_method(
            ProvisioningActivities.clear_computer,
            target,
            **profiles.short(f"remove what was on {target.computer}", target.site, self._owner.waits.step_ceiling),
        )
        if not_clear:
            raise ApplicationError(not_clear, type="StepFailed", non_retryable=True)

    def _is(self, state: ComputerState) -> None:
        """Search attributes, for the Temporal UI."""
        target = self._owner.target
        workflow.upsert_search_attributes(
            [
                searchable.STATE.value_set(state),
                searchable.IMAGE.value_set(target.image),
                searchable.COMPUTER.value_set(target.computer),
                searchable.HOST.value_set(target.host),
            ]
        )

    async def _signal_waiters(self) -> None:
        """Signal all waiters, also those that register meanwhile. One that has ended need not know."""
        self._owner.waits_for("its waiters to be signalled")
        while self._waiters:
            reservation = self._waiters.pop(0)
            with suppress(FailureError):
                handle = workflow.get_external_workflow_handle(workflow_id(reservation))
                await handle.signal(messages.LOADED, self._given.computer)
