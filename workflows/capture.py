"""The capture of a reservation's computer. The reservation waits for it, and asks for help when a step fails.

Each stage is a plan of the module, run by the same component as a load. Under the reservation's tenure what the
computer holds is taken; then the workflow ends, and is begun again, while the computer is its user's again: what was
taken is sealed and tried on throw-away computers, under tenures of its own, and published. A workflow that has failed
is begun again too, with what was done, to go on or to be given up.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.captures import (
    CaptureActivities,
    CaptureEnded,
    CaptureRecords,
    CaptureTaken,
    StageInput,
    ThrowAwayLeft,
    ThrowAwayTaken,
    ThrowAwayWanted,
)
from activities.places import AwaitThrowAway, PlaceActivities
from activities.provisioning import ProvisioningActivities, Survey, SurveyInput
from vclab.model import messages
from vclab.model.captures import CaptureInput, CaptureOutcome
from vclab.model.life import Load, Stage
from vclab.model.plans import Facts, Target
from vclab.model.times import dated
from vclab.temporal import search_attributes as searchable
from workflows import failures, profiles
from workflows.background_owner import BackgroundOwner
from workflows.plan_runner import Failed, Policy, load, put_back
from workflows.tasks import whole

STATE = "capture"
"""What the search attribute for the state says."""
ANEW = 1
"""So often a stage on a throw-away computer that fails is begun anew by itself, from a fresh one: it costs little, and
what was cut off in there can't always be gone on with."""
PATIENCE = timedelta(days=7)
"""For which another computer of the group is waited for; then an operator is asked."""
_A_COMPUTER = "a throw-away computer"
_ON_THROW_AWAY = (Stage.SEAL, Stage.TRY)


class _Stopped(Exception):  # it is no error
    """The capture stands at something that failed."""

    def __init__(self, title: str, why: str) -> None:
        super().__init__(why)
        self.title = title


@workflow.defn(name=messages.CAPTURE_WORKFLOW)
class Capture:
    """One try at a capture, from where it stands."""

    @workflow.init
    def __init__(self, given: CaptureInput) -> None:
        self._given = given
        self._source = given.target
        self._progress = given.progress
        self._owner = BackgroundOwner("Capturing", given.target.computer, given.progress.load, given.becomes)
        self._owner.has(given.target, given.waits)

    @workflow.run
    async def run(self, given: CaptureInput) -> CaptureOutcome:
        """It has ended, or stands at a step that failed; or what the computer holds is taken."""
        self._show()
        if given.given_up:
            return await whole(self._give_up())
        try:
            if self._progress.stage is Stage.TAKE:
                return await self._take()
            await self._make()
        except _Stopped as stopped:
            return CaptureOutcome(self._progress, stopped.title, str(stopped))
        # Exactly what ends a workflow. Anything else is a bug, and changes nothing.
        except (FailureError, asyncio.CancelledError) as error:
            why_not = "it was cancelled" if failures.was_cancelled(error) else failures.reason(error)
            return CaptureOutcome(self._progress, self._owner.doing, why_not)
        return CaptureOutcome(self._progress)

    @workflow.query(name=messages.STATUS)
    def status(self) -> str:
        """What it does now, in words."""
        return self._owner.doing

    # --- under the reservation's tenure -----------------------------------------------------------------------------

    async def _take(self) -> CaptureOutcome:
        """Take what the computer holds. Unless that is to be sealed, it is all."""
        progress, becomes = self._progress, self._given.becomes
        await self._stage(self._source, self._given.facts)
        if not self._source.traits.seals:
            await self._owner.record(
                CaptureRecords.capture_ended, CaptureEnded(becomes, workflow.now(), progress.facts)
            )
            return CaptureOutcome(progress)
        taken = CaptureTaken(becomes, workflow.now(), progress.facts)
        await self._owner.record(CaptureRecords.capture_taken, taken)
        progress.taken = progress.load
        self._enter(Stage.SEAL)
        facts, why_not = await self._hand_back()
        return CaptureOutcome(progress, taken=True, handed_back=facts, not_handed_back=why_not)

    async def _hand_back(self) -> tuple[Facts, str]:
        """Switch the computer on again for its user: where it is now; or why that is not so, which ends nothing."""
        if not self._given.hand_back or not self._source.traits.seals:
            return Facts(), ""
        self._owner.has(self._source, self._given.waits)
        self._owner.load = Load(run=self._progress.taken.run)
        try:
            found = await load(self._owner, self._policy(Stage.HAND_BACK, self._given.facts))
        except (FailureError, asyncio.CancelledError) as error:
            return Facts(), "it was cancelled" if failures.was_cancelled(error) else failures.reason(error)
        return (found, "") if isinstance(found, Facts) else (Facts(), str(found))

    # --- on throw-away computers ------------------------------------------------------------------------------------

    async def _make(self) -> None:
        """Make the revision of what was taken."""
        progress, becomes, known = self._progress, self._given.becomes, self._progress.facts
        if self._source.traits.lent and progress.stage in _ON_THROW_AWAY and progress.load.plan is not None:
            await self._leave()  # something has failed on it, and an operator may want another one
        if progress.stage is Stage.SEAL:
            pinned = Facts(host_key=known.host_key, host_key_from=known.host_key_from, unlike=known.unlike)
            await self._stage(await self._throw_away(isolated=True), pinned)
            if becomes.boot_test:
                await self._leave()
            self._enter(Stage.TRY if becomes.boot_test else Stage.PUBLISH)
        if progress.stage is Stage.TRY:
            await self._stage(await self._throw_away(isolated=False), Facts(unlike=known.unlike))
            self._enter(Stage.PUBLISH)
        target = await self._throw_away(isolated=None)
        await self._clear(target)
        await self._stage(target, Facts())
        await self._leave()
        ended = CaptureEnded(becomes, workflow.now(), progress.facts)
        await self._owner.record(CaptureRecords.capture_ended, ended)

    async def _throw_away(self, isolated: bool | None) -> Target:
        """The throw-away computer that is held, for sealing (``isolated``) or not; None: any. One is taken if there is
        none; another one, which a workflow that was terminated has taken, is given back first. Raises ``_Stopped``."""
        progress = self._progress
        while progress.throw_away is None or isolated not in (None, progress.throw_away.isolated):
            await self._leave()
            progress.throw_away = await self._taken(bool(isolated))
        self._owner.has(progress.throw_away, self._given.waits)
        return progress.throw_away

    async def _taken(self, isolated: bool) -> Target:
        """One that is held from now on; where computers are lent, when one is free. Raises ``_Stopped``."""
        owner, since = self._owner, workflow.now()
        ceiling = self._given.waits.step_ceiling
        owner.waits_for(_A_COMPUTER)
        survey: Survey = await owner.unless_ended(
            workflow.start_activity_method(
                ProvisioningActivities.survey,
                SurveyInput(self._source.site, self._source.endpoint),
                **profiles.short("ask the endpoint what it can hold", self._source.site, ceiling),
            )
        )
        while True:
            wanted = ThrowAwayWanted(self._given.becomes, isolated, survey.answers, workflow.now())
            taken: ThrowAwayTaken = await owner.record(CaptureRecords.throw_away_taken, wanted)
            if taken.target is not None:
                return taken.target
            if not taken.awaited:
                raise _Stopped(_A_COMPUTER, taken.refusal)
            survey = await self._until_free(isolated, since)

    async def _until_free(self, isolated: bool, since: datetime) -> Survey:
        """Look until one can be had: what its endpoint says then. Raises ``_Stopped`` when that takes too long."""
        source, every = self._source, self._given.waits.place_look
        left = (since + PATIENCE - workflow.now()).total_seconds()
        self._owner.waits_for(f"another computer of {source.endpoint} to be free, since {dated(since, UTC)}")
        wanted = AwaitThrowAway(self._given.becomes, isolated, since, every, source.endpoint, source.site)
        look = workflow.start_activity_method(
            PlaceActivities.await_throw_away,
            wanted,
            **profiles.search("is another computer free?", source.site, every, max(left, every)),
        )
        try:
            return await self._owner.unless_ended(look)
        except ActivityError as error:
            raise _Stopped(_A_COMPUTER, failures.reason(error)) from None

    async def _leave(self) -> None:
        """Give the throw-away computer back, verified gone."""
        target = self._progress.throw_away
        if target is not None:
            not_clean = await self._clear(target)
            left = ThrowAwayLeft(self._given.becomes, workflow.now(), not_clean)
            await self._owner.record(CaptureRecords.throw_away_left, left)
            self._progress.throw_away = None

    async def _clear(self, target: Target) -> str:
        self._owner.waits_for(f"what was made on {target.computer} to be gone")
        ceiling = self._given.waits.step_ceiling
        not_clean = await workflow.execute_activity_method(
            ProvisioningActivities.clear_computer,
            target,
            **profiles.short(f"remove what was made on {target.computer}", target.site, ceiling),
        )
        return not_clean or ""

    # --- stages -----------------------------------------------------------------------------------------------------

    def _enter(self, stage: Stage) -> None:
        progress = self._progress
        progress.stage, progress.anew = stage, 0
        self._begin(Load(run=progress.load.run))

    def _begin(self, begun: Load) -> None:
        self._progress.load = self._owner.load = begun

    async def _stage(self, target: Target, known: Facts) -> None:
        """Run the plan of the stage at which it stands. Raises ``_Stopped``."""
        progress, owner = self._progress, self._owner
        if progress.stage in _ON_THROW_AWAY and progress.load.plan is not None:
            self._begin(Load(run=progress.load.run))  # an operator has mended something: from a fresh computer
        owner.has(target, self._given.waits)
        owner.load = progress.load
        done = await load(owner, self._policy(progress.stage, known))
        assert done is not None  # it does not end meanwhile
        if isinstance(done, Failed):
            raise _Stopped(done.title, str(done))
        progress.facts = progress.facts.merged(done) if progress.stage is not Stage.TRY else progress.facts

    def _policy(self, stage: Stage, known: Facts) -> Policy:
        self._owner.part = f"{self._given.becomes.capture}/{stage}"
        return Policy(
            "it is begun anew, or waits for an operator",
            mend=self._anew,
            plan=CaptureActivities.plan_stage,
            asks=partial(_input, stage),
            knows=known,
            what=f"capture ({stage})",
        )

    async def _anew(self, failed: Failed) -> bool:
        """On a throw-away computer what failed is tried once more by itself, from the beginning of the stage."""
        progress = self._progress
        if self._owner.load is not progress.load or progress.stage not in _ON_THROW_AWAY or progress.anew >= ANEW:
            return False
        progress.anew += 1
        self._begin(Load(run=progress.load.run + 1))
        return True

    # --- giving up --------------------------------------------------------------------------------------------------

    async def _give_up(self) -> CaptureOutcome:
        """All is put back as far as that can be."""
        progress, why, taken = self._progress, self._given.given_up, self._progress.stage is not Stage.TAKE
        try:
            await self._put_back()
        except FailureError as error:
            why = f"{why}; not all could be put back: {self._owner.doing}: {failures.reason(error)}"
        facts, why_not = (Facts(), "") if taken else await self._hand_back()
        ended = CaptureEnded(self._given.becomes, workflow.now(), why_not=why)
        await self._owner.record(CaptureRecords.capture_ended, ended)
        return CaptureOutcome(progress, why_not=why, handed_back=facts, not_handed_back=why_not)

    async def _put_back(self) -> None:
        """What was made on throw-away computers first. What was taken is deleted last."""
        progress, owner, waits = self._progress, self._owner, self._given.waits
        owner.part = f"{self._given.becomes.capture}/give up"
        if progress.throw_away is not None:
            owner.has(progress.throw_away, waits)
            if progress.stage is Stage.PUBLISH:
                owner.load = progress.load
                await put_back(owner, "what is left is told")
            await self._leave()
        owner.has(self._source, waits)
        owner.load = progress.load if progress.stage is Stage.TAKE else progress.taken
        await put_back(owner, "what is left is told")

    def _show(self) -> None:
        """Search attributes, for the Temporal UI."""
        target = self._source
        workflow.upsert_search_attributes(
            [
                searchable.STATE.value_set(STATE),
                searchable.IMAGE.value_set(self._given.becomes.image),
                searchable.COMPUTER.value_set(target.computer),
                searchable.HOST.value_set(target.host),
            ]
        )


def _input(stage: Stage, target: Target) -> StageInput:
    return StageInput(target, stage)
