"""A reservation's whole life: new -> reserved -> inuse -> reclaim. One history tells one life.

It ends by *state*: whatever ends it sets ``ending``, every wait looks at that, and reclaim follows. A real cancellation
and a failed activity lead to reclaim too. A bug does not: the workflow task is retried and the machine is left alone.
"""

import asyncio
import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from activities.records import (
    ExtendInput,
    RecordActivities,
    RefusalInput,
)
from vclab.model import messages
from vclab.model.addresses import newest_last
from vclab.model.errors import Refused
from vclab.model.messages import Acknowledge, Done, End, Extend, How, Move, Placement, Reboot, Resolve, StatusView
from vclab.model.reservations import ReserveRequest
from vclab.model.states import OPEN_STATES, Ending, ReservationState
from vclab.temporal import search_attributes as searchable
from workflows import failures, signals
from workflows.awaiting import Awaiting
from workflows.leaving import Leaving
from workflows.life import in_any_case
from workflows.using import Using


@dataclass(frozen=True)
class Outcome:
    """How a reservation ended; ``refused`` when it was never placed."""

    reservation: str
    state: str
    ending: str = ""
    reason: str = ""


@workflow.defn(name=messages.WORKFLOW)
class Reservation(Awaiting, Using, Leaving):
    """The life of one reservation."""

    @workflow.init
    def __init__(self, request: ReserveRequest) -> None:
        super().__init__(request)
        self._one_extension = asyncio.Lock()  #: a signal's "1h" counts from the end as those before it have left it

    @workflow.run
    async def run(self, request: ReserveRequest) -> Outcome:
        """Live it. Raises the failure that ended it, after the computer is taken back."""
        failure: BaseException | None = None
        try:
            if request.carried is None:
                await self._place()
            phases = (self._scheduled, self._awaiting, self._new, self._reserved, self._inuse)
            for phase in (self._inuse,) if request.carried else phases:
                if self._placed is not None and self._ending is None:
                    await phase(self._placed)
        # Exactly what ends a workflow. Anything else is a bug, and a bug must not wipe a user's machine.
        except (FailureError, asyncio.CancelledError) as error:
            failure = error
            await in_any_case(self._broken(error))
        if self._placed is not None:
            await in_any_case(self._reclaim(self._placed) if self._placed.held else self._drop(self._placed))
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._ending is Ending.FAILED or (failure is not None and self._ending is None):
            raise ApplicationError(self._progress.reason, type="ReservationFailed", non_retryable=True)
        return Outcome(request.id, self._progress.state, self._ending or "", self._progress.reason)

    async def _broken(self, error: BaseException) -> None:
        """A failed activity or a real cancellation: say why; what was placed is reclaimed."""
        text = failures.reason(error)
        if self._placed is None:
            self._refusal = self._refusal or f"it could not be placed: {text}"
            self._progress.says(self._refusal)
        elif failures.was_cancelled(error):
            await self._finish(self._users_ending(), "its workflow was cancelled")
        else:
            step = f"step {self._progress.step}, {self._progress.waits_for}: " if self._progress.step else ""
            await self._finish(Ending.FAILED, f"{step}{text}")

    # --- messages -------------------------------------------------------------------------------------------------

    @workflow.update(name=messages.PLACE)
    async def place(self) -> Placement:
        """Where it is placed; fails as ``Refused`` with every candidate and what it lacks."""
        await workflow.wait_condition(lambda: self._placed is not None or bool(self._refusal))
        if self._placed is None:
            raise _refused(self._refusal)
        target = self._placed.target
        return Placement(self._request.id, target.computer, target.host, self._end, self._placed.start)

    @workflow.update(name=messages.ACKNOWLEDGE)
    async def acknowledge(self, message: Acknowledge) -> Done:
        """Connect, from an address; a further address is added. The newest stands last."""
        newest = self._addresses[-1:] if self._waits.run_events else self._addresses
        if message.address not in newest:
            await self._acknowledge(message.address)
        return self._done()

    @acknowledge.validator
    def check_acknowledge(self, message: Acknowledge) -> None:
        """Only what is ready can be connected to."""
        if self._ending is not None:
            raise _refused(f"the reservation has ended ({self._ending})")
        if self._progress.state not in (ReservationState.RESERVED, ReservationState.INUSE):
            raise _refused(f"not ready yet: {self._progress.word()}: {self._progress.waits_for}")
        try:
            ipaddress.ip_network(message.address.replace("%", "?"), strict=False)  # a zone means nothing elsewhere
        except ValueError:
            raise _refused(f"{message.address!r:.80} is no IP address or prefix") from None

    @workflow.update(name=messages.EXTEND)
    async def extend(self, message: Extend) -> Done:
        """Move the end; fails as ``Refused`` with the latest end that is possible."""
        async with self._one_extension:
            refusal = await self._extend(message)
        if refusal:
            raise _refused(refusal)
        return self._done()

    @extend.validator
    def check_extend(self, message: Extend) -> None:
        """What has ended can't be extended."""
        self._check_open()

    @workflow.update(name=messages.MOVE)
    async def move(self, message: Move) -> Done:
        """Move the start, which has not come yet; fails as ``Refused`` with what stands in the way."""
        if not self._is_done(message.request_id):
            refusal = await self._move_start(message)
            if refusal:
                raise _refused(refusal)
            self._remember(message.request_id)
        return self._done()

    @move.validator
    def check_move(self, message: Move) -> None:
        """Only what was reserved for later has a start that can be moved."""
        self._check_open()
        if self._placed is None or self._placed.start is None:
            raise _refused("it was reserved without a start, and has begun at once")

    @workflow.update(name=messages.REBOOT)
    async def reboot(self, message: Reboot) -> Done:
        """Restart the computer; answered at once, the status tells when it is back."""
        if not self._is_done(message.request_id):
            self._reboot = message
            self._remember(message.request_id)
        return self._done()

    @reboot.validator
    def check_reboot(self, message: Reboot) -> None:
        """Only what somebody was let in to, and one restart at a time."""
        if self._ending is not None or not self._granted:
            raise _refused("only a computer that you have connected to can be restarted")
        if self._reboot is not None and not self._is_done(message.request_id):
            raise _refused("it is being restarted already")

    @workflow.update(name=messages.END)
    async def end(self, message: End) -> Done:
        """End it now. Ending it again changes nothing."""
        reason = "" if message.by == self._request.user else f"ended by {message.by}"
        await self._finish(self._users_ending(), reason, message.by)
        return self._done()

    @workflow.update(name=messages.RESOLVE)
    async def resolve(self, message: Resolve) -> Done:
        """An operator has mended what made the load fail, or gives it up."""
        if not self._is_done(message.request_id):
            await self._resolve(message)
            self._remember(message.request_id)
        return self._done()

    @resolve.validator
    def check_resolve(self, message: Resolve) -> None:
        """Only what waits for help."""
        if self._is_done(message.request_id):
            return
        if message.how not in list(How):
            raise _refused(f"{message.how!r:.80} is none of {', '.join(How)}")
        if not self._progress.needs_help or self._ending is not None:
            stands = f"has ended ({self._ending})" if self._ending else f"is {self._progress.word()}"
            raise _refused(f"it needs no help: it {stands}")
        if self._resolving is not None:
            raise _refused(f"{self._resolving.by} has resolved it already: {self._resolving.how}")

    @workflow.signal(name=messages.CANCEL)
    async def cancel_signal(self, *args: Any) -> None:
        """An operator ends it; whatever is sent along does not matter."""
        await self._finish(self._users_ending(), "cancelled by an operator", "operator")

    @workflow.signal(name=messages.EXTEND)
    async def extend_signal(self, *args: Any) -> None:
        """An operator moves the end. A signal has no answer: a refusal is shown, and kept in the audit.

        Its number is its id: "1h" more must not be added twice when a worker dies between the record and its answer.
        """
        self._signals += 1
        act = f"signal-{self._signals}"
        try:
            self._check_open()
            async with self._one_extension:
                end = signals.new_end(args, self._end)
                refusal = await self._extend(Extend(end, "operator", operator=True, request_id=act))
        # A failure that leaves a signal's handler would end the workflow.
        except (Refused, ApplicationError, ActivityError) as error:
            refusal = failures.reason(error)
        if refusal:
            self._progress.says(f"extend refused: {refusal}")
            self.tell()
            if self._placed is not None:
                note = RefusalInput(self._request.id, messages.EXTEND, refusal, workflow.now())
                with suppress(ApplicationError, ActivityError):
                    await self.record(RecordActivities.refusal_noted, note)

    @workflow.signal(name=messages.LOADED)
    async def loaded_signal(self, *args: Any) -> None:
        """The computer that it waits for is loaded, or could not be; whatever is sent along does not matter."""
        self._was_told = True

    @workflow.query(name=messages.STATUS)
    def status(self) -> StatusView:
        """What runs, what is waited for, since when, until when, and what happens then."""
        return self._progress.view()

    async def _extend(self, message: Extend) -> str:
        """Move the end; the refusal's text when that is not possible, else empty."""
        if self._is_done(message.request_id):
            return ""
        given = ExtendInput(self._request.id, message, workflow.now())
        outcome = await self.record(RecordActivities.extend, given)
        if outcome.end is None:
            return outcome.refusal
        if outcome.waits is not None:
            self._heed(outcome.waits)
        self._remember(message.request_id)
        self._end = outcome.end
        self._moved = True
        workflow.upsert_search_attributes([searchable.END.value_set(outcome.end)])
        self._progress.moved(outcome.end)
        return ""

    async def _acknowledge(self, address: str) -> None:
        """Let this address in too. Records that are written meanwhile know of it."""
        self._asking = newest_last(self._asking, address)
        try:
            given = self._event(addresses=newest_last(self._addresses, *self._asking))
            self._heed(await self.record(RecordActivities.acknowledged, given))
        finally:
            self._asking = tuple(each for each in self._asking if each != address)
        self._addresses = newest_last(self._addresses, address)
        self._back_by = None

    def _check_open(self) -> None:
        if self._placed is None or self._ending is not None or self._progress.state not in OPEN_STATES:
            raise _refused("the reservation has ended" if self._ending else "the reservation is not placed yet")

    def _done(self) -> Done:
        return Done(self._progress.state, self._end, self._ending or "")


def _refused(text: str) -> ApplicationError:
    return ApplicationError(text, type="Refused", non_retryable=True)
