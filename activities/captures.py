"""Captures: their records, and the plans of their stages. The rules of activities/records.py hold here too."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from temporalio import activity

from activities.errors import failures
from activities.recording import recording
from activities.runner import Fence, asking, heartbeating, in_thread
from vclab.model.errors import Refused
from vclab.model.intents import VCLAB, Author, Verb
from vclab.model.inventory import Answered
from vclab.model.life import Stage
from vclab.model.messages import Capture
from vclab.model.plans import Becomes, Facts, Plan, Target
from vclab.provisioning.base import ProvisioningModule, capturer, known_module, sealer
from vclab.settings import Settings
from vclab.store import captures, intents, inventories, throw_aways
from vclab.store.engine import Store


@dataclass(frozen=True)
class CaptureBegins:
    """Somebody wants the reservation's computer captured."""

    reservation: str
    message: Capture
    now: datetime


@dataclass(frozen=True)
class CaptureBegun:
    """What it becomes; or why not."""

    becomes: Becomes | None = None
    refusal: str = ""


@dataclass(frozen=True)
class CaptureTaken:
    """What the computer held is in the raw copy."""

    becomes: Becomes
    now: datetime
    facts: Facts


@dataclass(frozen=True)
class ThrowAwayWanted:
    """A throw-away computer is needed: ``isolated``, to seal on it; else to try what was sealed."""

    becomes: Becomes
    isolated: bool
    answers: tuple[Answered, ...]  #: what the endpoints said
    now: datetime


@dataclass(frozen=True)
class ThrowAwayTaken:
    """It is held; or why there is none."""

    target: Target | None = None
    refusal: str = ""
    awaited: bool = False  #: another computer of the group may be free later


@dataclass(frozen=True)
class ThrowAwayLeft:
    """It is verified gone; or why nobody may get it (``not_clean``)."""

    becomes: Becomes
    now: datetime
    not_clean: str = ""


@dataclass(frozen=True)
class CaptureEnded:
    """It is captured, and this was learned; or it is given up, and ``why_not``."""

    becomes: Becomes
    now: datetime
    facts: Facts = Facts()
    why_not: str = ""


@dataclass(frozen=True)
class StageInput:
    """A stage of a capture that is to be planned, on that computer."""

    target: Target
    stage: Stage


class CaptureRecords:
    """Record activities of captures."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._settings = settings

    @activity.defn
    def capture_begins(self, given: CaptureBegins) -> CaptureBegun:
        """The capture runs from now on. That it can't be is an answer."""
        id, message = given.reservation, given.message

        def begin(session: Session) -> Becomes:
            by = _who_captures(session, id, message, given.now)
            return captures.begin(session, id, message, by, given.now)

        with recording(of_act=True):
            try:
                return CaptureBegun(self._store.run(begin))
            except Refused as refused:
                return CaptureBegun(refusal=str(refused))

    @activity.defn
    def capture_taken(self, given: CaptureTaken) -> None:
        """From now on the raw copy is what is captured."""
        with recording():
            self._store.run(lambda session: captures.taken(session, given.becomes, given.facts, given.now))

    @activity.defn
    def throw_away_taken(self, given: ThrowAwayWanted) -> ThrowAwayTaken:
        """A computer is held for the capture. That none can be had is an answer."""
        rules = self._settings().rules()

        def take(session: Session) -> Target | None:
            said = inventories.read(session, given.answers, given.now)
            return throw_aways.take(session, given.becomes, given.isolated, said, rules, given.now)

        with recording():
            try:
                target = self._store.run(take)
            except Refused as refused:
                return ThrowAwayTaken(None, str(refused), isinstance(refused, throw_aways.NoneFree))
        return ThrowAwayTaken(target, "" if target else "the capture has ended")

    @activity.defn
    def throw_away_left(self, given: ThrowAwayLeft) -> None:
        """Its computer is anybody's again; or out of service."""
        with recording():
            self._store.run(lambda session: throw_aways.leave(session, given.becomes, given.not_clean, given.now))

    @activity.defn
    def capture_ended(self, given: CaptureEnded) -> None:
        """The revision is there; or nothing is left of it."""

        def end(session: Session) -> None:
            if given.why_not:
                captures.given_up(session, given.becomes, given.why_not, given.now)
            else:
                keep = timedelta(seconds=self._settings().rules().library.keep_captured)
                captures.done(session, given.becomes, given.facts, keep, given.now)

        with recording():
            self._store.run(end)


class CaptureActivities:
    """Planning, at the site."""

    def __init__(
        self,
        modules: Mapping[str, ProvisioningModule],
        medians: Callable[[str], Mapping[str, float]],
        fence: Fence,
        executor: Executor,
    ) -> None:
        """``medians``: the usual seconds by step of an image; it blocks."""
        self._modules = modules
        self._medians = medians
        self._fence = fence
        self._executor = executor

    @activity.defn
    async def plan_stage(self, given: StageInput) -> Plan:
        """What a stage of a capture will do. The answer is recorded, and resumed from."""
        with failures():
            module = known_module(self._modules, given.target.module)
            async with heartbeating(asking(self._fence, given.target)) as context:
                return await in_thread(self._executor, context, self._plan, module, given)

    def _plan(self, module: ProvisioningModule, given: StageInput) -> Plan:
        """Blocks. Raises ``StepFailed`` when the module has no such stage."""
        return _maker(module, given.stage)(given.target).timed(self._medians(given.target.image))


def _who_captures(session: Session, id: str, message: Capture, now: datetime) -> Author:
    """Who asks for it; or vclab, at its end. Raises ``Refused``."""
    if not message.intent and captures.is_due(session, id, now):
        return VCLAB
    asked = ("image", "title", "notes", "untried", "force_off", "release")
    return intents.author(session, message.intent, Verb.CAPTURE, id, **{name: getattr(message, name) for name in asked})


def _maker(module: ProvisioningModule, stage: Stage) -> Callable[[Target], Plan]:
    if stage is Stage.TAKE:
        return capturer(module).capture
    sealing = sealer(module)
    makers = {
        Stage.HAND_BACK: sealing.hand_back,
        Stage.SEAL: sealing.seal,
        Stage.TRY: sealing.boot_test,
        Stage.PUBLISH: sealing.publish,
    }
    return makers[stage]
