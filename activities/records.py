"""The one writer: every change of reservation, computer, claim and tenure rows is made here, each in one transaction.

They run as local activities (one event instead of six) and so may run twice after a crash: each is idempotent.
``now`` always comes from the workflow, so that a reservation has one clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session
from temporalio import activity

from activities import metrics, rules
from activities.recording import recording
from activities.senders import nobody
from vclab.model.errors import Refused
from vclab.model.intents import VCLAB, Author, Intent, Sender, Verb, signalled
from vclab.model.inventory import Answered
from vclab.model.messages import CANCEL, EXTEND, Acknowledge, Dismiss, Extend, How, Reboot, Reschedule
from vclab.model.plans import Facts, Target
from vclab.model.reservations import Placed, Refusal, ReserveRequest, Waits
from vclab.model.states import Ending
from vclab.settings import Settings
from vclab.store import extension, intents, inventories, placement, reservations, scheduling, spares
from vclab.store.engine import Store

T = TypeVar("T")


@dataclass(frozen=True)
class PlaceInput:
    """Find a place for a request, given what the endpoints said."""

    request: ReserveRequest
    answers: tuple[Answered, ...]
    now: datetime


@dataclass(frozen=True)
class PlaceOutcome:
    """Either where it is, or why it is nowhere."""

    placed: Placed | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened to a reservation."""

    reservation: str
    now: datetime
    facts: Facts = Facts()
    addresses: tuple[str, ...] = ()
    later: tuple[str, ...] = ()  #: from which Connect was pressed too, and which are let in next
    not_clean: str = ""  #: why the computer can't be given to anybody
    detail: str = ""  #: for the audit


@dataclass(frozen=True)
class LateInput:
    """It is ready, and its start has come already; ``credited`` seconds of that were given back before."""

    event: Event
    credited: float


@dataclass(frozen=True)
class LateOutcome:
    """The waits, the end as it is now, and what was credited."""

    waits: Waits
    end: datetime
    credit: str = ""


@dataclass(frozen=True)
class ExtendInput:
    """Move the end, if the limits and the claims allow it."""

    reservation: str
    message: Extend
    now: datetime
    signal: int = 0  #: the number of the signal that asks for it; 0: an intent does
    signal_of_run: int = 0  #: its number among those of this run


@dataclass(frozen=True)
class ExtendOutcome:
    """Either the end as it is now, or why it stays."""

    end: datetime | None = None
    refusal: str = ""
    waits: Waits | None = None  #: as they are from now on


@dataclass(frozen=True)
class BeginInput:
    """Take a computer for a reservation whose load begins now, given what the endpoints said."""

    reservation: str
    answers: tuple[Answered, ...]
    now: datetime


@dataclass(frozen=True)
class PutOffInput:
    """A computer was taken back before the start; ``not_clean``: why it can't be given to anybody."""

    reservation: str
    now: datetime
    reason: str = ""
    not_clean: str = ""
    keep: float | None = None  #: it is verified clean, and to be kept for so many seconds; None: it is gone


@dataclass(frozen=True)
class RescheduleInput:
    """Move the start, if the limits and the claims allow it."""

    reservation: str
    message: Reschedule
    answers: tuple[Answered, ...]
    now: datetime


@dataclass(frozen=True)
class EndedInput:
    """The reservation has ended for its user."""

    reservation: str
    ending: Ending
    now: datetime
    reason: str = ""
    by_signal: bool = False


@dataclass(frozen=True)
class EndInput:
    """Somebody wants to end it: by the act ``verb``, "end" or "resolve"."""

    reservation: str
    ending: Ending
    now: datetime
    intent: str
    verb: Verb = Verb.END
    reason: str = ""


@dataclass(frozen=True)
class EndOutcome:
    """How it has ended. The first ending stays."""

    ending: Ending
    reason: str = ""


@dataclass(frozen=True)
class AcknowledgeInput:
    """Connect was pressed; ``addresses``: all from which it was pressed so far, the newest last."""

    reservation: str
    message: Acknowledge
    addresses: tuple[str, ...]
    now: datetime


@dataclass(frozen=True)
class RebootInput:
    """Somebody wants the computer restarted."""

    reservation: str
    message: Reboot
    now: datetime


@dataclass(frozen=True)
class RefusalInput:
    """A signal was refused. A signal has no answer, so the audit keeps it."""

    reservation: str
    what: str
    text: str
    now: datetime
    signal_of_run: int = 0


@dataclass(frozen=True)
class DismissInput:
    """A failed reservation is to be taken off the list."""

    message: Dismiss
    now: datetime


@dataclass(frozen=True)
class KeptInput:
    """The computer is verified clean: keep it as a spare."""

    reservation: str
    seconds: float  #: for so long
    now: datetime


@dataclass(frozen=True)
class SpareEvent:
    """A spare is to go, or has gone: then with the generation of the tenure that removed it."""

    computer: str
    now: datetime
    generation: int = 0


@dataclass(frozen=True)
class Held:
    """A computer that a reservation still holds; ``target`` is None when there is none."""

    target: Target | None = None


class RecordActivities:
    """Record activities. The settings are read anew for each wait."""

    def __init__(
        self,
        store: Store,
        settings: Callable[[], Settings],
        sender: Callable[[str, int], Sender | None] = nobody,
    ) -> None:
        """``sender``: who sent the signal of a name that came as the n-th in the run whose record is written."""
        self._store = store
        self._settings = settings
        self._sender = sender

    def _write(self, change: Callable[[Session], T], of_act: bool = False) -> T:
        with recording(of_act):
            return self._store.run(change)

    def _record(self, given: Event, change: Callable[[Session], object], of_act: bool = False) -> Waits:
        """Write it down. The answer is how long the waits are that begin now."""
        return self._changed(given, change, of_act)[0]

    def _changed(self, given: Event, change: Callable[[Session], T], of_act: bool = False) -> tuple[Waits, T]:
        """The same, with what has changed."""

        def write(session: Session) -> tuple[Waits, T]:
            changed = change(session)
            return rules.of_reservation(session, self._settings(), given.reservation).waits, changed

        return self._write(write, of_act)

    @activity.defn
    def place(self, given: PlaceInput) -> PlaceOutcome:
        """Claim and tenure, and the first record: all or nothing. The same id gets the same place again."""

        def write(session: Session) -> Placed | Refusal:
            ours = rules.of_user(session, self._settings(), given.request.user)
            try:
                by = _who_reserves(session, given.request)
            except Refused as refused:
                return Refusal(str(refused))
            return placement.place(
                session, given.request, by, inventories.read(session, given.answers, given.now), ours, given.now
            )

        return _outcome(self._write(write))

    @activity.defn
    def begin(self, given: BeginInput) -> PlaceOutcome:
        """Take the computer of a reservation for later: tenure, and claims elsewhere if need be, or nothing."""

        def begin(session: Session) -> Placed | Refusal:
            ours = rules.of_reservation(session, self._settings(), given.reservation)
            return scheduling.begin(
                session, given.reservation, inventories.read(session, given.answers, given.now), ours, given.now
            )

        return _outcome(self._write(begin))

    @activity.defn
    def preloaded(self, given: Event) -> None:
        """Loaded before its start: it waits for that."""
        if self._write(lambda s: scheduling.preloaded(s, given.reservation, given.facts, given.now)):
            metrics.load_loaded()

    @activity.defn
    def put_off(self, given: PutOffInput) -> Placed:
        """Its computer was taken back before the start: it holds none, and waits again. It still holds the one that
        was to be kept and can't be."""

        def put_off(session: Session) -> Placed:
            ours = rules.of_reservation(session, self._settings(), given.reservation)
            id, reason, not_clean = given.reservation, given.reason, given.not_clean
            return scheduling.put_off(session, id, reason, not_clean, ours, given.now, given.keep)

        return self._write(put_off)

    @activity.defn
    def reschedule(self, given: RescheduleInput) -> PlaceOutcome:
        """Move the start by the constrained write itself; a refusal is an answer, not an error."""
        id, message = given.reservation, given.message

        def reschedule(session: Session) -> Placed | Refusal:
            by = intents.author(session, message.intent, Verb.RESCHEDULE, id, start=message.start)
            ours = rules.of_reservation(session, self._settings(), id)
            return scheduling.reschedule(
                session, id, message.start, by, inventories.read(session, given.answers, given.now), ours, given.now
            )

        return _outcome(self._write(reschedule, of_act=True))

    @activity.defn
    def ready(self, given: Event) -> Waits:
        """Loaded: it waits for Connect from now on."""
        id, facts, now = given.reservation, given.facts, given.now
        waits, changed = self._changed(given, lambda s: reservations.ready(s, id, facts, now))
        _count(changed)
        return waits

    @activity.defn
    def ready_late(self, given: LateInput) -> LateOutcome:
        """As ``ready``, and what was lost since the start is given back where that can be."""
        event = given.event

        def ready(session: Session) -> tuple[LateOutcome, reservations.Ready]:
            ours = rules.of_reservation(session, self._settings(), event.reservation)
            lost = event.facts, given.credited
            end, credit, changed = reservations.ready_late(session, event.reservation, *lost, ours, event.now)
            return LateOutcome(ours.waits, end, credit), changed

        outcome, changed = self._write(ready)
        _count(changed)
        return outcome

    @activity.defn
    def rebooted(self, given: Event) -> Waits:
        """Restarted; its addresses may have changed."""
        return self._record(given, lambda s: reservations.rebooted(s, given.reservation, given.facts, given.now))

    @activity.defn
    def acknowledged(self, given: AcknowledgeInput) -> Waits:
        """Connect was pressed."""
        id, message = given.reservation, given.message

        def write(session: Session) -> None:
            by = intents.author(session, message.intent, Verb.CONNECT, id, address=message.address)
            reservations.acknowledged(session, id, given.addresses, by, given.now)

        return self._record(Event(id, given.now), write, of_act=True)

    @activity.defn
    def reboot_asked(self, given: RebootInput) -> None:
        """Somebody wants the computer restarted."""
        id, message = given.reservation, given.message

        def write(session: Session) -> None:
            by = intents.author(session, message.intent, Verb.REBOOT, id, hard=message.hard)
            reservations.reboot_asked(session, id, message.hard, by, given.now)

        self._write(write, of_act=True)

    @activity.defn
    def access_opened(self, given: Event) -> Waits:
        """The computer lets the addresses in; it waits for the first connection."""
        return self._record(
            given,
            lambda s: reservations.access_opened(
                s, given.reservation, given.addresses, given.now, given.facts, given.later
            ),
        )

    @activity.defn
    def handed_out(self, given: Event) -> Waits:
        """What has no guest was handed out at Connect: it is in use, and its computer tainted."""
        return self._record(given, lambda s: reservations.handed_out(s, given.reservation, given.now))

    @activity.defn
    def connected(self, given: Event) -> Waits:
        """The user is connected; at the first time the reservation is in use and its computer tainted."""
        return self._record(given, lambda s: reservations.connected(s, given.reservation, given.now))

    @activity.defn
    def disconnected(self, given: Event) -> Waits:
        """Nobody is connected any more; it waits for them to come back."""
        return self._record(given, lambda s: reservations.disconnected(s, given.reservation, given.now, given.detail))

    @activity.defn
    def extend(self, given: ExtendInput) -> ExtendOutcome:
        """Move the end by the constrained write itself; a refusal is an answer, not an error."""

        id, end = given.reservation, given.message.end
        sender = self._sender(EXTEND, given.signal_of_run) if given.signal_of_run else None

        def extend(session: Session) -> ExtendOutcome:
            by = signalled(given.signal, sender) if given.signal else _who_extends(session, id, given.message)
            ours = rules.of_reservation(session, self._settings(), id)
            outcome = extension.extend(session, id, end, by, ours, given.now)
            if isinstance(outcome, Refusal):
                return ExtendOutcome(refusal=outcome.text())
            return ExtendOutcome(end=outcome, waits=ours.waits)

        return self._write(extend, of_act=True)

    @activity.defn
    def ended(self, given: EndedInput) -> None:
        """Ended for the user: claims are released; the first ending stays."""
        by = signalled(sender=self._sender(CANCEL, 1)) if given.by_signal else VCLAB
        self._write(lambda s: reservations.ended(s, given.reservation, given.ending, given.reason, given.now, by))

    @activity.defn
    def end(self, given: EndInput) -> EndOutcome:
        """Somebody ends it. What is not placed yet has no record, and only whether it may be ended is looked at."""

        def end(session: Session) -> EndOutcome:
            how = How.GIVE_UP if given.verb == Verb.RESOLVE else None
            intent = intents.intent_of(session, given.intent, given.verb, given.reservation, how=how)
            reason = _why_ended(intent, given.reason)
            if reservations.view(session, given.reservation) is None:
                return EndOutcome(given.ending, reason)
            return EndOutcome(
                *reservations.ended(session, given.reservation, given.ending, reason, given.now, intent.author)
            )

        return self._write(end, of_act=True)

    @activity.defn
    def finished(self, given: Event) -> None:
        """The computer is verified gone or clean, or goes into maintenance: its tenure is released."""
        verified, detail = not given.not_clean, given.not_clean or given.detail
        self._write(lambda s: reservations.finished(s, given.reservation, given.now, verified, detail))

    @activity.defn
    def dismissed(self, given: DismissInput) -> None:
        """It failed, and need not be shown any more."""
        id, intent = given.message.reservation, given.message.intent

        def write(session: Session) -> None:
            reservations.dismissed(session, id, intents.author(session, intent, Verb.DISMISS, id), given.now)

        self._write(write, of_act=True)

    @activity.defn
    def kept(self, given: KeptInput) -> str:
        """The computer becomes a spare and its tenure is released; or nothing changes, and the answer says why not."""
        return self._write(lambda s: reservations.kept(s, given.reservation, given.seconds, given.now))

    @activity.defn
    def spare_leaves(self, given: SpareEvent) -> Held:
        """Take the tenure that removes a spare; none when it is to be kept, or is no spare any more."""
        return Held(self._write(lambda s: spares.leave(s, given.computer, given.now)))

    @activity.defn
    def spare_removed(self, given: SpareEvent) -> None:
        """The spare is verified gone: its tenure is released."""
        self._write(lambda s: spares.removed(s, given.computer, given.generation, given.now))

    @activity.defn
    def refusal_noted(self, given: RefusalInput) -> None:
        """Keep in the audit that a signal was refused, and why."""
        by = signalled(sender=self._sender(given.what, given.signal_of_run) if given.signal_of_run else None)
        self._write(
            lambda s: reservations.note_refusal(s, given.reservation, by, given.what, given.text, given.now),
            of_act=True,
        )

    @activity.defn
    def held(self, reservation: str) -> Held:
        """The computer that a reservation without a workflow still holds."""
        return Held(self._write(lambda s: reservations.held_target(s, reservation)))


def _who_reserves(session: Session, request: ReserveRequest) -> Author:
    """Who asks for it. Raises ``Refused`` when the intent is another one, or for another user."""
    asked = ("image", "seconds", "start", "revision", "dedicated", "imaging", "capture_at_end")
    said = {name: getattr(request, name) for name in asked}
    intent = intents.intent_of(session, request.intent, Verb.RESERVE, request.id, **said)
    if intent.for_user != request.user:
        raise Refused(f"the intent {intent.id} is not for {request.user}")
    return intent.author


def _who_extends(session: Session, reservation: str, message: Extend) -> Author:
    """Who asks for it. Raises ``Refused`` when the end is later than the intent asks for."""
    intent = intents.intent_of(session, message.intent, Verb.EXTEND, reservation)
    view = reservations.view(session, reservation)
    if view is not None and message.end.tzinfo is not None and not _asked_for(intent, message.end, view.end):
        raise Refused(f"the intent {intent.id} asks for an earlier end")
    return intent.author


def _asked_for(intent: Intent, end: datetime, now_ends: datetime) -> bool:
    """``to`` says when, to the second; ``by`` says how much later than it ends now, or did then."""
    to, by = intent.arguments.get("to"), intent.arguments.get("by")
    latest = datetime.fromisoformat(to) if isinstance(to, str) else now_ends
    seconds = by if isinstance(by, (int, float)) else 1.0
    return (end - latest).total_seconds() <= seconds


def _why_ended(intent: Intent, reason: str) -> str:
    """Why it has ended, for its user: nothing when it was the user's wish."""
    if intent.verb == Verb.RESOLVE:
        return f"given up by {intent.actor}: {reason}"
    return reason or ("" if intent.actor == intent.for_user else f"ended by {intent.actor}")


def _count(ready: reservations.Ready) -> None:
    if ready.loaded:
        metrics.load_loaded()
    if ready.waited is not None:
        metrics.ready_after(ready.waited)


def _outcome(outcome: Placed | Refusal) -> PlaceOutcome:
    return PlaceOutcome(refusal=outcome) if isinstance(outcome, Refusal) else PlaceOutcome(placed=outcome)
