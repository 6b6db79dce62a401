"""scheduled: a reservation for later. It waits, takes a computer, loads it before the start, and hands it over then.

A preload is a courtesy: one that fails, or whose computer can't be had, is told, and the start does it again.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.places import AwaitPlace, PlaceActivities
from activities.provisioning import Survey
from activities.records import BeginInput, LateInput, LateOutcome, MoveInput, PutOffInput, RecordActivities
from activities.spares import SpareInput
from vclab.model.messages import Move
from vclab.model.plans import Facts
from vclab.model.reservations import Placed, ReserveRequest, Waits
from vclab.model.states import Ending, ReservationState
from vclab.temporal import search_attributes as searchable
from workflows import failures, profiles
from workflows.keeping import made_clean, may_be_kept
from workflows.loading import Loading
from workflows.placing import Placing
from workflows.reclaim import take_back

LATE = 60.0
"""Seconds after its start; times are told by the minute, and less is not late."""


class Scheduled(Placing, Loading):
    """From placed to its start. Nothing of this is done for what begins at once."""

    def __init__(self, request: ReserveRequest) -> None:
        super().__init__(request)
        self._start_moved = False  #: what a wait for the start must see

    async def _scheduled(self, placed: Placed) -> None:
        """Until it is ready at its start; or until the start has come without a preload, and the load is up to it."""
        if placed.start is None:
            return
        failed_for = None
        while self._ending is None:
            placed = self._now_placed()
            preload = failed_for != placed.start
            await self._await_time(placed, preload)
            if self._ending is not None or self._start_moved:
                continue
            taken = await self._take(placed)
            if taken is None:
                continue
            if workflow.now() >= _start(taken) or await self._preload(taken):
                return
            failed_for = taken.start

    async def _new(self, placed: Placed) -> None:
        """What was loaded before the start is not loaded again."""
        if self._progress.state is not ReservationState.RESERVED:
            await super()._new(placed)

    async def _await_time(self, placed: Placed, preload: bool) -> None:
        """Until its load begins, or its start is moved."""
        moment = placed.preload_at if preload and placed.preload_at else _start(placed)
        left = (moment - workflow.now()).total_seconds()
        self._progress.waits("the time to prepare the computer", max(left, 0.0), "a computer is taken and loaded")
        self._start_moved = False
        await self.until(lambda: self._start_moved, moment, f"{'preload' if preload else 'load'} at {moment:%F %R} UTC")

    async def _take(self, placed: Placed) -> Placed | None:
        """A computer: at its promised place, or any other. None: ended or moved meanwhile.

        None can be had: it goes on looking, and says so, until long after the start. Then it fails.
        """
        limit = min(_start(placed) + timedelta(seconds=placed.waits.late), placed.end)
        survey: Survey | None = await self._survey_if_any()
        while self._ending is None and not self._start_moved:
            if survey is not None:
                given = BeginInput(self._request.id, survey.inventories, workflow.now())
                outcome = await self.record(RecordActivities.begin, given)
                if outcome.placed is not None:
                    return self._taken(outcome.placed)
                self._progress.says(f"no computer yet: {outcome.refusal.text() if outcome.refusal else ''}")
            if workflow.now() >= limit:
                raise ApplicationError(self._progress.reason, type="NoComputer", non_retryable=True)
            survey = await self._await_place(placed, (limit - workflow.now()).total_seconds())
        return None

    def _taken(self, placed: Placed) -> Placed:
        self._placed = self._progress.placed = placed
        self._progress.says("")
        self._enter(ReservationState.NEW)
        target = placed.target
        workflow.upsert_search_attributes(
            [searchable.COMPUTER.value_set(target.computer), searchable.HOST.value_set(target.host)]
        )
        return placed

    async def _survey_if_any(self) -> Survey | None:
        """What the endpoints say now; None, and the reason told, when nobody could be asked."""
        self.tell()
        try:
            return await self._survey()
        except ActivityError as error:
            if failures.was_cancelled(error):
                raise
            self._progress.says(f"no computer yet: {failures.reason(error)}")
            return None

    async def _await_place(self, placed: Placed, within: float) -> Survey | None:
        """Look until a computer can be had; None: not in time, or ended or moved meanwhile."""
        self._progress.waits(self._what_place(placed), within, "it fails")
        every, site = placed.waits.place_look, placed.target.site
        look = workflow.start_activity_method(
            PlaceActivities.await_place,
            AwaitPlace(self._request.id, every, site),
            **profiles.look("can a computer be had?", site, every, within),
        )
        try:
            return await self.unless_ended(look, self._wakes)
        except ActivityError as error:
            if not failures.timed_out(error):
                raise
            self._progress.says(failures.reason(error))
            return None

    def _wakes(self) -> bool:
        """Something happened that ends the look for a place."""
        return self._start_moved

    def _what_place(self, placed: Placed) -> str:
        return "a computer"

    async def _preload(self, placed: Placed) -> bool:
        """Load it before the start, and hand it over then. False: it was taken back, and the wait begins anew.

        Neither another place is tried nor an operator asked: the start does all that, if it comes to that.
        """
        await self._evict(placed, placed.evicted)
        if self._ending is not None:
            return True
        try:
            await self._run(replace(placed, waits=replace(placed.waits, elsewhere=False, help=0.0)))
        except ActivityError as error:
            if failures.was_cancelled(error) or failures.is_fenced(error):
                raise
            failed = self._failed(error)
            await self._keep_evidence(placed, failed)
            await self._put_back(placed, f"the preload failed: {failed}")
            return False
        if self._ending is None and self._progress.state is not ReservationState.RESERVED:
            await self._put_back(placed, "")
            return False
        return True

    async def _loaded(self, facts: Facts) -> None:
        """Handed over, but not before its start; and not at all when that was moved far away meanwhile."""
        if self._now_placed().start is not None:
            await self._await_start(facts)
            if self._ending is not None or self._too_early():
                return
            self._prepared = False
        await super()._loaded(facts)

    async def _recorded_ready(self, facts: Facts) -> Waits:
        """Late, by whatever: the preload failed, no computer was to be had, the load took long. Time is given back."""
        placed = self._now_placed()
        late = 0.0 if placed.start is None else (workflow.now() - placed.start).total_seconds()
        if not placed.late_credited or late < LATE:
            return await super()._recorded_ready(facts)
        given = LateInput(self._event(facts=facts), self._credited)
        ready: LateOutcome = await self.record(RecordActivities.ready_late, given)
        self._end_is(ready.end)
        self._progress.says(ready.credit or self._progress.reason)
        return ready.waits

    async def _await_start(self, facts: Facts) -> None:
        """The computer is ready; until its start nobody is let in, and no wait for Connect runs out."""
        if workflow.now() >= _start(self._now_placed()) or self._too_early():
            return
        self._facts = facts
        await self.record(RecordActivities.preloaded, self._event(facts=facts))
        self._prepared = self._waits.keep_prepared
        self._enter(ReservationState.SCHEDULED)
        while self._ending is None and not self._too_early():
            placed = self._now_placed()
            start, computer = _start(placed), placed.target.computer
            left = (start - workflow.now()).total_seconds()
            if left <= 0:
                return
            self._progress.waits(f"its start; {computer} is ready", left, "it can be connected to")
            self._start_moved = False
            await self.until(lambda: self._start_moved, start, f"start at {start:%F %R} UTC")

    async def _put_back(self, placed: Placed, why: str) -> None:
        """Give the computer back before the start, as if it had never been taken; the claims stay."""
        self._start_over()
        self._progress.says(why)
        self._progress.waits(f"{placed.target.computer} to be taken back")
        self.tell()
        if self._prepared and may_be_kept(placed, self._ending):
            if not await made_clean(SpareInput(placed.target, self._facts, placed.access)):
                await self._put_off(PutOffInput(self._request.id, workflow.now(), why, keep=placed.waits.spare))
            if self._ending is not None:
                return  # it is kept, or taken back, by that
        self._facts, self._prepared = Facts(), False
        if self._now_placed().held:
            not_clean = await take_back(placed.target, placed.waits.remove_retry)
            await self._put_off(PutOffInput(self._request.id, workflow.now(), why, not_clean))
        if self._ending is None:
            self._enter(ReservationState.SCHEDULED)

    async def _put_off(self, given: PutOffInput) -> None:
        """Unless it has ended: then its computer is that ending's."""
        if self._ending is None:
            self._placed = self._progress.placed = await self.record(RecordActivities.put_off, given)

    def _too_early(self) -> bool:
        """The start was moved so far away that a computer is held for nothing."""
        preload_at = self._now_placed().preload_at
        return preload_at is not None and preload_at > workflow.now()

    def _now_placed(self) -> Placed:
        assert self._placed is not None  # this phase begins when it is placed
        return self._placed

    async def _drop(self, placed: Placed) -> None:
        """Ended before it took a computer: there is nothing to take back."""
        await self._finish(self._ending or Ending.FAILED, self._progress.reason)
        await self._recorded_end()
        await self.record(RecordActivities.finished, self._event())
        self._enter(ReservationState.FAILED if self._ending is Ending.FAILED else ReservationState.COMPLETE)
        self._progress.waits("nothing: no computer was taken")

    async def _move_start(self, message: Move) -> str:
        """Move the start; the refusal's text when that is not possible, else empty."""
        survey = await self._survey_if_any()  # only another place needs it
        given = MoveInput(self._request.id, message, survey.inventories if survey else (), workflow.now())
        outcome = await self.record(RecordActivities.move, given)
        if outcome.placed is None:
            return outcome.refusal.text() if outcome.refusal else "refused"
        self._placed = self._progress.placed = outcome.placed
        self._end = outcome.placed.end
        self._moved = self._start_moved = True
        target = outcome.placed.target
        workflow.upsert_search_attributes([searchable.END.value_set(self._end), searchable.HOST.value_set(target.host)])
        self._progress.moved(self._end)
        return ""


def _start(placed: Placed) -> datetime:
    assert placed.start is not None  # else there is nothing to wait for
    return placed.start
