"""Records of loads that fail: what failed, the other place, the wait for an operator. As those in ``records``."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session
from temporalio import activity

from activities import metrics, rules
from activities.recording import recording
from vclab.model.intents import Verb
from vclab.model.inventory import Answered
from vclab.model.messages import Resolve
from vclab.model.plans import Target
from vclab.model.reservations import FailedStep, OtherPlace, Placed, Refusal, Waits
from vclab.model.rules import Rules
from vclab.settings import Settings
from vclab.store import failed_steps, intents, inventories, needs_help, refusals, relocation, reservations, tenures
from vclab.store.engine import Store

T = TypeVar("T")


@dataclass(frozen=True)
class FailedInput:
    """A step failed for good; its moment is the workflow's."""

    target: Target
    trouble: FailedStep


@dataclass(frozen=True)
class OtherPlaceInput:
    """Find another place than the target's, given what the endpoints said."""

    target: Target
    answers: tuple[Answered, ...]
    now: datetime


@dataclass(frozen=True)
class OtherPlaceOutcome:
    """Either a place that is claimed, or why there is none."""

    place: OtherPlace | None = None
    refusal: str = ""


@dataclass(frozen=True)
class RelocateInput:
    """What was made at the target is verified gone: take the other place."""

    target: Target
    place: OtherPlace
    now: datetime
    not_clean: str = ""  #: why nobody may get the lab machine that is left
    lost_seconds: float = 0.0  #: spent in the place that failed


@dataclass(frozen=True)
class RelocateOutcome:
    """Where it is now; ``refusal``: why it could not be moved. Neither: it has ended."""

    placed: Placed | None = None
    refusal: str = ""


@dataclass(frozen=True)
class HelpInput:
    """It waits for an operator from now on."""

    target: Target
    reason: str
    now: datetime
    no_other_place: str = ""  #: why the load could not go to another host


@dataclass(frozen=True)
class ResolveInput:
    """An operator has chosen how it goes on."""

    reservation: str
    message: Resolve
    now: datetime
    beside: bool = False  #: it went on beside the reservation, so that nobody has lost time


@dataclass(frozen=True)
class Resolved:
    """The end as it is now, and what was done about the time that was lost."""

    end: datetime
    credit: str = ""


@dataclass(frozen=True)
class NotLetIn:
    """Connect failed: the computer could not be opened. It still lets in ``addresses``."""

    reservation: str
    text: str
    addresses: tuple[str, ...]
    now: datetime


class FailedStepRecords:
    """Record activities."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._settings = settings

    def _write(self, change: Callable[[Session], T], of_act: bool = False) -> T:
        with recording(of_act):
            return self._store.run(change)

    def _rules(self, session: Session, reservation: str) -> Rules:
        return rules.of_reservation(session, self._settings(), reservation)

    @activity.defn
    def step_failed(self, given: FailedInput) -> None:
        """Keep what failed, and what could be seen."""
        health = self._settings().rules().health
        if self._write(lambda s: failed_steps.note(s, given.target, given.trouble, health)):
            metrics.load_failed(given.trouble.step)

    @activity.defn
    def find_other_place(self, given: OtherPlaceInput) -> OtherPlaceOutcome:
        """Claim a place on another host, beside the one that is held."""

        def find(session: Session) -> OtherPlace | Refusal:
            ours = self._rules(session, given.target.reservation)
            outcome = relocation.find(
                session, given.target, inventories.read(session, given.answers, given.now), ours, given.now
            )
            if isinstance(outcome, Refusal):
                refusals.note_relocation(session, given.target.reservation, outcome, given.now)
            return outcome

        outcome = self._write(find)
        if isinstance(outcome, Refusal):
            return OtherPlaceOutcome(refusal=outcome.brief(given.target.reservation))
        return OtherPlaceOutcome(place=outcome)

    @activity.defn
    def relocated(self, given: RelocateInput) -> RelocateOutcome:
        """The old place is given up and the new one taken: claims, tenure and row, all or nothing."""
        target, place, lost = given.target, given.place, given.lost_seconds

        def move(session: Session) -> Placed | None:
            ours = self._rules(session, target.reservation)
            return relocation.relocate(session, target, place, given.not_clean, lost, ours, given.now)

        with recording():
            try:
                return RelocateOutcome(placed=self._store.run(move))
            except tenures.TenureHeld as held:
                return RelocateOutcome(refusal=str(held))

    @activity.defn
    def help_needed(self, given: HelpInput) -> Waits:
        """It waits for an operator, so long as the answer says."""

        def need(session: Session) -> Waits:
            waits = self._rules(session, given.target.reservation).waits
            no_place = given.no_other_place
            needs_help.begin(session, given.target, waits.help, given.reason, given.now, no_place)
            return waits

        return self._write(need)

    @activity.defn
    def not_let_in(self, given: NotLetIn) -> None:
        """Whoever pressed Connect gets the reason why the computer is not open."""
        self._write(lambda s: reservations.not_let_in(s, given.reservation, given.text, given.addresses, given.now))

    @activity.defn
    def resolved(self, given: ResolveInput) -> Resolved:
        """It goes on, and the time that was lost is given back where that can be."""

        id, message = given.reservation, given.message

        def resolve(session: Session) -> Resolved:
            by = intents.author(session, message.intent, Verb.RESOLVE, id, how=message.how)
            ours = self._rules(session, id)
            return Resolved(*needs_help.resolved(session, id, by, message.how, ours, given.now, given.beside))

        return self._write(resolve, of_act=True)
