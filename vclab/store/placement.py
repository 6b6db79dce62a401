"""Finding a place for a request: claims, tenure and the reservation's row, all in one transaction or none.

Rows are locked in one order everywhere: the user, the pools by name, the computer. So two placements at the same time
wait for each other instead of overbooking or breaking each other off.
"""

import dataclasses
import difflib
import functools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model import rules as limits
from vclab.model.errors import NotFound
from vclab.model.ids import is_id
from vclab.model.intents import Author
from vclab.model.inventory import Amounts, Inventory
from vclab.model.plans import Access, Target, lasting_uuid
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES, ComputerState, ReservationState
from vclab.model.traits import Traits
from vclab.placement import Choice, Need, choose
from vclab.store import audit, catalog, claims, identities, lab_machines, load_log, pools, refusals, spares, tenures
from vclab.store.column_types import utc
from vclab.store.models import Computer, Reservation, User
from vclab.store.spares import HandedOut

PURPOSE = "reservation"

_USER = sa.select(User).where(User.login == sa.bindparam("login")).with_for_update(key_share=True)
_LOCKED = (
    sa.select(Reservation)
    .where(Reservation.id == sa.bindparam("of"))
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)
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
    session: Session, request: ReserveRequest, by: Author, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> Placed | Refusal:
    """Place a reservation, or say why it can't be; a refusal is noted in the audit. The same id gets the same again.

    The request's limits are checked here too: only the store knows how many reservations the user has.
    """
    now = utc(now)
    user = session.scalar(_USER, {"login": request.user})
    known = session.get(Reservation, request.id)
    if known is not None and known.user == request.user:
        evicted = spares.evicted_for(session, known.id)
        return dataclasses.replace(placed(session, known, rules), evicted=evicted)
    why_not = _why_not(session, request, by, user, known, rules, now)
    outcome = Refusal(why_not) if why_not else _claim_and_record(session, request, by, inventories, rules, now)
    if isinstance(outcome, Refusal):
        if request.start is None or _can_be_told(request.start):
            refusals.note(session, request, outcome, now)
        audit.note(session, request.id, by.who, "refused", outcome.text(), now, by.act)
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
    start, target = row.starts if row.preload_at else None, target_of(row)
    there = Placed(row.id, target, row.ends, access, rules.waits, row.state, start, row.preload_at)
    if start is not None or row.generation:
        return there
    loading = tenures.current(session, target.computer)
    return dataclasses.replace(there, loaded_by=loading.expected_end if loading else None)


def locked(session: Session, id: str) -> Reservation:
    """The row, nobody else's until the transaction ends. Raises ``NotFound``."""
    row = session.scalar(_LOCKED, {"of": id})
    if row is None:
        raise NotFound(f"there is no reservation {id}")
    return row


def target_of(row: Reservation) -> Target:
    """The recorded target."""
    return spares.recorded(row.target)


def _why_not(
    session: Session,
    request: ReserveRequest,
    by: Author,
    user: User | None,
    known: Reservation | None,
    rules: Rules,
    now: datetime,
) -> str:
    """Why the request can't be met whatever room there is; empty when it may be."""
    if known is not None or not is_id(request.id):
        return f"{request.id!r} can't be the id of a new reservation"
    if user is None:
        return f"{request.user} is not a user of this lab"
    if request.start is not None and request.start.tzinfo is None:
        return "the start has no time zone, so nobody can know when it is"
    why_not = _why_not_image(session, request.image)
    why_not = why_not or limits.why_not_duration(rules.limits, request.seconds, by.operator)
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


def _why_not_image(session: Session, name: str) -> str:
    names = catalog.image_names(session)
    if name in names:
        return ""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ";"
    return f"there is no image {name}{hint} `vclab images` lists all"


def _claim_and_record(
    session: Session, request: ReserveRequest, by: Author, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> Placed | Refusal:
    image = catalog.image(session, request.image)
    endpoints = catalog.endpoints_of(session, image)
    if not endpoints:
        called = f" called {image.endpoint}" if image.endpoint else ""
        return Refusal(
            f"there is no endpoint for {image.name}: none{called} has the provisioning module {image.module}"
        )
    traits = rules.traits(image.module)
    window = window_of(session, request.image, request.start, request.seconds, rules, now)
    why_not = why_not_then(session, request.user, by.operator, window, rules)
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
        generation = take(session, computer, request.id, traits, window.claim_ends, now)
    target = target_for(request.id, image, endpoints, choice, computer, generation, rules)
    target = dataclasses.replace(target, spare=claimed.machine or target.spare)
    row = _record(session, request, by, target, window, rules)
    row.private_address, row.host_key = claimed.facts.private_address, claimed.facts.host_key
    audit.note(session, row.id, by.who, "reserved", f"on {target.host}", now, by.act)
    return dataclasses.replace(placed(session, row, rules), evicted=spares.evicted_for(session, row.id))


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


def take(session: Session, computer: Computer, holder: str, traits: Traits, until: datetime, now: datetime) -> int:
    """Take a computer to load it; returns the generation. Raises ``TenureHeld``."""
    generation = tenures.take(session, computer.name, holder, PURPOSE, until, now)
    computer.state = ComputerState.RELOADING
    forget_content(computer, traits.lent)
    return generation


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


def target_for(
    reservation: str,
    image: model.Image,
    endpoints: Sequence[model.Endpoint],
    choice: Choice,
    computer: Computer | None,
    generation: int,
    rules: Rules,
) -> Target:
    """What is to be made, and where. Without a name when any identity will do."""
    endpoint = next(e for e in endpoints if e.name == choice.endpoint)
    traits = dataclasses.replace(rules.traits(image.module), guest=bool(image.guest))
    return Target(
        reservation=reservation,
        computer=computer.name if computer else "",
        generation=generation,
        installation=rules.installation,
        module=image.module,
        guest=image.guest,
        endpoint=choice.endpoint,
        host=choice.host,
        storage=choice.storage,
        image=image.name,
        revision=image.revision,
        cpus=image.cpus,
        memory_mb=image.memory_mb,
        disk_gb=image.disk_gb,
        private_mac=(computer and computer.private_mac) or "",
        public_mac=(computer and computer.public_mac) or "",
        site=endpoint.site,
        spare=machine_of(traits, rules.installation, computer),
        traits=traits,
        image_data=image.module_data,
        endpoint_data=endpoint.module_data,
    )


def machine_of(traits: Traits, installation: str, computer: Computer | None) -> str:
    """The instance UUID of a computer that stays and is loaded anew; empty for all others."""
    return lasting_uuid(installation, computer.name) if computer and traits.reloadable else ""


def _record(
    session: Session, request: ReserveRequest, by: Author, target: Target, window: Window, rules: Rules
) -> Reservation:
    row = Reservation(
        id=request.id,
        user=request.user,
        requested_by=by.who,
        image=target.image,
        revision=target.revision,
        state=ReservationState.NEW if window.preload_at is None else ReservationState.SCHEDULED,
        created=window.now,
        starts=window.start,
        preload_at=window.preload_at,
        ends=window.end,
        load_seconds=window.load_seconds,
        first_notice=rules.waits.ending_soon,
        **placed_at(target),
    )
    session.add(row)
    session.flush()
    return row


def placed_at(target: Target) -> dict[str, Any]:
    """The columns of a reservation that say where it is placed."""
    held = target.generation > 0
    return {
        "computer": target.computer if held else None,
        "generation": target.generation,
        "endpoint": target.endpoint,
        "host": target.host,
        "target": dataclasses.asdict(target),
        "password_ref": f"tenure/{target.computer}/{target.generation}/login" if held else "",
    }


def forget_content(computer: Computer, lent: bool) -> None:
    """Before the first destructive step nothing may say that the computer still holds what it held.

    One that is lent stays where it is: its address and pinned host key are its own, and it is tainted until it is
    clean.
    """
    computer.image, computer.revision = "", 0
    if not lent:
        computer.tainted = False
        computer.host_key = computer.private_address = computer.public_address = ""


def amounts_of(image: model.Image) -> Amounts:
    return Amounts(image.cpus, image.memory_mb, image.disk_gb)
