"""new: the computer is brought to the image, as recorded in its plan.

A failed step is not a failed reservation: retries within the ceilings, one other place, an operator's help; only then
it has failed. What is done is kept: a resumed load goes on from the step that failed.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.evidence import EvidenceActivities, EvidenceInput
from activities.provisioning import ProvisioningActivities, Survey, SurveyInput
from activities.records import RecordActivities, SpareEvent
from activities.troubles import (
    ElsewhereInput,
    FailedInput,
    Helped,
    HelpedInput,
    HelpInput,
    MoveInput,
    MoveOutcome,
    TroubleRecords,
)
from vclab.model.messages import How, Resolve
from vclab.model.plans import Evidence, Facts, Plan, Step, Target
from vclab.model.reservations import OtherPlace, Placed, ReserveRequest, Trouble, Waits
from vclab.model.states import Ending, ReservationState
from vclab.temporal import search_attributes as searchable
from workflows import failures, profiles
from workflows.life import Life, whole
from workflows.load import Load, run_plan

PLANNING = "make_plan"
NEEDS_HELP = "needs-help"
"""What the search attribute for the state says meanwhile."""


@dataclass(frozen=True)
class Failed:
    """A step that failed for good, or the look before the first one."""

    step: str
    number: int
    title: str
    cause: str

    def trouble(self, target: Target, now: datetime, seen: Evidence) -> Trouble:
        """As it is kept, with what was seen."""
        place = target.computer, target.generation, target.host
        return Trouble(now, *place, self.step, self.number, self.title, self.cause, seen)

    def __str__(self) -> str:
        return f"step {self.number}, {self.title}: {self.cause}" if self.number else f"{self.title}: {self.cause}"


class Loading(Life):
    """From placed to ready."""

    def __init__(self, request: ReserveRequest) -> None:
        super().__init__(request)
        self._load = Load()
        self._load_began = workflow.now()
        self._credited = 0.0  #: seconds that were lost by a fault of ours and have been given back, where that could be
        self._was_moved = False  #: one other place was tried, and no more are without an operator's word
        self._resolution: Resolve | None = None
        self._resolving: Resolve | None = None  #: the same, from the moment that it was said

    async def _new(self, placed: Placed) -> None:
        """Load the computer, as recorded in its plan; when that fails, elsewhere, or with help."""
        await self._evict(placed, placed.evicted)
        self._load_began = workflow.now()
        while self._ending is None:
            failed = await self._load_once(placed)
            if failed is None:
                return
            await self._mend(placed, failed)
            assert self._placed is not None
            placed = self._placed

    async def _load_once(self, placed: Placed) -> Failed | None:
        """What failed for good; None when it is ready, or has ended. Raises the failure when nothing is to follow."""
        try:
            await self._run(placed)
        except ActivityError as error:
            if not _forgiving(placed) or failures.was_cancelled(error) or failures.is_fenced(error):
                raise
            return self._failed(error)
        return None

    async def _run(self, placed: Placed) -> None:
        target, ceiling, load = placed.target, placed.waits.step_ceiling, self._load
        if load.plan is None:
            self._progress.waits(f"a look at {target.computer}", ceiling, _then(placed))
            plan: Plan | None = await self.unless_ended(
                workflow.start_activity_method(
                    ProvisioningActivities.make_plan,
                    target,
                    **profiles.short(f"look at {target.computer} and plan its load", target.site, ceiling),
                )
            )
            if plan is None:
                return
            load.plan, load.facts = plan, plan.facts
        load.deadline = _deadline(placed, load.plan)
        self._progress.plan, self._progress.ceiling = load.plan, ceiling

        def entered(number: int, step: Step) -> None:
            self._progress.loads(number, _then(placed))

        facts = await run_plan(load.plan, target, ceiling, self.unless_ended, entered, load)
        if facts is not None and self._ending is None:
            await self._loaded(facts)

    async def _loaded(self, facts: Facts) -> None:
        """It is the user's from now on, and waits for Connect."""
        self._facts = facts
        waits = await self._recorded_ready(facts)
        assert self._placed is not None
        self._placed = replace(self._placed, waits=waits)
        self._enter(ReservationState.RESERVED)

    async def _recorded_ready(self, facts: Facts) -> Waits:
        """Write it down; the waits from now on."""
        waits: Waits = await self.record(RecordActivities.ready, self._event(facts=facts))
        return waits

    async def _evict(self, placed: Placed, spares: tuple[Target, ...]) -> None:
        """Remove the spares whose room this load needs. What is left when it ends is the reconciler's to remove."""
        for spare in spares:
            self._progress.waits(f"{spare.computer} to be gone from {spare.host}: its room is needed")
            summary = f"remove the spare {spare.computer} from {spare.host}"
            try:
                await self.unless_ended(
                    workflow.start_activity_method(
                        ProvisioningActivities.remove_computer,
                        spare,
                        **profiles.reclaim(summary, spare.site, placed.waits.remove_retry),
                    )
                )
            except ActivityError as error:
                if not failures.is_fenced(error):
                    raise
                # The reconciler has removed it meanwhile: it does so while a reservation waits for its time.
            if self._ending is not None:
                return
            gone = SpareEvent(spare.computer, workflow.now(), spare.generation)
            await self.record(RecordActivities.spare_removed, gone)

    # --- when it fails --------------------------------------------------------------------------------------------

    def _failed(self, error: ActivityError) -> Failed:
        load, cause = self._load, failures.reason(error)
        if load.plan is None:
            return Failed(PLANNING, 0, self._progress.waits_for, cause)
        step = load.plan.steps[load.done]
        if load.hurried and failures.timed_out(error):
            cause += " (the load as a whole has reached its ceiling)"
        return Failed(step.name, load.done + 1, step.title, cause)

    async def _mend(self, placed: Placed, failed: Failed) -> None:
        """One other place; then an operator's help, as often as needed. Returns when it goes on, or has ended."""
        await self._keep_evidence(placed, failed)
        why_not = ""
        if placed.waits.elsewhere and not self._was_moved and self._ending is None:
            why_not = await self._elsewhere(placed)
            if not why_not:
                return
        while self._ending is None:
            how = await self._await_help(placed, failed, why_not)
            if how is None:
                return
            if how is How.RETRY:
                self._load.run += 1
                return
            why_not = await self._elsewhere(placed)
            if not why_not:
                return

    async def _keep_evidence(self, placed: Placed, failed: Failed) -> None:
        """Before anything of it is touched. That nothing can be seen ends nothing."""
        target, now = placed.target, workflow.now()
        self._progress.waits(f"what can be seen of {target.computer}, for {failed.title} has failed")
        self._progress.says(str(failed))
        try:
            evidence = await self.unless_ended(
                workflow.start_activity_method(
                    EvidenceActivities.gather_evidence,
                    EvidenceInput(target, self._load.facts),
                    **profiles.briefly(f"see what became of {target.computer}", target.site),
                )
            )
        except ActivityError as error:
            if failures.was_cancelled(error):
                raise
            evidence = Evidence(missing=(f"nobody could look: {failures.reason(error)}",))
        seen = evidence or Evidence(missing=("it ended before anybody had looked",))
        await self.record(TroubleRecords.step_failed, FailedInput(target, failed.trouble(target, now, seen)))

    # --- elsewhere ------------------------------------------------------------------------------------------------

    async def _elsewhere(self, placed: Placed) -> str:
        """Remove what was made and take another place. Why that is not possible; empty when it is done, or it ended."""
        try:
            place = await self._other_place(placed)
            if isinstance(place, str) or place is None:
                return place or ""
            not_clean = await self._clear(placed)
            await self._evict(placed, place.evicted)
        except ActivityError as error:
            if failures.was_cancelled(error) or failures.is_fenced(error):
                raise
            return failures.reason(error)
        return "" if self._ending is not None else await self._move(placed, place, not_clean)

    async def _other_place(self, placed: Placed) -> OtherPlace | str | None:
        """A place that is claimed, or why there is none; None when it ended meanwhile."""
        self._progress.waits(f"another place than {placed.target.host}")
        survey: Survey | None = await self.unless_ended(
            workflow.start_activity_method(
                ProvisioningActivities.survey,
                SurveyInput(placed.target.site),
                **profiles.survey("ask the endpoints for another place", placed.target.site),
            )
        )
        if survey is None:
            return None
        given = ElsewhereInput(placed.target, survey.inventories, workflow.now())
        outcome = await self.record(TroubleRecords.elsewhere, given)
        return outcome.place or f"there is no other place: {outcome.refusal}"

    async def _clear(self, placed: Placed) -> str:
        """Verified gone, or why nobody may get the lab machine that is left."""
        target, ceiling = placed.target, placed.waits.step_ceiling
        self._progress.waits(f"what was made on {target.host} to be gone", ceiling, "it needs help")
        self._start_over()  # however far the removal comes, what is done is not to be relied on any more
        not_clean = await self.unless_ended(
            workflow.start_activity_method(
                ProvisioningActivities.clear_computer,
                target,
                **profiles.short(f"remove what was made on {target.host}", target.site, ceiling),
            )
        )
        return not_clean or ""

    async def _move(self, placed: Placed, place: OtherPlace, not_clean: str) -> str:
        lost = (workflow.now() - self._load_began).total_seconds()

        async def move() -> MoveOutcome:
            given = MoveInput(placed.target, place, workflow.now(), not_clean, lost)
            outcome: MoveOutcome = await self.record(TroubleRecords.moved, given)
            if outcome.placed is not None:
                self._placed = self._progress.placed = outcome.placed
            return outcome

        outcome = await whole(move())
        if outcome.placed is None:
            return outcome.refusal
        self._credited += lost
        self._was_moved, self._load_began = True, workflow.now()
        target = outcome.placed.target
        workflow.upsert_search_attributes(
            [searchable.COMPUTER.value_set(target.computer), searchable.HOST.value_set(target.host)]
        )
        self._end_is(outcome.placed.end)
        self._progress.says(f"{self._progress.reason}; it is tried on {target.host} instead of {placed.target.host}")
        return ""

    def _start_over(self) -> None:
        self._load = Load(run=self._load.run)
        self._progress.plan, self._progress.step = None, 0

    # --- help -----------------------------------------------------------------------------------------------------

    async def _await_help(self, placed: Placed, failed: Failed, why_not: str) -> How | None:
        """How an operator lets it go on; None when it has ended: given up, cancelled, or nobody came in time."""
        reason = f"{failed}; {why_not}" if why_not else str(failed)
        if placed.waits.help <= 0:
            await self._finish(Ending.FAILED, reason)
            return None
        self._resolution = self._resolving = None
        since = workflow.now()
        spent = since - self._load_began
        waits = await self.record(TroubleRecords.help_needed, HelpInput(placed.target, reason, since))
        if self._ending is not None:
            return None
        self._progress.needs_help = True
        self._progress.says(reason)
        workflow.upsert_search_attributes([searchable.STATE.value_set(NEEDS_HELP)])
        resolution = await self._resolved(failed, since + timedelta(seconds=waits.help))
        self._progress.needs_help = False
        if resolution is None:
            await self._finish(Ending.FAILED, f"nobody helped in time: {reason}")
            return None
        self._load_began = workflow.now() - spent  # the wait is credited by itself
        self._credited += (workflow.now() - since).total_seconds()
        workflow.upsert_search_attributes([searchable.STATE.value_set(self._progress.state)])
        return How(resolution.how)

    async def _resolved(self, failed: Failed, limit: datetime) -> Resolve | None:
        """What the operator says; None at the limit, at the end of the reservation, or when it was ended."""
        while self._resolution is None and self._ending is None:
            self._moved = False
            until = min(limit, self._end)
            left = (until - workflow.now()).total_seconds()
            self._progress.waits(f"help: {failed.title} has failed", left, "it ends as failed")
            if not await self.until(lambda: self._resolution is not None or self._moved, until, "help"):
                return None
        return self._resolution

    async def _resolve(self, message: Resolve) -> None:
        """Take an operator's word, the first one: its record is written before anybody acts on it."""
        if message.how == How.GIVE_UP:
            await self._finish(Ending.FAILED, f"given up by {message.by}: {self._progress.reason}", message.by)
            return
        self._resolving = message
        given = HelpedInput(self._request.id, message.by, message.how, workflow.now())
        try:
            helped: Helped = await self.record(TroubleRecords.helped, given)
        except BaseException:
            self._resolving = None
            raise
        if self._resolution is None and self._progress.needs_help:
            self._resolution = message
            self._end_is(helped.end)
            self._progress.says(helped.credit)

    def _end_is(self, end: datetime) -> None:
        """The end was moved, because time was lost by a fault of ours."""
        if end != self._end:
            self._end = end
            workflow.upsert_search_attributes([searchable.END.value_set(end)])
            self._progress.moved(end)


def _forgiving(placed: Placed) -> bool:
    """Whether anything follows when a step has failed. Reservations of earlier versions fail at once."""
    return placed.waits.elsewhere or placed.waits.help > 0


def _then(placed: Placed) -> str:
    """What happens when a step fails, in words."""
    return "the load fails" if not _forgiving(placed) else "another place is tried, or an operator is asked for help"


def _deadline(placed: Placed, plan: Plan) -> datetime | None:
    """When the whole load is given up: after the setting, or twice its usual time if that is longer."""
    if placed.waits.load_ceiling <= 0:
        return None
    return workflow.now() + timedelta(seconds=max(placed.waits.load_ceiling, 2 * plan.usual_seconds))
