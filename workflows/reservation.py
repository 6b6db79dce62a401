"""A reservation's whole life: new -> reserved -> inuse -> reclaim. One history tells one life.

It ends by *state*: whatever ends it sets the ending, every wait looks at that, and reclaim follows. A real cancellation
and a failed activity lead to reclaim too. A bug does not: the workflow task is retried and the machine is left alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

from vclab.model import messages
from vclab.model.intents import Verb
from vclab.model.life import ReservationInput, State
from vclab.model.messages import (
    Acknowledge,
    Capture,
    Done,
    End,
    Extend,
    Placement,
    Reboot,
    Reinstall,
    Reschedule,
    Resolve,
    StatusView,
)
from vclab.model.states import Ending, ReservationState
from workflows import access, acts, failures, live_status, mending, reinstalling, saving, scheduled
from workflows.connecting import connect
from workflows.extension import Extensions
from workflows.in_use import use
from workflows.life import Life
from workflows.placing import find_place
from workflows.preparing import prepare
from workflows.reclaiming import reclaim
from workflows.reinstalling import begin_anew
from workflows.taking import until_loaded
from workflows.tasks import in_any_case

PHASES = (
    scheduled.until_start,  # for later: a preload before the start
    until_loaded,  # new: its computer is being loaded already
    prepare,  # new: load the computer
    connect,  # reserved: Connect, and the first connection
    use,  # inuse: until the end
)
"""From placed to its ending. Each does nothing when there is nothing for it to do."""


@dataclass(frozen=True)
class Outcome:
    """How a reservation ended; ``refused`` when it was never placed."""

    reservation: str
    state: str
    ending: str = ""
    reason: str = ""


@workflow.defn(name=messages.WORKFLOW)
class Reservation:
    """The life of one reservation."""

    @workflow.init
    def __init__(self, given: ReservationInput) -> None:
        self._life = Life(given.request, given.state or State())
        self._extensions = Extensions(self._life)

    @workflow.run
    async def run(self, given: ReservationInput) -> Outcome:
        """Live it. Raises the failure that ended it, after the computer is taken back."""
        life = self._life
        failure: BaseException | None = None
        try:
            await self._live(goes_on=given.state is not None)
        # Exactly what ends a workflow. Anything else is a bug, and a bug must not wipe a user's machine.
        except (FailureError, asyncio.CancelledError) as error:
            failure = error
            await in_any_case(self._broken(error))
        if life.state.placed is not None:
            await in_any_case(reclaim(life) if life.placed.held else scheduled.drop(life))
        await workflow.wait_condition(workflow.all_handlers_finished)
        ending, reason = life.state.ending, life.state.reason
        if ending is Ending.FAILED or (failure is not None and ending is None):
            raise ApplicationError(reason, type="ReservationFailed", non_retryable=True)
        return Outcome(life.request.id, life.state.state, ending or "", reason)

    async def _live(self, goes_on: bool) -> None:
        """Find a place, then one phase after the other. What goes on from another run is in use."""
        life = self._life
        if not goes_on:
            await find_place(life)
        await self._through((use,) if goes_on else PHASES)
        while life.state.reinstall and not life.ended:
            await begin_anew(life)
            await self._through(PHASES[-3:] if life.state.state is ReservationState.NEW else (use,))

    async def _through(self, phases: Sequence[Callable[[Life], Awaitable[None]]]) -> None:
        for phase in phases:
            if self._life.state.placed is not None and not self._life.ended:
                await phase(self._life)

    async def _broken(self, error: BaseException) -> None:
        """A failed activity or a real cancellation: say why; what was placed is reclaimed."""
        life, state, text = self._life, self._life.state, failures.reason(error)
        if state.placed is None:
            state.refusal = state.refusal or f"it could not be placed: {text}"
            life.says(state.refusal)
        elif failures.was_cancelled(error):
            await life.finish(acts.users_ending(life), "its workflow was cancelled")
        else:
            step = f"step {state.load.step}, {state.wait.what}: " if state.load.step else ""
            await life.finish(Ending.FAILED, f"{step}{text}")

    # --- messages -------------------------------------------------------------------------------------------------

    @workflow.update(name=messages.PLACE)
    async def placement(self) -> Placement:
        """Where it is placed; fails as ``Refused`` with every candidate and what it lacks."""
        life, state = self._life, self._life.state
        await workflow.wait_condition(lambda: state.placed is not None or bool(state.refusal))
        if state.placed is None:
            raise acts.refused(state.refusal)
        return Placement(life.request.id, life.target.computer, life.target.host, life.end, life.placed.start)

    @workflow.update(name=messages.ACKNOWLEDGE)
    async def acknowledge(self, message: Acknowledge) -> Done:
        """Connect, from an address; a further address is added. The newest stands last."""
        if message.address not in self._life.state.let_in.addresses[-1:]:
            await access.acknowledge(self._life, message)
        return acts.done(self._life)

    @acknowledge.validator
    def check_acknowledge(self, message: Acknowledge) -> None:
        """Refuse Connect before it is ready."""
        acts.check_acknowledge(self._life, message)

    @workflow.update(name=messages.EXTEND)
    async def extend(self, message: Extend) -> Done:
        """Move the end; fails as ``Refused`` with the latest end that is possible."""
        refusal = await self._extensions.extend(message)
        if refusal:
            raise acts.refused(refusal)
        return acts.done(self._life)

    @extend.validator
    def check_extend(self, message: Extend) -> None:
        """Refuse to extend what has ended."""
        acts.check_open(self._life)

    @workflow.update(name=messages.RESCHEDULE)
    async def reschedule(self, message: Reschedule) -> Done:
        """Move the start before it has come; fails as ``Refused`` with what stands in the way."""
        if not acts.is_done(self._life, message.intent):
            refusal = await scheduled.reschedule(self._life, message)
            if refusal:
                raise acts.refused(refusal)
            acts.remember(self._life, message.intent)
        return acts.done(self._life)

    @reschedule.validator
    def check_reschedule(self, message: Reschedule) -> None:
        """Refuse another start unless it was reserved for later."""
        acts.check_reschedule(self._life)

    @workflow.update(name=messages.REBOOT)
    async def reboot(self, message: Reboot) -> Done:
        """Restart the computer; answered at once, the status tells when it is back."""
        if not acts.is_done(self._life, message.intent):
            await access.ask_for_reboot(self._life, message)
            acts.remember(self._life, message.intent)
        return acts.done(self._life)

    @reboot.validator
    def check_reboot(self, message: Reboot) -> None:
        """Refuse a restart before Connect, and a second one at the same time."""
        acts.check_reboot(self._life, message)

    @workflow.update(name=messages.CAPTURE)
    async def capture(self, message: Capture) -> Done:
        """Capture the computer; answered at once, the status tells how far it is."""
        if not acts.is_done(self._life, message.intent):
            refusal = await saving.begin(self._life, message)
            if refusal:
                raise acts.refused(refusal)
            acts.remember(self._life, message.intent)
        return acts.done(self._life)

    @capture.validator
    def check_capture(self, message: Capture) -> None:
        """Refuse before it is in use, and a second one at the same time."""
        acts.check_capture(self._life, message)

    @workflow.update(name=messages.REINSTALL)
    async def reinstall(self, message: Reinstall) -> Done:
        """Bring the computer back to its image; answered at once, the status tells how far it is."""
        if not acts.is_done(self._life, message.intent):
            refusal = await reinstalling.ask(self._life, message)
            if refusal:
                raise acts.refused(refusal)
            acts.remember(self._life, message.intent)
        return acts.done(self._life)

    @reinstall.validator
    def check_reinstall(self, message: Reinstall) -> None:
        """Refuse before it is in use, and a second one at the same time."""
        acts.check_reinstall(self._life, message)

    @workflow.update(name=messages.END)
    async def end(self, message: End) -> Done:
        """End it now. Ending it again changes nothing."""
        await self._life.end_for(message.intent, Verb.END, acts.users_ending(self._life))
        return acts.done(self._life)

    @workflow.update(name=messages.RESOLVE)
    async def resolve(self, message: Resolve) -> Done:
        """An operator has mended what made the load fail, or gives it up."""
        if not acts.is_done(self._life, message.intent):
            await mending.resolve(self._life, message)
            acts.remember(self._life, message.intent)
        return acts.done(self._life)

    @resolve.validator
    def check_resolve(self, message: Resolve) -> None:
        """Refuse unless it waits for help."""
        acts.check_resolve(self._life, message)

    @workflow.signal(name=messages.CANCEL)
    async def cancel_signal(self, *args: Any) -> None:
        """Somebody ends it from the Temporal UI or CLI; whatever is sent along does not matter."""
        await self._life.finish(acts.users_ending(self._life), "cancelled by an operator", by_signal=True)

    @workflow.signal(name=messages.EXTEND)
    async def extend_signal(self, *args: Any) -> None:
        """Somebody moves the end from the Temporal UI or CLI. Input that is not understood is refused."""
        await self._extensions.extend_by_signal(args)

    @workflow.signal(name=messages.LOADED)
    async def loaded_signal(self, *args: Any) -> None:
        """The computer that it waits for is loaded, or could not be; whatever is sent along does not matter."""
        self._life.state.load_ended = True

    @workflow.signal(name=messages.COPIED)
    async def copied_signal(self, *args: Any) -> None:
        """The copy that it waits for is made, or could not be; whatever is sent along does not matter."""
        self._life.state.copy_ended = True

    @workflow.query(name=messages.STATUS)
    def status(self) -> StatusView:
        """What runs, what is waited for, since when, until when, and what happens then."""
        return live_status.view(self._life.state)
