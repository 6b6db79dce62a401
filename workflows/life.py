"""One reservation's life: its state, and what every phase of it does with that: wait, record, finish, publish.

It ends by *state*: whatever ends it sets ``state.ending``, every wait looks at that, and reclaim follows.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.types import MethodSyncSingleParam

from activities.reach import GuestInput
from activities.records import EndedInput, EndInput, EndOutcome, Event, RecordActivities
from vclab.model import messages
from vclab.model.captures import CaptureOutcome
from vclab.model.intents import Verb
from vclab.model.life import Load, State, Wait
from vclab.model.messages import Published
from vclab.model.plans import Facts, Target
from vclab.model.reservations import Placed, ReserveRequest, Waits
from vclab.model.states import Ending, ReservationState
from vclab.temporal import search_attributes as searchable
from workflows import live_status, profiles
from workflows.tasks import Handle, result_after, whole

P = TypeVar("P")
T = TypeVar("T")


class Life:
    """What the phases of a reservation share."""

    becomes, part = None, ""  #: a capture has a workflow of its own

    def __init__(self, request: ReserveRequest, state: State) -> None:
        self.request = request
        self.state = state
        self.beside: asyncio.Future[None] | None = None  #: the capture that goes on beside it
        self.capture: asyncio.Future[CaptureOutcome] | None = None  #: the workflow of a capture, while it runs
        self._one_record = asyncio.Lock()
        self._one_ending = asyncio.Lock()
        self._ending_recorded = False
        self._published: Published | None = None

    # --- reading --------------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """It has ended for its user."""
        return self.state.ending is not None

    @property
    def placed(self) -> Placed:
        """Where it is placed, by the newest record. Only from then on."""
        assert self.state.placed is not None
        return self.state.placed

    @property
    def target(self) -> Target:
        """Its computer."""
        return self.placed.target

    @property
    def has_guest(self) -> bool:
        """There is an operating system that people log in to. Else Connect hands the thing out, and nobody can look."""
        return self.target.traits.guest

    @property
    def waits(self) -> Waits:
        """How long waits last that begin now: as the newest record said."""
        return self.state.placed.waits if self.state.placed is not None else Waits()

    @property
    def end(self) -> datetime:
        """When it ends."""
        return self.state.placed.end if self.state.placed is not None else workflow.now()

    @property
    def load(self) -> Load:
        """How far its load is."""
        return self.state.load

    # --- waiting --------------------------------------------------------------------------------------------------

    async def until(self, fact: Callable[[], bool], deadline: datetime, name: str) -> bool:
        """Wait for a fact or the reservation's ending; False when the deadline came first."""
        left = deadline - workflow.now()
        if left <= timedelta(0):
            return fact()
        self.publish()
        try:
            await workflow.wait_condition(lambda: fact() or self.ended, timeout=left, timeout_summary=name)
        except TimeoutError:
            return False
        return True

    async def unless_ended(self, handle: Handle[T], or_else: Callable[[], bool] = lambda: False) -> T | None:
        """The activity's result; or None, after the activity has stopped, when it ended or ``or_else`` came true."""
        self.publish()
        wait = workflow.wait_condition(lambda: handle.done() or self.ended or or_else())
        return await result_after(wait, handle)

    # --- recording ------------------------------------------------------------------------------------------------

    async def record(
        self, what: MethodSyncSingleParam[Any, P, T], given: P, then: Callable[[T], None] = lambda _: None
    ) -> T:
        """One record at a time (concurrent local activities do not replay), and never half of one: ``then`` takes over
        what it says also when the workflow is cancelled meanwhile."""

        async def write() -> T:
            async with self._one_record:
                result = await workflow.execute_local_activity_method(what, given, **profiles.record_of(what))
                then(result)
                return result

        return await whole(write())

    def place_is(self, placed: Placed) -> None:
        """It is placed there now, as a record says. The end may have moved too."""
        before = self.end
        self.state.placed = placed
        if placed.end != before:
            workflow.upsert_search_attributes([searchable.END.value_set(placed.end)])
            self.end_is(placed.end)

    def heed(self, waits: Waits) -> None:
        """What a record said of the waits goes for those that begin from now on."""
        self.state.placed = replace(self.placed, waits=waits)

    def event(self, facts: Facts | None = None, addresses: Sequence[str] = ()) -> Event:
        """Something that happened to it now."""
        return Event(self.request.id, workflow.now(), facts or Facts(), tuple(addresses))

    def guest_input(self, every: float = 0.0) -> GuestInput:
        """Its computer, and whom to let in; ``every``: seconds between two looks."""
        access = replace(self.placed.access, addresses=self.state.let_in.addresses)
        return GuestInput(self.target, self.state.facts, access, every)

    # --- ending ---------------------------------------------------------------------------------------------------

    async def finish(self, ending: Ending, reason: str = "", by_signal: bool = False) -> None:
        """End it for the user: the first ending stays. Every wait is woken; reclaim follows."""
        if self.ended:
            return
        self.state.by_signal = by_signal
        self._ends(ending, reason)
        await self.record_ending()

    async def end_for(self, intent: str, verb: Verb, ending: Ending, reason: str = "") -> None:
        """End it because a person asks for it. The record comes first: it knows whether the intent asks for that."""

        def over(outcome: EndOutcome) -> None:
            self._ending_recorded = self.state.placed is not None
            self._ends(outcome.ending, outcome.reason)

        if not self.ended:
            given = EndInput(self.request.id, ending, workflow.now(), intent, verb, reason)
            await self.record(RecordActivities.end, given, over)

    async def record_ending(self) -> None:
        """Write the ending down, unless it is written already."""
        state = self.state

        def written(_: None) -> None:
            self._ending_recorded = True

        async with self._one_ending:
            if state.placed is not None and state.ending is not None and not self._ending_recorded:
                given = EndedInput(self.request.id, state.ending, workflow.now(), state.reason, state.by_signal)
                await self.record(RecordActivities.ended, given, written)

    def _ends(self, ending: Ending, reason: str) -> None:
        self.state.ending, self.state.ended_at = ending, workflow.now()
        self.says(reason)

    # --- publishing -----------------------------------------------------------------------------------------------

    def enter(self, state: ReservationState) -> None:
        """It is in this state from now on."""
        self.state.state = state
        workflow.upsert_search_attributes([searchable.STATE.value_set(state)])
        self._show()

    def waits_for(
        self, what: str, seconds: float | None = None, then: str = "", steps_since: datetime | None = None
    ) -> None:
        """It waits for ``what`` from now on, for at most ``seconds``, and ``then`` happens."""
        since = workflow.now()
        until = None if seconds is None else since + timedelta(seconds=seconds)
        self.state.wait = Wait(what, since, until, then, steps_since)
        self._show()

    def begins_step(self, number: int, then: str) -> None:
        """This step of the plan runs from now on, and ``then`` happens when it fails."""
        load, since = self.state.load, self.state.wait.steps_since or workflow.now()
        assert load.plan is not None
        running = load.plan.steps[number - 1]
        self.waits_for(running.title, profiles.step_ceiling(running, load.ceiling), then, since)

    def says(self, reason: str) -> None:
        """Something that people must know: a failure, a refusal; or nothing any more."""
        self.state.reason = reason
        self._show()

    def credit(self, end: datetime) -> None:
        """The end was moved, if it was, because time was lost by a fault of ours."""
        self.place_is(replace(self.placed, end=end))

    def end_is(self, end: datetime) -> None:
        """The end is there now."""
        self.state.placed = replace(self.placed, end=end)
        if self.state.wait.then == "it ends":
            self.state.wait.until = end
        self._show()

    def publish(self) -> None:
        """Write into the memo where it stands, if that is news: before each wait, so that everybody can read what it
        waits for from the server, without a workflow task, and without a worker."""
        if self.state.placed is None:
            return
        status = live_status.published(self.state)
        if status != self._published:
            self._published = status
            workflow.upsert_memo({messages.LIVE_STATUS: status})

    def _show(self) -> None:
        workflow.set_current_details(live_status.details(self.request, self.state))
