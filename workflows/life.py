"""What every phase of a reservation's life shares: its state, its waits, its records, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError
from temporalio.types import MethodSyncSingleParam

from activities.guest import GuestInput
from activities.records import EndedInput, Event, RecordActivities
from vclab.model import messages
from vclab.model.messages import Told
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, ReserveRequest, Waits
from vclab.model.states import Ending, ReservationState
from vclab.temporal import search_attributes as searchable
from workflows import profiles
from workflows.waiting import Progress

P = TypeVar("P")
T = TypeVar("T")
Handle = workflow.ActivityHandle[T]


class Life:
    """Ends by state: whatever ends it sets ``_ending``, and every wait looks at that."""

    def __init__(self, request: ReserveRequest) -> None:
        self._request = request
        self._progress = Progress(request)
        self._placed: Placed | None = None
        self._refusal = ""
        self._facts = Facts()
        self._end = workflow.now()
        self._moved = False  #: the end was moved, or something else that a wait for Connect or a notice must see
        self._ending: Ending | None = None
        self._ended_by = ""
        self._addresses: tuple[str, ...] = ()  #: from which Connect was pressed
        self._asking: tuple[str, ...] = ()  #: the same, and that is being recorded
        self._granted: tuple[str, ...] = ()  #: which the computer lets in
        self._grant_began: datetime | None = None  #: the first one: since then somebody may have been logged in
        self._prepared = False  #: it is loaded, waits for its start, and nobody was let in
        self._one_record = asyncio.Lock()
        self._in_memo: Told | None = None

    # --- waiting --------------------------------------------------------------------------------------------------

    async def until(self, fact: Callable[[], bool], deadline: datetime, name: str) -> bool:
        """Wait for a fact or the reservation's ending; False when the deadline came first."""
        left = deadline - workflow.now()
        if left <= timedelta(0):
            return fact()
        self.tell()
        try:
            await workflow.wait_condition(
                lambda: fact() or self._ending is not None, timeout=left, timeout_summary=name
            )
        except TimeoutError:
            return False
        return True

    async def unless_ended(self, handle: Handle[T], or_else: Callable[[], bool] = lambda: False) -> T | None:
        """The activity's result; or None, after the activity has stopped, when it ended or ``or_else`` came true."""
        self.tell()
        wait = workflow.wait_condition(lambda: handle.done() or self._ending is not None or or_else())
        return await result_after(wait, handle)

    async def record(self, what: MethodSyncSingleParam[Any, P, T], given: P) -> T:
        """One record at a time (concurrent local activities do not replay), and never half of one."""

        async def write() -> T:
            async with self._one_record:
                return await workflow.execute_local_activity_method(what, given, **profiles.record(_name(what)))

        return await whole(write())

    @property
    def _waits(self) -> Waits:
        """The waits as the newest record said them."""
        return self._placed.waits if self._placed is not None else Waits()

    def _heed(self, waits: Waits) -> None:
        """What a record said of the waits goes for those that begin from now on.

        What records of the first release said was not heeded in use; its histories have to go on as they began.
        """
        if self._placed is not None and waits.run_events:
            self._placed = replace(self._placed, waits=waits)

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

    def _users_ending(self) -> Ending:
        """Before Connect ``deleted``, after it ``released``; also when Connect came only half-way."""
        return Ending.RELEASED if self._addresses or self._grant_began else Ending.DELETED

    # --- what is told ---------------------------------------------------------------------------------------------

    def tell(self) -> None:
        """Write into the memo where it stands, if that is news: before each wait, so that everybody can read what it
        waits for from the server, without a workflow task, and without a worker."""
        told = self._progress.told()
        if self._waits.tells and told != self._in_memo:
            self._in_memo = told
            workflow.upsert_memo({messages.TOLD: told})

    def _event(self, facts: Facts | None = None, addresses: Sequence[str] = ()) -> Event:
        return Event(self._request.id, workflow.now(), facts or Facts(), tuple(addresses))

    def _enter(self, state: ReservationState) -> None:
        self._progress.state = state
        workflow.upsert_search_attributes([searchable.STATE.value_set(state)])
        self._progress.show()

    def _guest_input(self, placed: Placed, every: float) -> GuestInput:
        return GuestInput(placed.target, self._facts, replace(placed.access, addresses=self._addresses), every)


def _name(record: object) -> str:
    return getattr(record, "__name__", "record").replace("_", " ")


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end even when the workflow is cancelled meanwhile, so that nothing that was done is forgotten."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await workflow.wait([task])
        raise


async def in_any_case(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end: what is given back is given back, also when the workflow is cancelled meanwhile."""
    with suppress(asyncio.CancelledError):
        await whole(work)


async def result_after(wait: Awaitable[None], handle: Handle[T]) -> T | None:
    """The activity's result when it is done after the wait; else None, after the activity has stopped."""
    try:
        await wait
    except asyncio.CancelledError:
        await stopped(handle)
        raise
    if handle.done():
        return await handle
    await stopped(handle)
    return None


async def stopped(handle: Handle[Any]) -> None:
    """Cancel an activity and wait until it has really stopped."""
    handle.cancel()
    with suppress(FailureError, asyncio.CancelledError):
        await handle
