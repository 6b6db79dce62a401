"""Acts on reservations: reserve, connect, extend, reschedule, reboot, resolve, end, dismiss.

A message to the workflow carries the id of the act's intent, and neither who acts nor with which rights: its record
reads that from the intent (``vclab/model/intents.py``).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vclab.contract.looks import Look
from vclab.contract.reservations import Named
from vclab.contract.views import Reservation
from vclab.model import messages
from vclab.model.access import ROLES, Permission, ResourceKind, Role
from vclab.model.addresses import as_seen, checked_address, is_wider, is_within
from vclab.model.errors import Failed, Invalid, NotFound, Refused, Unreachable
from vclab.model.ids import is_id
from vclab.model.messages import Done, How
from vclab.model.reservations import ReservationView, ReserveRequest
from vclab.model.rules import why_not_duration, why_not_start
from vclab.model.states import Ending, ending_words
from vclab.model.typed import near, quoted
from vclab.secrets.references import SecretMissing, SecretSealed, of_tenure
from vclab.service import checks
from vclab.service.actor import Actor
from vclab.service.backend import Backend
from vclab.service.looks import look_at
from vclab.service.use_case import Call
from vclab.store import catalog, reservations

if TYPE_CHECKING:
    from vclab.temporal.client import Reservations
from vclab.contract import acts as contract
from vclab.contract.acts import (
    LONGEST_LINE,
    MOST_REVISIONS,
    OPENING,
    Capture,
    Connect,
    Ended,
    Extend,
    Password,
    Reboot,
    Reinstall,
    Reschedule,
    Reserve,
    Resolve,
)
from vclab.service.use_case import completes, does

PATIENCE = 60.0
"""Seconds in which a server or worker that restarts may come back before a place is given up."""

LOOK = 0.3
"""Seconds between two looks whether it is open."""

Send = Callable[["Reservations"], Awaitable[Done]]


# --- reserve ----------------------------------------------------------------------------------------------------------


@does(contract.reserve)
async def reserve(call: Call, question: Reserve) -> Reservation:
    """Raises ``Refused`` when there is no place. It names every host and what that lacks."""
    await _check_id(call, question.reservation)
    await _check_limits(call, question)
    await _check_image(call.backend, question.image)
    if question.imaging or question.revision:
        await call.must(Permission.CAPTURE, ResourceKind.IMAGE, question.image)
    await _find_place(call, question)
    await _check_id(call, question.reservation)  # ids are made by clients: another one may have been faster
    return await _view(call.backend, question.reservation)


async def _check_id(call: Call, id: str) -> None:
    """It can be an id, and is nobody else's: who asks with that learns nothing. Raises ``Invalid``, ``Refused``."""
    if not is_id(id):
        raise Invalid(f"{quoted(id)} can't be the id of a reservation", "leave it out, and one is made")
    view = await call.backend.read(lambda session: reservations.view(session, id))
    if view is not None and view.user != call.actor.login:
        raise Refused(f"the id {id} is taken", "reserve again with a new id")


async def _check_limits(call: Call, question: Reserve) -> None:
    """Raises ``Refused``. What only the store knows, its record checks."""
    user = call.actor.user
    limits = call.backend.settings.rules(user.affiliation if user else "").limits
    why_not = why_not_duration(limits, question.seconds, await call.may(Permission.OPERATE))
    if question.start is not None:
        checks.with_zone(question.start, "start")
        why_not = why_not or why_not_start(limits, question.start, question.seconds, datetime.now(UTC))
    if why_not:
        raise Refused(why_not)


async def _check_image(backend: Backend, name: str) -> None:
    """Raises ``NotFound`` with near names."""
    names = await backend.read(catalog.image_names)
    if name not in names:
        raise NotFound(f"there is no image {quoted(name)}{near(name, names)}", "`vclab images` lists them")


async def _find_place(call: Call, question: Reserve) -> None:
    """Ask for a place. Asking again with the same id is harmless, so a restart of server or worker is outlasted."""
    deadline, asked = time.monotonic() + PATIENCE, False
    request = ReserveRequest(
        question.reservation,
        call.actor.login,
        question.image,
        question.seconds,
        call.intent,
        question.start,
        question.revision,
        question.dedicated,
        question.imaging,
        question.capture_at_end,
    )
    workflows = await call.backend.reservations()
    while not asked:
        try:
            await workflows.reserve(request, timeout=max(deadline - time.monotonic(), 1.0))
            asked = True
        except Unreachable as error:
            if time.monotonic() >= deadline:
                hint = f"{request.id} may still be placed when it answers again: `vclab list` shows it then"
                raise Unreachable(str(error), hint) from None
            await asyncio.sleep(1)


# --- times ------------------------------------------------------------------------------------------------------------


@does(contract.extend)
async def extend(call: Call, question: Extend) -> Reservation:
    _check_open(call.reservation, "can't be extended")
    message = messages.Extend(_new_end(call.reservation, question), call.intent)
    return await _send(call, lambda workflows: workflows.extend(call.reservation.id, message))


def _new_end(view: ReservationView, question: Extend) -> datetime:
    """The end that is asked for, absolute: a repeat of the message changes nothing. Raises ``Invalid``."""
    by, to = question.by, question.to
    if (by is None) == (to is None):
        raise Invalid("an extension needs either a duration or an end", "use --by 1h or --to 18:30")
    if to is not None:
        checks.with_zone(to, "end")
        # Programs get whole seconds: the end that they read and send back is the end as it is.
        return view.end if to == view.end.replace(microsecond=0) else to
    try:
        return view.end + timedelta(seconds=by or 0.0)
    except (OverflowError, ValueError):
        raise Invalid(f"{by} seconds are too long", "use a shorter duration") from None


@does(contract.reschedule)
async def reschedule(call: Call, question: Reschedule) -> Reservation:
    _check_open(call.reservation, "can't be moved")
    checks.with_zone(question.start, "start")
    message = messages.Reschedule(question.start, call.intent)
    return await _send(call, lambda workflows: workflows.reschedule(call.reservation.id, message))


# --- connect ----------------------------------------------------------------------------------------------------------


@does(contract.connect)
async def connect(call: Call, question: Connect) -> Reservation:
    view = call.reservation
    address = question.address if view.has_guest else ""
    if view.has_guest:
        _check_from(call, address)
    seen = Look.at(view, None)
    _check_ready(seen if seen.settled else await look_at(call.backend, view.id))
    message = messages.Acknowledge(address, call.intent)
    answer = await _send(call, lambda workflows: workflows.acknowledge(view.id, message))
    return await _opened(call.backend, view.id, address) if view.has_guest else answer


@completes(contract.connect)
def _from_where(actor: Actor, question: Connect) -> Connect:
    """The caller's own address, where none is named: the record compares what is done with what was asked for."""
    return question if question.address else question.model_copy(update={"address": as_seen(actor.address)})


def _check_from(call: Call, address: str) -> None:
    """Whether the computer may be opened to it. Raises ``Invalid``, ``Refused``."""
    actor, theirs = call.actor, call.reservation.public_address
    if not address:
        raise Invalid("Connect needs the address that you come from", "use --from ADDRESS")
    checked_address(address)
    if address == as_seen(actor.address):
        if theirs and (":" in theirs) != (":" in address):
            raise Invalid(f"you are seen at {address}, from where nobody reaches {theirs}", "use --from ADDRESS")
        return
    if Role.OPERATOR not in call.roles:
        _confirm_few(call, address)
    roles = [role for role in call.roles if role is Role.USER or Permission.CONNECT in ROLES[role]]
    allowed = [call.backend.settings.connect_from.get(role) for role in roles]
    if any(is_within(address, each or ()) for each in allowed):
        return
    if None in allowed:
        if Role.OPERATOR not in call.roles:
            _confirm_narrow(call, address)
        return
    prefixes = ", ".join(sorted({prefix for each in allowed for prefix in each or ()}))
    hint = f"use one within {prefixes}" if prefixes else "without --from it is opened to where you come from"
    raise Refused(f"computers of {actor.login} may not be opened to {address}", hint)


def _confirm_few(call: Call, address: str) -> None:
    """Raises ``Refused`` when the computer is open to as many as are allowed; those from which nobody is connected any
    more are taken back by and by."""
    known, most = call.reservation.remote_addresses, call.backend.settings.connect_limits.addresses
    if address not in known and len(known) >= most:
        why = f"{call.reservation.id} is open to {len(known)} addresses and prefixes already"
        raise Refused(why, "without --from it is opened to where you come from")


def _confirm_narrow(call: Call, address: str) -> None:
    """Raises ``Refused`` for a prefix that is wider than people may name."""
    limits = call.backend.settings.connect_limits
    if is_wider(address, {4: limits.ipv4, 6: limits.ipv6}):
        hint = f"use /{limits.ipv6 if ':' in address else limits.ipv4} or a longer prefix"
        raise Refused(f"{address} is too wide to open a computer to", hint)


def _check_ready(seen: Look) -> None:
    """Raises ``Failed`` and ``Refused``."""
    if seen.ended:
        raise Failed(
            f"{seen.id} has ended: {ending_words(seen.ending)}", f"reserve again with `vclab reserve {seen.image}`"
        )
    if not seen.ready:
        raise Refused(f"{seen.id} is not ready yet: {_progress(seen)}", f"`vclab watch {seen.id}` follows it")


def _progress(seen: Look) -> str:
    """``Preparing (3/8): Copy the image's disk``."""
    now = seen.now
    waits_for = (now.waits_for if now else None) or seen.step_title
    word = (now.word if now else None) or seen.word
    return f"{word}: {waits_for}" if waits_for else word


async def _opened(backend: Backend, id: str, address: str) -> Reservation:
    """Wait until the computer lets the address in. Raises ``Refused`` with why it does not, ``Unreachable``."""
    deadline = time.monotonic() + OPENING
    while True:
        view = await _view(backend, id)
        _check_ready(Look(**dict(view), now=None))
        if view.access_open and address in view.remote_addresses:
            return view
        if address not in view.remote_addresses:
            remark = (await look_at(backend, id)).remark
            raise Refused(f"{id} could not be opened to {address}: {remark or 'no reason is recorded'}", "try again")
        if time.monotonic() >= deadline:
            raise await _too_long(backend, id, address)
        await asyncio.sleep(LOOK)


async def _too_long(backend: Backend, id: str, address: str) -> Unreachable:
    seen = await look_at(backend, id)
    why = (seen.now.why_not if seen.now else None) or _progress(seen)
    return Unreachable(
        f"{id} was not opened to {address} within {OPENING:.0f} s ({why})", "`vclab status` shows whether a worker runs"
    )


@does(contract.password)
async def password(call: Call, question: Named) -> Password:
    view = call.reservation
    try:
        if view.password_ref:
            reference = of_tenure(view.password_ref, view.computer, view.generation)
            return Password(password=call.backend.secrets.get(reference))
    except (SecretMissing, SecretSealed, PermissionError):
        pass
    raise Refused(f"no password of {view.id} can be read here", "log in with your SSH key")


# --- the computer, and the end ----------------------------------------------------------------------------------------


@does(contract.reboot)
async def reboot(call: Call, question: Reboot) -> Reservation:
    _check_open(call.reservation, "can't be restarted")
    message = messages.Reboot(question.hard, call.intent)
    return await _send(call, lambda workflows: workflows.reboot(call.reservation.id, message))


@does(contract.reinstall)
async def reinstall(call: Call, question: Reinstall) -> Reservation:
    _check_open(call.reservation, "can't be reinstalled")
    if question.revision is not None:
        checks.number(question.revision, "the revision", 1, MOST_REVISIONS)
    message = messages.Reinstall(question.revision or 0, call.intent)
    return await _send(call, lambda workflows: workflows.reinstall(call.reservation.id, message))


@does(contract.capture)
async def capture(call: Call, question: Capture) -> Reservation:
    _check_open(call.reservation, "can't be captured")
    if question.image:
        checks.name(question.image, "an image")
    for text, what in ((question.title, "the title"), (question.notes, "the notes")):
        if text:
            checks.line(text, what, LONGEST_LINE)
    named = question.capture, question.image, question.title, question.notes
    message = messages.Capture(*named, call.intent, question.untried, question.force_off, question.release)
    return await _send(call, lambda workflows: workflows.capture(call.reservation.id, message))


@does(contract.resolve)
async def resolve(call: Call, question: Resolve) -> Reservation:
    if question.how not in list(How):
        raise Invalid(f"unknown resolution {quoted(question.how)}", f"choose one of {', '.join(How)}")
    if not call.reservation.becomes:  # which goes on after its end
        _check_open(call.reservation, "can't be resolved")
    message = messages.Resolve(question.how, call.intent)
    return await _send(call, lambda workflows: workflows.resolve(call.reservation.id, message))


@does(contract.end)
async def end(call: Call, question: Named) -> Ended:
    view = Reservation.of(call.reservation)
    already = view.ended
    if not already:
        try:
            view = await _send(call, lambda workflows: workflows.end(view.id, messages.End(call.intent)))
        except Failed:  # it ended meanwhile
            view = await _view(call.backend, view.id)
    return Ended(**dict(view), already=already)


@does(contract.dismiss)
async def dismiss(call: Call, question: Named) -> Reservation:
    view = call.reservation
    if view.ending is None:
        raise Refused(f"{view.id} has not failed: it is {view.word}", f"`vclab end {view.id}` ends it")
    if view.ending is not Ending.FAILED:
        raise Refused(f"{view.id} has not failed: it has ended, {ending_words(view.ending)}, and is not on the list")
    if view.dismissed_at is None:
        await (await call.backend.reservations()).dismiss(messages.Dismiss(view.id, call.intent))
    return await _view(call.backend, view.id)


# --- what they share ------------------------------------------------------------------------------------------------


def _check_open(view: ReservationView, what: str) -> None:
    """Raises ``Failed``."""
    if Reservation.of(view).ended:
        raise Failed(f"{view.id} has ended, {ending_words(view.ending)}, and {what}")


async def _send(call: Call, send: Send) -> Reservation:
    """Send the message. The reservation as it is afterwards. Raises ``Failed`` when it ended meanwhile."""
    try:
        await send(await call.backend.reservations())
    except NotFound:
        raise await _no_workflow(call) from None
    return await _view(call.backend, call.reservation.id)


async def _no_workflow(call: Call) -> Exception:
    """Why Temporal knows no such running workflow."""
    view = await _view(call.backend, call.reservation.id)
    if view.ended:
        return Failed(f"{view.id} has ended: {ending_words(view.ending)}")
    hint = "the reconciler takes its computer back; `vclab status` shows whether it runs"
    return Unreachable(f"the workflow of {view.id} is gone", hint)


async def _view(backend: Backend, id: str) -> Reservation:
    """The reservation as the store has it now. Raises ``NotFound``."""
    view = await backend.read(lambda session: reservations.view(session, id))
    if view is None:
        raise NotFound(f"there is no reservation {id}", "`vclab list --all` lists yours")
    return Reservation.of(view)
