"""Finding a place for a request: claims, tenure and the reservation's row, all in one transaction or none.

Rows are locked in one order everywhere: the user, the pools by name, the computer. So two placements at the same time
wait for each other instead of overbooking or breaking each other off.
"""

import dataclasses
import difflib
import functools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model import rules as limits
from vclab.model.ids import is_id
from vclab.model.inventory import Amounts, Inventory
from vclab.model.plans import Access, Target
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES, Purpose, ReservationState
from vclab.model.traits import Traits
from vclab.placement import Choice, Need, choose
from vclab.store import (
    audit,
    catalog,
    claims,
    computers,
    identities,
    lab_machines,
    load_log,
    locks,
    pools,
    refusals,
    spares,
    targets,
    tenures,
)
from vclab.store.column_types import utc
from vclab.store.models import Computer, Reservation, User
from vclab.store.spares import HandedOut

_SPANS = (
    sa.select(Reservation.id, Reservation.starts, Reservation.ends)
    .where(
        Reservation.user == sa.bindparam("of_user"),
        Reservation.state.in_(OPEN_STATES),
        Reservation.id != sa.bindparam("but"),
    )
    .order_by(Reservation.created)
)

_MOST_STARTS = 5  # so often a time is looked for that suits both the user's other reservations and the room


@dataclasses.dataclass(frozen=True)
class Window:
    """When the reservation is, and the claim around it. ``preload_at``: None if it begins at once."""

    now: datetime
    load_seconds: float
    start: datetime
    preload_at: datetime | None
    end: datetime
    claim_starts: datetime
    claim_ends: datetime


def place(
    session: Session, request: ReserveRequest, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> Placed | Refusal:
    """Place a reservation, or say why it can't be; a refusal is noted in the audit. The same id gets the same again.

    The request's limits are checked here too: only the store knows how many reservations the user has.
    """
    now = utc(now)
    user = locks.user(session, request.user)
    known = session.get(Reservation, request.id)
    if known is not None and known.user == request.user:
        evicted = spares.evicted_for(session, known.id)
        return dataclasses.replace(placed(session, known, rules), evicted=evicted)
    why_not = _why_not(session, request, user, known, rules, now)
    outcome = Refusal(why_not) if why_not else _claim_and_record(session, request, inventories, rules, now)
    if isinstance(outcome, Refusal):
        if request.start is None or _can_be_told(request.start):
            refusals.note(session, request, outcome, now)
        audit.note(session, request.id, request.requested_by or request.user, "refused", outcome.text(request.id), now)
    return outcome


def placed(session: Session, row: Reservation, rules: Rules) -> Placed:
    """Where a recorded reservation is placed."""
    user, image = catalog.user(session, row.user), catalog.revision(session, row.image, row.revision)
    access = Access(
        login=user.login,
        uid=user.uid,
        public_keys=user.public_keys,
        addresses=tuple(row.remote_addresses),
        password_ref=row.password_ref,
        sudo=image.root_access,
        ports=image.ports,
    )
    start, target = row.starts if row.preload_at else None, targets.of(row)
    there = Placed(row.id, target, row.ends, access, rules.waits, row.state, start, row.preload_at)
    if start is not None or row.generation:
        return there
    loading = tenures.current(session, target.computer)
    return dataclasses.replace(there, loaded_by=loading.expected_end if loading else None)


def _why_not(
    session: Session, request: ReserveRequest, user: User | None, known: Reservation | None, rules: Rules, now: datetime
) -> str:
    """Why the request can't be met whatever room there is; empty when it may be."""
    if known is not None or not is_id(request.id):
        return f"{request.id!r} can't be the id of a new reservation"
    if user is None or user.removed_at is not None:
        return f"{request.user} is not a user of this lab"
    if user.disabled_at is not None:
        return f"the user {request.user} is disabled{_because(user.disabled_why)}"
    if request.start is not None and request.start.tzinfo is None:
        return "the start has no time zone, so nobody can know when it is"
    why_not = _why_not_image(session, request.image)
    why_not = why_not or limits.why_not_duration(rules.limits, request.seconds, request.operator)
    if not why_not and request.start is not None:
        why_not = limits.why_not_start(rules.limits, request.start, request.seconds, now)
    return why_not


def _can_be_told(moment: datetime) -> bool:
    """It has a zone, and is so far from the calendar's edges that it has a date in every zone."""
    return moment.tzinfo is not None and 1 < moment.year < 9999


def why_not_then(session: Session, user: str, operator: bool, window: Window, rules: Rules, but: str = "") -> str:
    """Why the user can't have a reservation then, whatever room there is; empty when they can. ``but`` is not counted.

    One reservation at a time: those that overlap count, and what is reserved for another time does not.
    """
    _, most = limits.most_at_once(spans_of(session, user, but), window.start, window.end)
    return limits.why_not_another(rules.limits, user, most, operator)


def spans_of(session: Session, user: str, but: str = "") -> list[limits.Span]:
    """When the user has reservations, except ``but``; oldest first."""
    return [limits.Span(*row) for row in session.execute(_SPANS, {"of_user": user, "but": but})]


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _why_not_image(session: Session, name: str) -> str:
    names = catalog.image_names(session)
    if name in names:
        image = catalog.image(session, name)
        return "" if image.disabled_at is None else f"the image {name} is disabled{_because(image.disabled_why)}"
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ";"
    return f"there is no image {name}{hint} `vclab images` lists all"


def _claim_and_record(
    session: Session, request: ReserveRequest, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> Placed | Refusal:
    image = catalog.image(session, request.image)
    endpoints = catalog.endpoints_of(session, image)
    if not endpoints:
        return Refusal(f"there is no endpoint for {image.name}: {_why_no_endpoint(session, image)}")
    traits = rules.traits(image.module)
    window = window_of(session, request.image, request.start, request.seconds, rules, now)
    why_not = why_not_then(session, request.user, request.operator, window, rules)
    heard = {inventory.endpoint: inventory for inventory in inventories}
    if why_not:
        possible = _first_start(session, request, image, endpoints, heard, window, rules)
        return refusals.told(session, Refusal(why_not, earliest=possible), request, now, request.start or now)
    claimed = _claim(session, request, image, endpoints, heard, window, traits)
    if isinstance(claimed, Refusal):
        return refusals.told(session, claimed, request, now, window.claim_starts)
    choice, computer = claimed.choice, claimed.computer
    takes = window.preload_at is None and computer is not None and _free(session, traits, computer)
    generation = 0
    if takes and computer is not None:
        until = window.claim_ends
        generation = computers.take(session, computer, request.id, Purpose.RESERVATION, image, traits.lent, until, now)
    endpoint = next(e for e in endpoints if e.name == choice.endpoint)
    target = targets.on(targets.of_image(request.id, image, endpoint, choice, rules), computer, generation)
    row = _record(session, request, dataclasses.replace(target, spare=claimed.machine or target.spare), window, rules)
    row.private_address, row.host_key = claimed.facts.private_address, claimed.facts.host_key
    audit.note(session, row.id, request.requested_by or request.user, "reserved", f"on {target.host}", now)
    return dataclasses.replace(placed(session, row, rules), evicted=spares.evicted_for(session, row.id))


def _why_no_endpoint(session: Session, image: model.Image) -> str:
    disabled = catalog.all_endpoints_of(session, image)
    if disabled:
        return "; ".join(f"the endpoint {each.name} is disabled{_because(each.disabled_why)}" for each in disabled)
    called = f" called {image.endpoint}" if image.endpoint else ""
    return f"none{called} has the provisioning module {image.module}"


def _first_start(
    session: Session,
    request: ReserveRequest,
    image: model.Image,
    endpoints: Sequence[model.Endpoint],
    heard: Mapping[str, Inventory],
    window: Window,
    rules: Rules,
) -> datetime | None:
    """From when on it would fit: by the user's other reservations, and by the room that there is; None: not known."""
    spans, length = spans_of(session, request.user), window.end - window.start
    start = window.start
    for _ in range(_MOST_STARTS):
        start = limits.first_start(rules.limits, spans, start, length)
        if limits.why_not_start(rules.limits, start, length.total_seconds(), window.now):
            return None
        then = window_of(session, request.image, start, length.total_seconds(), rules, window.now)
        if window.preload_at is None:  # it would be asked for then, and begin at once
            then = dataclasses.replace(then, claim_starts=start - timedelta(seconds=rules.lead))
        trial = session.begin_nested()
        claimed = claim_place(
            session, request.id, request.user, image, endpoints, heard, then, rules.traits(image.module)
        )
        trial.rollback()
        if not isinstance(claimed, Refusal):
            return start
        if claimed.earliest is None:
            return None
        start = max(start, claimed.earliest + (start - then.claim_starts))
    return None


def _claim(
    session: Session,
    request: ReserveRequest,
    image: model.Image,
    endpoints: Sequence[model.Endpoint],
    heard: Mapping[str, Inventory],
    window: Window,
    traits: Traits,
) -> HandedOut | Refusal:
    """Claim a spare, else a place. What begins later makes no use of spares."""
    at_once, id = window.preload_at is None, request.id
    if at_once and not traits.lent and spares.any_of(session, image):
        _lock(session, endpoints, heard)
        need = Need(amounts_of(image), window.claim_starts, window.claim_ends)
        resting = pools.resting_hosts(session, request.user)
        spare = spares.hand_out(session, id, image, endpoints, heard, need, resting, window.now)
        if spare is not None:
            return spare
    claimed = claim_place(session, id, request.user, image, endpoints, heard, window, traits, may_wait=at_once)
    return claimed if isinstance(claimed, Refusal) else HandedOut(*claimed)


def _lock(session: Session, endpoints: Sequence[model.Endpoint], heard: Mapping[str, Inventory]) -> None:
    """Nobody else promises room at these endpoints, or an identity, until the transaction ends."""
    pools.refresh(session, [heard[e.name] for e in endpoints if e.name in heard])
    identities.lock(session)


def _free(session: Session, traits: Traits, computer: Computer) -> bool:
    """False: it is being loaded with what is wanted, and taken when that is done."""
    return not traits.reloadable or tenures.current(session, computer.name) is None


def claim_place(
    session: Session,
    holder: str,
    user: str,
    image: model.Image,
    endpoints: Sequence[model.Endpoint],
    heard: Mapping[str, Inventory],
    window: Window,
    traits: Traits,
    may_wait: bool = False,
) -> tuple[Choice, Computer | None] | Refusal:
    """Claim a lent computer as a whole, or room for one to be made under a free identity; where there is none, spares
    go.

    What is to be made later has no identity yet: it is only made sure that there are enough.
    """
    if traits.lent:
        starts, ends = window.claim_starts, window.claim_ends
        claimed = lab_machines.claim(session, endpoints, heard, holder, user, starts, ends, window.now, image, may_wait)
        return claimed if isinstance(claimed, Refusal) else (Choice(claimed[0], claimed[1].name, ""), claimed[1])
    _lock(session, endpoints, heard)
    need = Need(amounts_of(image), window.claim_starts, window.claim_ends)
    at_once = window.preload_at is None
    computer = identities.pick(session) if at_once else None
    lacking = (at_once and computer is None) or identities.shortage(session, need.starts, need.ends)
    free_identities = 0 if lacking else 1
    resting = pools.resting_hosts(session, user, at_once)
    choice = choose(need, pools.rooms(session, endpoints, heard, need, resting, claims.at_most), free_identities)
    if isinstance(choice, Refusal):
        choice = choose(need, pools.rooms(session, endpoints, heard, need, resting, claims.bookings), free_identities)
    if isinstance(choice, Refusal):
        without_spares = pools.rooms(session, endpoints, heard, need, resting, claims.firm)
        made = spares.make_room(session, holder, need, without_spares, at_once, window.now)
        if made is not None:
            return made
        if not at_once:
            choice = dataclasses.replace(choice, reason="there is no room for this machine then")
        there = functools.partial(pools.rooms, session, endpoints, heard, resting=resting, promised=claims.firm)
        return refusals.with_room(session, choice, need, there, window.now)
    claims.claim_pools(session, holder, need.starts, need.ends, pools.wanted(choice, need.amounts))
    return choice, computer


def choose_beside(
    session: Session,
    row: Reservation,
    image: model.Image,
    endpoints: Sequence[model.Endpoint],
    inventories: Sequence[Inventory],
    starts: datetime,
    ends: datetime,
    now: datetime,
) -> Choice | Refusal:
    """Where else the machine of a reservation can go, or why nowhere. The pools are locked, and nothing is claimed.

    Where there is no room, spares are evicted for it (``spares.evicted_for``). Its own claims stand in nobody's way:
    what was made is gone before anything is made anew.
    """
    heard = {inventory.endpoint: inventory for inventory in inventories}
    pools.refresh(session, [heard[e.name] for e in endpoints if e.name in heard])
    need = Need(amounts_of(image), starts, ends)
    resting = {**pools.resting_hosts(session, row.user), (row.endpoint, row.host): "its load failed here"}
    promised = functools.partial(claims.bookings, but=row.id)
    choice = choose(need, pools.rooms(session, endpoints, heard, need, resting, promised), 1)
    if isinstance(choice, Refusal):
        firm = functools.partial(promised, spares=False)
        rooms = pools.rooms(session, endpoints, heard, need, resting, firm)
        return spares.evict(session, row.id, need, rooms, now) or choice
    return choice


def window_of(
    session: Session, image: str, start: datetime | None, seconds: float, rules: Rules, now: datetime
) -> Window:
    """When a reservation of ``seconds`` is, and what is claimed for it.

    At once: the usual load time is added to the user's. With a start the end is fixed, and the claim begins with the
    load: else the preload had no room.
    """
    load_seconds = sum(load_log.medians(session, image).values())
    preload_at = None
    if start is not None:
        start = utc(start)
        ahead = max(rules.waits.preload, load_seconds + rules.waits.preload_margin)
        preload_at = max(now, start - timedelta(seconds=ahead))
    end = (start or now + timedelta(seconds=load_seconds)) + timedelta(seconds=seconds)
    return Window(
        now,
        load_seconds,
        start or now,
        preload_at,
        end,
        claim_starts=(preload_at or now) - timedelta(seconds=rules.lead),
        claim_ends=end + timedelta(seconds=rules.turnaround),
    )


def _record(session: Session, request: ReserveRequest, target: Target, window: Window, rules: Rules) -> Reservation:
    row = Reservation(
        id=request.id,
        user=request.user,
        requested_by=request.requested_by or request.user,
        image=target.image,
        revision=target.revision,
        state=ReservationState.NEW if window.preload_at is None else ReservationState.SCHEDULED,
        created=window.now,
        starts=window.start,
        preload_at=window.preload_at,
        ends=window.end,
        load_seconds=window.load_seconds,
        first_notice=rules.waits.ending_soon,
        **targets.columns(target),
    )
    session.add(row)
    session.flush()
    return row


def amounts_of(image: model.Image) -> Amounts:
    return Amounts(image.cpus, image.memory_mb, image.disk_gb)
