"""What people may know of reservations: which there are, where each stands and why."""

import asyncio
from datetime import datetime

from sqlalchemy.orm import Session

from vclab.contract import reservations as contract
from vclab.contract.events import Event
from vclab.contract.failures import FailedLoad, FailedStep, RestingHost, Suspect
from vclab.contract.looks import Look
from vclab.contract.reservations import (
    OVER,
    Activity,
    Attempt,
    Explained,
    FailedComputer,
    Named,
    Offer,
    RefusedPlace,
    Shown,
    WaitingReservation,
    Which,
)
from vclab.contract.use_case import Nothing
from vclab.contract.views import Reservation
from vclab.model.access import Permission, Reach
from vclab.model.errors import Forbidden, Invalid, NotFound, Unreachable
from vclab.model.reservations import RefusedRequest, ReservationView
from vclab.model.typed import quoted
from vclab.service import checks, finding
from vclab.service.finding import plain
from vclab.service.looks import ASK, look_at
from vclab.service.rights import hidden_images
from vclab.service.use_case import Call, does
from vclab.store import audit as audit_trail
from vclab.store import catalog, failed_steps, failures, host_rests, load_log, refusals, reservations
from vclab.store import needs_help as store_help

# --- which there are --------------------------------------------------------------------------------------------------


@does(contract.listing)
async def listing(call: Call, question: Which) -> tuple[Reservation, ...]:
    if question.user and not question.everyone:
        raise Invalid("people see only their own reservations, unless those of everyone are asked for", "set everyone")
    checks.limit(question.limit)
    wanted = reservations.Wanted(
        limit=question.limit,
        user=question.user if question.everyone else call.actor.login,
        reach=await _sees(call) if question.everyone else None,
        ended=question.ended,
        image=question.image,
        computer=question.computer,
        before=question.cursor,
    )
    return tuple(map(Reservation.of, await call.backend.read(lambda s: reservations.page(s, wanted))))


async def _sees(call: Call) -> Reach:
    """Whose reservations beside their own the caller sees. Raises ``Forbidden`` when nobody's."""
    reach = (await call.rights()).reach(Permission.SEE)
    if not reach.beyond_own:
        raise Forbidden(
            f"{call.actor.login} sees no other people's reservations: no grant gives a role that permits to see",
            "`vclab grant list` lists your roles",
        )
    return reach


# --- one of them ------------------------------------------------------------------------------------------------------


@does(contract.look)
async def look(call: Call, question: Named) -> Look:
    return await look_at(call.backend, call.reservation.id)


@does(contract.show)
async def show(call: Call, question: Named) -> Shown:
    view, operates = call.reservation, call.seen.may(Permission.OPERATE)
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
            load=tuple(map(_attempt, load)) if operates else None,
            failures=tuple(map(FailedStep.of, steps)) if operates else None,
        )

    return await call.backend.read(ask)


def _attempt(one: load_log.Attempt) -> Attempt:
    """As it was logged."""
    return Attempt(
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


def _suspect(session: Session, view: ReservationView) -> Suspect | None:
    found = failures.suspect(session, view.image, view.revision)
    return Suspect.of(found) if found else None


# --- why --------------------------------------------------------------------------------------------------------------


@does(contract.why)
async def why(call: Call, question: Named) -> RefusedPlace | Explained:
    try:
        found = await finding.seen_request(call.backend, call.actor, question.reservation)
    except NotFound:
        await _no_computer(call, question.reservation)
        raise
    view = found.view
    if isinstance(view, RefusedRequest):
        return RefusedPlace.of(view)
    return await _explain(call, view, found.may(Permission.OPERATE))


async def _no_computer(call: Call, name: str) -> None:
    """People ask of computers too. Raises ``NotFound``."""
    computers = await call.backend.read(catalog.computers)
    if any(computer.name == plain(name) for computer in computers):
        raise NotFound(
            f"{quoted(name)} is a computer, not a reservation", f"`vclab computer show {plain(name)}` shows its state"
        )


async def _explain(call: Call, view: ReservationView, operates: bool) -> Explained:
    seen, not_asked = Look.at(view, None), ""
    activities: tuple[Activity, ...] = ()
    if view.state not in OVER:
        seen = await look_at(call.backend, view.id)
        activities, not_asked = await _activities(call, view.id)

    def ask(session: Session) -> Explained:
        attempt = load_log.last_attempt(session, view.id)
        steps = failed_steps.of(session, view.id)[-1:] if operates else []
        refused = refusals.refused(session, view.id) if seen.waits_for_help else None
        return Explained(
            **dict(seen) | {"word": (seen.now.word if seen.now else None) or seen.word, "reason": seen.remark},
            known_at=_known_at(session, view, attempt),
            last_step=_attempt(attempt) if attempt else None,
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


# --- what waits for operators -----------------------------------------------------------------------------------------


@does(contract.needs_help)
async def needs_help(call: Call, question: Nothing) -> tuple[WaitingReservation | FailedComputer, ...]:
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


# --- what can be reserved ---------------------------------------------------------------------------------------------


@does(contract.images)
async def images(call: Call, question: Nothing) -> tuple[Offer, ...]:
    def ask(session: Session) -> tuple[Offer, ...]:
        bad = {(each.image, each.revision): Suspect.of(each) for each in failures.suspects(session)}
        shown, hidden = set(Offer.model_fields) - {"suspect"}, hidden_images(session, call.actor)
        return tuple(
            Offer(**{name: getattr(image, name) for name in shown}, suspect=bad.get((image.name, image.revision)))
            for image in catalog.images(session, hidden=hidden)
        )

    return await call.backend.read(ask)
