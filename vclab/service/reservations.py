"""What people may know of reservations: which there are, where each stands and why."""

import asyncio
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from vclab.model.errors import NotFound, Refused, Unreachable
from vclab.model.reservations import RefusedRequest, ReservationView
from vclab.model.states import ReservationState
from vclab.service import checks, finding
from vclab.service.events import Event
from vclab.service.failures import FailedLoad, FailedStep, RestingHost, Suspect
from vclab.service.finding import plain, quoted
from vclab.service.looks import ASK, Look, look_at
from vclab.service.use_case import Call, Nothing, Question, Rule, read
from vclab.service.views import Reservation, Time, View
from vclab.store import audit as audit_trail
from vclab.store import catalog, failed_steps, failures, host_rests, load_log, refusals, reservations
from vclab.store import needs_help as store_help

OVER = (ReservationState.COMPLETE, ReservationState.FAILED)
"""Nothing runs any more: the computer is taken back too."""


class Named(Question):
    """A reservation: by its id, the beginning of it, or the id of its workflow."""

    reservation: str


# --- which there are ------------------------------------------------------------------------------------------------


class Which(Question):
    """Which reservations to list. ``ended``: also those that have ended, of them the newest ``limit``."""

    everyone: bool = False
    ended: bool = False
    limit: int = 1000


@read(Rule.USERS)
async def listing(call: Call, question: Which) -> tuple[Reservation, ...]:
    """One's own reservations, oldest first; of all people for an operator who asks for that."""
    if question.everyone and not call.actor.operator:
        raise Refused(
            f"only operators may list everybody's reservations, and {call.actor.login} is not one",
            "the setting `operators` names them",
        )
    checks.limit(question.limit)
    whose, limit = None if question.everyone else call.actor.login, question.limit if question.ended else None
    found = await call.backend.read(lambda s: reservations.views(s, user=whose, ended=question.ended, limit=limit))
    return tuple(map(Reservation.of, found))


# --- one of them ----------------------------------------------------------------------------------------------------


class Attempt(View):
    """One attempt of one step of a load."""

    step: str
    title: str
    number: int
    count: int
    generation: int
    run: int  #: how often the load had been resumed by then
    attempt: int
    started: Time
    ended: Time | None
    outcome: str | None  #: done, failed, cancelled
    detail: str | None

    @classmethod
    def of(cls, one: load_log.Attempt) -> "Attempt":
        """As it was logged."""
        return cls(
            step=one.name,
            title=one.title,
            number=one.number,
            count=one.count,
            generation=one.generation,
            run=one.run,
            attempt=one.attempt,
            started=one.started_at,
            ended=one.ended_at,
            outcome=one.outcome or None,
            detail=one.detail or None,
        )


class Shown(Look):
    """All that is known of a reservation."""

    history: tuple[Event, ...]
    suspect: Suspect | None  #: its revision of the image
    resting: RestingHost | None  #: its host
    load: tuple[Attempt, ...] | None  #: every attempt of every step; only operators see it
    failures: tuple[FailedStep, ...] | None  #: steps that failed for good; only operators see them


@read(Rule.OWNERS)
async def look(call: Call, question: Named) -> Look:
    """One look at a reservation: what the store knows, and what its workflow says now."""
    return await look_at(call.backend, call.reservation.id)


@read(Rule.OWNERS)
async def show(call: Call, question: Named) -> Shown:
    """All that is known of a reservation: where it is, what runs, what was done, and by whom."""
    view, operator = call.reservation, call.actor.operator
    seen = Look.at(view, None)
    if not seen.ended:
        seen = await look_at(call.backend, view.id)

    def ask(session: Session) -> Shown:
        load, steps = load_log.attempts(session, view.id), failed_steps.of(session, view.id)
        rest = host_rests.resting(session).get((view.endpoint, view.host))
        return Shown(
            **dict(seen),
            history=tuple(map(Event.of, audit_trail.events(session, view.id))),
            suspect=_suspect(session, view),
            resting=RestingHost.of(rest) if rest else None,
            load=tuple(map(Attempt.of, load)) if operator else None,
            failures=tuple(map(FailedStep.of, steps)) if operator else None,
        )

    return await call.backend.read(ask)


def _suspect(session: Session, view: ReservationView) -> Suspect | None:
    found = failures.suspect(session, view.image, view.revision)
    return Suspect.of(found) if found else None


# --- why ------------------------------------------------------------------------------------------------------------


class Candidate(View):
    """A host that was considered, and what it lacked."""

    name: str
    lacks: tuple[str, ...]


class RefusedPlace(View):
    """A request that found no place: each candidate with what it lacked."""

    id: str
    kind: Literal["refused"] = "refused"
    user: str
    image: str
    seconds: float
    start: Time | None
    at: Time
    reason: str
    earliest: Time | None  #: from then on it would fit, by what was promised then; null: not known
    candidates: tuple[Candidate, ...]

    @classmethod
    def of(cls, request: RefusedRequest) -> "RefusedPlace":
        """As it is kept."""
        refusal = request.refusal
        return cls(
            id=request.id,
            user=request.user,
            image=request.image,
            seconds=request.seconds,
            start=request.start,
            at=request.at,
            reason=refusal.reason,
            earliest=refusal.earliest,
            candidates=tuple(Candidate(name=each.name, lacks=each.lacks) for each in refusal.candidates),
        )


class Activity(View):
    """An activity that runs, or waits for its next attempt."""

    name: str
    attempt: int
    runs: bool  #: an attempt is under way; else the next one is waited for
    since: Time | None  #: when the attempt began, or the last one
    last_failure: str | None
    failed_at: Time | None
    next_attempt: Time | None
    given_up: Time | None  #: when there are no more attempts; null: never
    progress: str | None


class Explained(Look):
    """Why a reservation is where it is. Its word and reason are the newest that workflow and store know."""

    kind: Literal["reservation"] = "reservation"
    known_at: Time  #: the age of what the store knows
    last_step: Attempt | None  #: of the load, from the store
    activities: tuple[Activity, ...]
    activities_not_asked: str | None  #: why the server did not tell what is tried
    failures: tuple[FailedLoad, ...]
    suspect: Suspect | None  #: its revision of the image
    evidence: FailedStep | None  #: the last step that failed for good; only operators see it
    no_place: RefusedPlace | None  #: why no other place was found the last time

    @property
    def over(self) -> bool:
        """Nothing runs any more: the computer is taken back too."""
        return self.state in OVER


@read(Rule.USERS)
async def why(call: Call, question: Named) -> RefusedPlace | Explained:
    """Why a reservation is where it is, or why a request was refused. Of others' the answer is "not found"."""
    try:
        found = await finding.own_request(call.backend, call.actor, question.reservation)
    except NotFound:
        await _no_computer(call, question.reservation)
        raise
    return RefusedPlace.of(found) if isinstance(found, RefusedRequest) else await _explain(call, found)


async def _no_computer(call: Call, name: str) -> None:
    """People ask of computers too. Raises ``NotFound``."""
    computers = await call.backend.read(catalog.computers)
    if any(computer.name == plain(name) for computer in computers):
        raise NotFound(
            f"{quoted(name)} is a computer, not a reservation", f"`vclab computer show {plain(name)}` shows its state"
        )


async def _explain(call: Call, view: ReservationView) -> Explained:
    seen, not_asked = Look.at(view, None), ""
    activities: tuple[Activity, ...] = ()
    if view.state not in OVER:
        seen = await look_at(call.backend, view.id)
        activities, not_asked = await _activities(call, view.id)

    def ask(session: Session) -> Explained:
        attempt = load_log.last_attempt(session, view.id)
        steps = failed_steps.of(session, view.id)[-1:] if call.actor.operator else []
        refused = refusals.refused(session, view.id) if seen.waits_for_help else None
        return Explained(
            **dict(seen) | {"word": (seen.now.word if seen.now else None) or seen.word, "reason": seen.remark},
            known_at=_known_at(session, view, attempt),
            last_step=Attempt.of(attempt) if attempt else None,
            activities=activities,
            activities_not_asked=not_asked or None,
            failures=tuple(map(FailedLoad.of, failures.of_reservation(session, view.id))),
            suspect=_suspect(session, view),
            evidence=FailedStep.of(steps[0]) if steps else None,
            no_place=RefusedPlace.of(refused) if refused else None,
        )

    return await call.backend.read(ask)


def _known_at(session: Session, view: ReservationView, attempt: load_log.Attempt | None) -> datetime:
    moments = [event.at for event in audit_trail.events(session, view.id)[-1:]]
    if attempt is not None:
        moments.append(attempt.ended_at or attempt.started_at)
    return max(moments, default=view.created)


async def _activities(call: Call, reservation: str) -> tuple[tuple[Activity, ...], str]:
    """What the server says is tried, and why it did not say."""
    from vclab.temporal.pending_activities import pending_activities

    try:
        client = await call.backend.temporal(ASK)
        async with asyncio.timeout(ASK):
            return tuple(_activity(vars(each)) for each in await pending_activities(client, reservation)), ""
    except (Unreachable, NotFound) as error:
        return (), str(error)
    except TimeoutError:
        return (), "the Temporal server does not answer"


def _activity(known: dict[str, object]) -> Activity:
    return Activity(**{name: None if value == "" else value for name, value in known.items()})


# --- what waits for operators ---------------------------------------------------------------------------------------


class WaitingReservation(Reservation):
    """A reservation that waits for an operator."""

    kind: Literal["reservation"] = "reservation"
    failure: FailedStep
    no_other_place: str | None  #: why the load could not go to another host


class FailedComputer(View):
    """A computer whose background load failed."""

    kind: Literal["computer"] = "computer"
    computer: str
    failure: FailedStep


@read(Rule.OPERATORS)
async def needs_help(call: Call, question: Nothing) -> tuple[WaitingReservation | FailedComputer, ...]:
    """The reservations that wait for an operator, the longest wait first; then computers whose load failed."""
    return await call.backend.read(waiting)


def waiting(session: Session) -> tuple[WaitingReservation | FailedComputer, ...]:
    """What waits for an operator."""
    found: list[WaitingReservation | FailedComputer] = []
    for id, failed in store_help.waiting(session):
        if (view := reservations.view(session, id)) is not None:
            step, no_place = FailedStep.of(failed), view.no_other_place or None
            found.append(WaitingReservation(**dict(Reservation.of(view)), failure=step, no_other_place=no_place))
    for failed in failed_steps.of_loads(session):
        found.append(FailedComputer(computer=failed.computer, failure=FailedStep.of(failed)))
    return tuple(found)


# --- what can be reserved -------------------------------------------------------------------------------------------


class Offer(View):
    """An image that can be reserved, in its production revision."""

    name: str
    title: str
    revision: int
    module: str
    guest: str
    cpus: int
    memory_mb: int
    disk_gb: int
    suspect: Suspect | None  #: it may be to blame when a load fails
    disabled_at: Time | None  #: it can't be reserved since then; null: it can
    disabled_why: str


@read(Rule.ANYBODY)
async def images(call: Call, question: Nothing) -> tuple[Offer, ...]:
    """The images of the lab, by name; a disabled one says why it can't be reserved."""

    def ask(session: Session) -> tuple[Offer, ...]:
        bad = {(each.image, each.revision): Suspect.of(each) for each in failures.suspects(session)}
        shown = set(Offer.model_fields) - {"suspect"}
        return tuple(
            Offer(**{name: getattr(image, name) for name in shown}, suspect=bad.get((image.name, image.revision)))
            for image in catalog.images(session)
        )

    return await call.backend.read(ask)
