"""A reservation's whole life: new -> reserved -> inuse -> reclaim. One history tells one life.

It ends by *state*: whatever ends it sets ``ending``, every wait looks at that, and reclaim follows. A real cancellation
and a failed activity lead to reclaim too. A bug does not: the workflow task is retried and the machine is left alone.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError
from temporalio.types import MethodAsyncSingleParam

from activities.guest import GuestActivities, GuestInput, Seen
from activities.provisioning import ProvisioningActivities, SurveyInput
from activities.records import (
    EndedInput,
    Event,
    ExtendInput,
    PlaceInput,
    PlaceOutcome,
    RecordActivities,
    RefusalInput,
)
from vclab.model import durations, messages
from vclab.model.errors import Refused
from vclab.model.messages import Acknowledge, Done, End, Extend, Placement, Reboot, StatusView
from vclab.model.plans import Facts, Plan, Step
from vclab.model.reservations import Placed, ReserveRequest, Waits
from vclab.model.states import OPEN_STATES, Ending, ReservationState
from vclab.temporal import search_attributes as searchable
from workflows import failures, profiles, signals
from workflows.life import Handle, Life, T, result_after, whole
from workflows.load import run_plan
from workflows.reclaim import take_back
from workflows.restart import BACK_SECONDS, LOOK_SECONDS, restart
from workflows.waiting import Progress

DAY = 86400.0


@dataclass(frozen=True)
class Outcome:
    """How a reservation ended; ``refused`` when it was never placed."""

    reservation: str
    state: str
    ending: str = ""
    reason: str = ""


@workflow.defn(name=messages.WORKFLOW)
class Reservation(Life):
    """The life of one reservation."""

    @workflow.init
    def __init__(self, request: ReserveRequest) -> None:
        super().__init__()
        self._request = request
        self._progress = Progress(request)
        self._placed: Placed | None = None
        self._refusal = ""
        self._facts = Facts()
        self._end = workflow.now()
        self._moved = False
        self._ended_by = ""
        self._addresses: tuple[str, ...] = ()
        self._granted: tuple[str, ...] = ()
        self._reboot: Reboot | None = None
        self._seen: list[str] = []

    # --- the life -------------------------------------------------------------------------------------------------

    @workflow.run
    async def run(self, request: ReserveRequest) -> Outcome:
        """Live it. Raises the failure that ended it, after the computer is taken back."""
        failure: BaseException | None = None
        try:
            await self._place()
            for phase in (self._new, self._reserved, self._inuse):
                if self._placed is not None and self._ending is None:
                    await phase(self._placed)
        # Exactly what ends a workflow. Anything else is a bug, and a bug must not wipe a user's machine.
        except (FailureError, asyncio.CancelledError) as error:
            failure = error
            await self._broken(error)
        if self._placed is not None:
            await self._reclaim(self._placed)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if failure is not None and self._ending in (None, Ending.FAILED):
            raise ApplicationError(self._progress.reason, type="ReservationFailed", non_retryable=True)
        return Outcome(request.id, self._progress.state, self._ending or "", self._progress.reason)

    async def _place(self) -> None:
        self._progress.waits("the endpoints to say what they can hold")
        survey = await workflow.execute_activity_method(
            ProvisioningActivities.survey,
            SurveyInput(),
            **profiles.survey("ask the endpoints what they can hold", "default"),
        )

        async def place() -> None:
            given = PlaceInput(self._request, survey.inventories, workflow.now())
            outcome: PlaceOutcome = await self.record(RecordActivities.place, given)
            self._placed = outcome.placed
            self._refusal = outcome.refusal.text() if outcome.refusal else ""

        await whole(place())
        if self._placed is None:
            self._progress.waits("nothing: it was refused")
            self._progress.says(self._refusal)
            return
        target = self._placed.target
        self._end = self._placed.end
        self._progress.placed = self._placed
        self._progress.end = self._end
        workflow.upsert_search_attributes(
            [
                searchable.USER.value_set(self._request.user),
                searchable.IMAGE.value_set(self._request.image),
                searchable.COMPUTER.value_set(target.computer),
                searchable.HOST.value_set(target.host),
                searchable.END.value_set(self._end),
                searchable.STATE.value_set(ReservationState.NEW),
            ]
        )

    async def _new(self, placed: Placed) -> None:
        """Load the computer, as recorded in its plan."""
        target, ceiling = placed.target, placed.waits.step_ceiling
        self._progress.waits(f"a look at {target.computer}", ceiling, "the load fails")
        plan: Plan | None = await self.unless_ended(
            workflow.start_activity_method(
                ProvisioningActivities.make_plan,
                target,
                **profiles.short(f"look at {target.computer} and plan its load", target.site, ceiling),
            )
        )
        if plan is None:
            return
        self._progress.plan = plan

        def entered(number: int, step: Step) -> None:
            self._progress.step = number
            self._progress.waits(step.title, profiles.step_ceiling(step, ceiling), "the load fails")

        facts = await run_plan(plan, target, ceiling, self.unless_ended, entered)
        if facts is not None and self._ending is None:
            self._facts = facts
            waits = await self.record(RecordActivities.ready, self._event(facts=facts))
            self._placed = replace(placed, waits=waits)
            self._enter(ReservationState.RESERVED)

    async def _reserved(self, placed: Placed) -> None:
        """Wait for Connect, let the user in, wait for the first connection."""
        await self._await_connect(placed.waits.acknowledge)
        waits = await self._grant(placed) if self._ending is None else None
        if waits is None:
            return
        deadline = workflow.now() + timedelta(seconds=waits.first_connection)
        while self._ending is None:
            seen = await self._look_for_connection(placed, waits.first_connection_look, min(deadline, self._end))
            if seen is not None:
                await self.record(RecordActivities.connected, self._event(addresses=seen.addresses))
                self._enter(ReservationState.INUSE)
                return
            if workflow.now() >= min(deadline, self._end):
                ending = Ending.EOR if workflow.now() >= self._end else Ending.NOLOGIN
                await self._finish(ending, "nobody connected in time")

    async def _inuse(self, placed: Placed) -> None:
        """Until its end, or until nobody comes back: looks, notices, and addresses that are added."""
        connected = True
        while self._ending is None:
            seen = await self._watch(placed, connected)
            if self._ending is None and self._must_attend():
                await self._attend(placed)
            elif self._ending is None and seen is not None:
                connected = seen.connected
                record = RecordActivities.connected if connected else RecordActivities.disconnected
                await self.record(record, self._event(addresses=seen.addresses))

    async def _reclaim(self, placed: Placed) -> None:
        """Take the computer back; the user has seen Ended already."""
        await self._finish(self._ending or Ending.FAILED, self._progress.reason)
        await self._recorded_end()
        self._enter(ReservationState.RECLAIM)
        self._progress.waits(f"{placed.target.computer} to be gone from {placed.target.host}")
        await self._shut(placed)
        await take_back(placed.target, placed.waits.remove_retry)
        await self.record(RecordActivities.finished, self._event())
        failed = self._ending is Ending.FAILED
        self._enter(ReservationState.FAILED if failed else ReservationState.COMPLETE)
        self._progress.waits("nothing: the computer is taken back")

    async def _shut(self, placed: Placed) -> None:
        """Shut the user out at once: taking the computer back may take long when its endpoint is away."""
        if not self._addresses:
            return
        with suppress(ActivityError):
            await workflow.execute_activity_method(
                GuestActivities.close_access,
                self._guest_input(placed, 0.0),
                **profiles.briefly(f"shut {placed.target.computer}", placed.target.site),
            )

    # --- parts of the life ----------------------------------------------------------------------------------------

    async def _await_connect(self, seconds: float) -> None:
        """Until Connect is pressed, or it has ended because nobody did."""
        self._progress.waits("Connect", seconds, "it ends as noack")
        deadline = workflow.now() + timedelta(seconds=seconds)
        while not self._addresses and self._ending is None:
            self._moved = False
            until = min(deadline, self._end)
            if not await self.until(lambda: bool(self._addresses) or self._moved, until, "Connect"):
                ending = Ending.NOACK if until == deadline else Ending.EOR
                await self._finish(ending, "nobody pressed Connect in time")

    async def _look_for_connection(self, placed: Placed, every: float, until: datetime) -> Seen | None:
        """The first connection seen, or None: no time left, ended, or another address was let in meanwhile."""
        within = (until - workflow.now()).total_seconds()
        if within <= 0:
            return None
        self._progress.waits("the first connection", within, "it ends as nologin")
        look = self._start_look(GuestActivities.await_connection, placed, every, within, "is the user connected?")
        try:
            seen = await self.unless_ended(look, self._must_attend)
        except ActivityError as error:
            if not failures.timed_out(error):
                raise
            seen = None
        if self._must_attend() and self._ending is None:
            await self._attend(placed)
        return seen

    async def _watch(self, placed: Placed, connected: bool) -> Seen | None:
        """What the next look in use sees, while the clock runs on; None when it was broken off or could not look.

        In use, no fault of ours ends anything: a look that fails is shown, waited out and begun again.
        """
        look = self._look_in_use(placed, connected)
        try:
            return await self._while_the_clock_runs(placed, look, self._must_attend)
        except ActivityError as error:
            if not connected and failures.timed_out(error) and not failures.could_not_look(error):
                await self._finish(Ending.TIMEOUT, "the user was disconnected for too long")
            else:
                await self._look_failed(placed, error)
            return None

    async def _while_the_clock_runs(
        self, placed: Placed, handle: Handle[T], or_else: Callable[[], bool] = lambda: False
    ) -> T | None:
        """As ``unless_ended``; the notices are sent meanwhile, and the end is kept."""

        def enough() -> bool:
            return handle.done() or or_else()

        async def wait() -> None:
            while not enough() and self._ending is None:
                await self._tick(placed, enough)

        return await result_after(wait(), handle)

    def _look_in_use(self, placed: Placed, connected: bool) -> Handle[Seen]:
        """Every 5 min while connected (VCL general_inuse_check). After that every 15 s for as long as the user may stay
        away; a reservation of a day or more is not timed out (VCL ignore_connections_gte)."""
        waits = placed.waits
        if connected:
            self._progress.waits_for_the_end()
            every, within, look = waits.inuse_look, None, GuestActivities.await_disconnection
            return self._start_look(look, placed, every, within, "is the user still connected?")
        within = None if self._request.seconds >= DAY else waits.reconnect
        self._progress.waits("the user to come back", within, "it ends as timeout" if within else "")
        every, look = waits.first_connection_look, GuestActivities.await_connection
        return self._start_look(look, placed, every, within, "has the user come back?")

    async def _look_failed(self, placed: Placed, error: ActivityError) -> None:
        self._progress.says(f"the computer can't be looked at: {failures.reason(error)}")
        again = workflow.now() + timedelta(seconds=placed.waits.first_connection_look)
        while workflow.now() < again and self._ending is None and not self._must_attend():
            await self._tick(placed, self._must_attend, again)

    def _must_attend(self) -> bool:
        """Somebody wants something that interrupts a look: another address let in, a restart."""
        return self._addresses != self._granted or self._reboot is not None

    async def _attend(self, placed: Placed) -> None:
        if self._addresses != self._granted:
            await self._grant_carefully(placed)
        elif self._reboot is not None:
            await self._restart(placed, self._reboot)

    async def _restart(self, placed: Placed, message: Reboot) -> None:
        """Restart the computer. Its failure is told, and ends nothing."""
        self._progress.waits(f"{placed.target.computer} to restart", 2 * BACK_SECONDS, "it is restarted by force")
        try:
            facts = await restart(
                self._guest_input(placed, LOOK_SECONDS),
                message.hard,
                lambda handle: self._while_the_clock_runs(placed, handle),
                lambda: self._ending is not None,
            )
            if facts is not None:
                self._facts = self._facts.merged(facts)
                await self.record(RecordActivities.rebooted, self._event(facts=self._facts))
        except ActivityError as error:
            self._progress.says(f"the restart failed: {failures.reason(error)}; try it again")
        self._reboot = None

    async def _grant_carefully(self, placed: Placed) -> None:
        """A further address that can't be let in is told, and not tried again until Connect is pressed again."""
        try:
            await self._grant(placed)
        except ActivityError as error:
            self._progress.says(f"{', '.join(self._addresses)} could not be let in: {failures.reason(error)}")
            self._addresses = self._granted

    async def _grant(self, placed: Placed) -> Waits | None:
        """Account and firewall for all acknowledged addresses. None when the reservation ended meanwhile."""
        addresses = self._addresses
        self._progress.waits(f"access for {', '.join(addresses)}", placed.waits.step_ceiling, "")
        given = self._guest_input(placed, 0.0)
        await self.unless_ended(
            workflow.start_activity_method(
                GuestActivities.grant_access,
                given,
                **profiles.short(
                    f"let {placed.access.login} in from {', '.join(addresses)}",
                    placed.target.site,
                    placed.waits.step_ceiling,
                ),
            )
        )
        if self._ending is not None:
            return None
        self._granted = addresses
        waits: Waits = await self.record(RecordActivities.access_opened, self._event(addresses=addresses))
        self._progress.access_open = True
        return waits

    async def _tick(self, placed: Placed, fact: Callable[[], bool], at_most: datetime | None = None) -> None:
        """Wait for a fact, but no longer than to the next moment of the clock: a notice, or the end."""
        now = workflow.now()
        if now >= self._end:
            await self._finish(Ending.EOR, "the end of the reservation was reached")
            return
        notices = [self._end - timedelta(seconds=s) for s in placed.waits.notices]
        due = min((n for n in notices if n > now), default=self._end)
        self._moved = False
        moment = min(due, at_most or due)
        came = await self.until(lambda: fact() or self._moved, moment, "end" if due == self._end else "notice")
        if not came and moment == due and due != self._end:
            await self._notify(placed)

    async def _notify(self, placed: Placed) -> None:
        left = durations.format_duration((self._end - workflow.now()).total_seconds())
        text = f"Your reservation ends in {left}. Save your work, or extend it: vclab extend {self._request.id} --by 1h"
        with suppress(ActivityError):
            await self.unless_ended(
                workflow.start_activity_method(
                    GuestActivities.notify_user,
                    replace(self._guest_input(placed, 0.0), text=text),
                    **profiles.briefly(f"tell the user: {left} left", placed.target.site),
                )
            )

    def _start_look(
        self,
        look: MethodAsyncSingleParam[GuestActivities, GuestInput, Seen],
        placed: Placed,
        every: float,
        within: float | None,
        summary: str,
    ) -> Handle[Seen]:
        return workflow.start_activity_method(
            look,
            self._guest_input(placed, every),
            **profiles.look(summary, placed.target.site, every, within),
        )

    def _guest_input(self, placed: Placed, every: float) -> GuestInput:
        return GuestInput(placed.target, self._facts, replace(placed.access, addresses=self._addresses), every)

    # --- how it ends ----------------------------------------------------------------------------------------------

    async def _finish(self, ending: Ending, reason: str = "", by: str = "") -> None:
        """End it for the user: the first ending stays. Every wait is woken; reclaim follows."""
        if self._ending is not None:
            return
        self._ending = self._progress.ending = ending
        self._ended_by = by
        self._progress.says(reason)
        await self._recorded_end()

    async def _recorded_end(self) -> None:
        if self._placed is not None and self._ending is not None:
            given = EndedInput(self._request.id, self._ending, workflow.now(), self._progress.reason, self._ended_by)
            await self.record(RecordActivities.ended, given)

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

    def _users_ending(self) -> Ending:
        """Before Connect ``deleted``, after it ``released``."""
        return Ending.RELEASED if self._addresses else Ending.DELETED

    def _event(self, facts: Facts | None = None, addresses: Sequence[str] = ()) -> Event:
        return Event(self._request.id, workflow.now(), facts or Facts(), tuple(addresses))

    def _enter(self, state: ReservationState) -> None:
        self._progress.state = state
        workflow.upsert_search_attributes([searchable.STATE.value_set(state)])
        self._progress.show()

    # --- messages -------------------------------------------------------------------------------------------------

    @workflow.update(name=messages.PLACE)
    async def place(self) -> Placement:
        """Where it is placed; fails as ``Refused`` with every candidate and what it lacks."""
        await workflow.wait_condition(lambda: self._placed is not None or bool(self._refusal))
        if self._placed is None:
            raise _refused(self._refusal)
        target = self._placed.target
        return Placement(self._request.id, target.computer, target.host, self._end)

    @workflow.update(name=messages.ACKNOWLEDGE)
    async def acknowledge(self, message: Acknowledge) -> Done:
        """Connect, from an address; a further address is added."""
        if message.address not in self._addresses:
            addresses = (*self._addresses, message.address)
            await self.record(RecordActivities.acknowledged, self._event(addresses=addresses))
            self._addresses = addresses
        return self._done()

    @acknowledge.validator
    def check_acknowledge(self, message: Acknowledge) -> None:
        """Only what is ready can be connected to."""
        if self._ending is not None:
            raise _refused(f"the reservation has ended ({self._ending})")
        if self._progress.state not in (ReservationState.RESERVED, ReservationState.INUSE):
            raise _refused(f"not ready yet: {self._progress.word()}: {self._progress.waits_for}")
        try:
            ipaddress.ip_network(message.address, strict=False)
        except ValueError:
            raise _refused(f"{message.address!r:.80} is no IP address or prefix") from None

    @workflow.update(name=messages.EXTEND)
    async def extend(self, message: Extend) -> Done:
        """Move the end; fails as ``Refused`` with the latest end that is possible."""
        refusal = await self._extend(message)
        if refusal:
            raise _refused(refusal)
        return self._done()

    @extend.validator
    def check_extend(self, message: Extend) -> None:
        """What has ended can't be extended."""
        self._check_open()

    @workflow.update(name=messages.REBOOT)
    async def reboot(self, message: Reboot) -> Done:
        """Restart the computer; answered at once, the status tells when it is back."""
        self._reboot = message
        return self._done()

    @reboot.validator
    def check_reboot(self, message: Reboot) -> None:
        """Only what somebody was let in to, and one restart at a time."""
        if self._ending is not None or not self._granted:
            raise _refused("only a computer that you have connected to can be restarted")
        if self._reboot is not None:
            raise _refused("it is being restarted already")

    @workflow.update(name=messages.END)
    async def end(self, message: End) -> Done:
        """End it now. Ending it again changes nothing."""
        reason = "" if message.by == self._request.user else f"ended by {message.by}"
        await self._finish(self._users_ending(), reason, message.by)
        return self._done()

    @workflow.signal(name=messages.CANCEL)
    async def cancel_signal(self, *args: Any) -> None:
        """An operator ends it; whatever is sent along does not matter."""
        await self._finish(self._users_ending(), "cancelled by an operator", "operator")

    @workflow.signal(name=messages.EXTEND)
    async def extend_signal(self, *args: Any) -> None:
        """An operator moves the end. A signal has no answer: a refusal is shown, and kept in the audit."""
        try:
            self._check_open()
            end = signals.new_end(args, self._end)
            refusal = await self._extend(Extend(end, "operator", operator=True))
        except (Refused, ApplicationError) as error:
            refusal = str(error)
        if refusal:
            self._progress.says(f"extend refused: {refusal}")
            if self._placed is not None:
                note = RefusalInput(self._request.id, messages.EXTEND, refusal, workflow.now())
                await self.record(RecordActivities.refusal_noted, note)

    @workflow.query(name=messages.STATUS)
    def status(self) -> StatusView:
        """What runs, what is waited for, since when, until when, and what happens then."""
        return self._progress.view()

    async def _extend(self, message: Extend) -> str:
        """Move the end; the refusal's text when that is not possible, else empty."""
        if message.request_id and message.request_id in self._seen:
            return ""
        given = ExtendInput(self._request.id, message, workflow.now())
        outcome = await self.record(RecordActivities.extend, given)
        if outcome.end is None:
            return outcome.refusal
        self._seen.append(message.request_id)
        self._end = outcome.end
        self._moved = True
        workflow.upsert_search_attributes([searchable.END.value_set(outcome.end)])
        self._progress.moved(outcome.end)
        return ""

    def _check_open(self) -> None:
        if self._placed is None or self._ending is not None or self._progress.state not in OPEN_STATES:
            raise _refused("the reservation has ended" if self._ending else "the reservation is not placed yet")

    def _done(self) -> Done:
        return Done(self._progress.state, self._end, self._ending or "")


def _refused(text: str) -> ApplicationError:
    return ApplicationError(text, type="Refused", non_retryable=True)
