"""Finding a place for a request: claims, tenure and the reservation's row, all in one transaction or none."""

import dataclasses
import difflib
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model import rules as limits
from vclab.model.errors import NotFound
from vclab.model.ids import is_id
from vclab.model.intents import Author
from vclab.model.inventory import Inventory
from vclab.model.plans import Access, Target
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.revisions import RevisionState
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES, Purpose, ReservationState
from vclab.placement import choose
from vclab.store import (
    audit,
    catalog,
    children,
    claims,
    computers,
    copies,
    eviction,
    host_rests,
    identities,
    lab_machines,
    locks,
    pools,
    reclaiming,
    refusals,
    revisions,
    spares,
    targets,
    tenures,
)
from vclab.store.access import NO_BARS, Bars
from vclab.store.column_types import utc
from vclab.store.models import Computer, Reservation, User
from vclab.store.search import Found, Search, Window, prepare, window_of

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


def place(
    session: Session, request: ReserveRequest, by: Author, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> Placed | Refusal:
    """Place a reservation, or refuse with reasons, which the audit keeps. The same id gets the same place again.

    The limits are checked here too: only the store knows how many reservations the user has.
    """
    now = utc(now)
    user = locks.user(session, request.user)
    known = session.get(Reservation, request.id)
    if known is not None and known.user == request.user:
        evicted = eviction.evicted_for(session, known.id)
        return dataclasses.replace(placed(session, known, rules), evicted=evicted)
    why_not = _why_not(session, request, by, user, known, rules, now)
    outcome = Refusal(why_not) if why_not else _claim_and_record(session, request, by, inventories, rules, now)
    if isinstance(outcome, Refusal):
        if request.start is None or _can_be_told(request.start):
            refusals.note(session, request, outcome, now)
        audit.note(session, request.id, by.who, "refused", outcome.text(request.id), now, by.act)
    return outcome


def placed(session: Session, row: Reservation, rules: Rules) -> Placed:
    """Where a recorded reservation is placed."""
    user, image = session.get_one(User, row.user), catalog.revision(session, row.image, row.revision)
    access = Access(
        login=user.login,
        uid=user.uid,
        public_keys=tuple(user.public_keys),
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
    loaded_by = loading.expected_end if loading and loading.purpose is Purpose.LOAD else None
    return dataclasses.replace(there, loaded_by=loaded_by)


def _why_not(
    session: Session,
    request: ReserveRequest,
    by: Author,
    user: User | None,
    known: Reservation | None,
    rules: Rules,
    now: datetime,
) -> str:
    """Why the request is refused whatever room there is; empty when it is not."""
    if known is not None or not is_id(request.id):
        return f"{request.id!r} can't be the id of a new reservation"
    if user is None or user.removed_at is not None:
        return f"{request.user} is not a user of this lab"
    if user.disabled_at is not None:
        return f"the user {request.user} is disabled{_because(user.disabled_why)}"
    if request.start is not None and request.start.tzinfo is None:
        return "the start has no time zone"
    if request.capture_at_end and not request.imaging:
        return "only what is reserved for imaging can be captured at its end"
    why_not = _why_not_image(session, request.image) or _why_not_revision(session, request)
    why_not = why_not or _why_not_dedicated(session, request, rules)
    why_not = why_not or limits.why_not_duration(rules.limits, request.seconds, by.operator)
    if not why_not and request.start is not None:
        why_not = limits.why_not_start(rules.limits, request.start, request.seconds, now)
    return why_not


def _can_be_told(moment: datetime) -> bool:
    """It has a zone, and is far enough from the calendar's edges to have a date in every zone."""
    return moment.tzinfo is not None and 1 < moment.year < 9999


def why_not_then(session: Session, user: str, operator: bool, window: Window, rules: Rules, but: str = "") -> str:
    """Why the user can't have a reservation then, whatever room there is; empty when they can. ``but`` does not count.

    The limit is on reservations that overlap; those at other times do not count.
    """
    _, most = limits.most_at_once(spans_of(session, user, but), window.start, window.end)
    return limits.why_not_another(rules.limits, user, most, operator)


def spans_of(session: Session, user: str, but: str = "") -> list[limits.Span]:
    """When the user has reservations, except ``but``; oldest first."""
    return [limits.Span(*row) for row in session.execute(_SPANS, {"of_user": user, "but": but})]


def _because(why: str) -> str:
    return f": {why}" if why else ""


def _why_not_image(session: Session, name: str) -> str:
    with suppress(NotFound):
        image = catalog.image(session, name)
        return "" if image.disabled_at is None else f"the image {name} is disabled{_because(image.disabled_why)}"
    near = difflib.get_close_matches(name, catalog.image_names(session), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ";"
    return f"there is no image {name}{hint} `vclab images` lists all"


def _why_not_revision(session: Session, request: ReserveRequest) -> str:
    """Why a revision that is named can't be had; empty when it can, or none is."""
    if not request.revision:
        return ""
    if request.start is not None:
        return "a revision that is named is had at once, not for later"
    with suppress(NotFound):
        retired = revisions.one(session, request.image, request.revision).state is RevisionState.RETIRED
        return f"revision {request.revision} of {request.image} is retired" if retired else ""
    return f"there is no revision {request.revision} of {request.image}"


def _why_not_dedicated(session: Session, request: ReserveRequest, rules: Rules) -> str:
    """Why there can't be a full copy of the image's disk, if one is asked for; empty when there can."""
    module = catalog.image(session, request.image).module if request.dedicated else ""
    if module not in rules.modules or rules.modules[module].copies:
        return ""
    return f"{request.image} can't have a dedicated disk: the module {module} makes no disks from copies of an image"


def _image(session: Session, request: ReserveRequest) -> model.Image:
    if request.revision:
        image = catalog.revision(session, request.image, request.revision)
    else:
        image = catalog.image(session, request.image)
    return dataclasses.replace(image, dedicated=image.dedicated or request.dedicated)


def _claim_and_record(
    session: Session, request: ReserveRequest, by: Author, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> Placed | Refusal:
    image = _image(session, request)
    window = window_of(session, request.image, request.start, request.seconds, rules, now)
    bars = NO_BARS if by.operator else None
    search = prepare(session, request.id, request.user, image, inventories, window, rules, bars=bars)
    if not search.endpoints:
        return Refusal(f"there is no endpoint for {image.name}: {_why_no_endpoint(session, image, search.bars)}")
    why_not = why_not_then(session, request.user, by.operator, window, rules)
    if why_not:
        possible = _first_start(session, search, rules)
        return refusals.for_user(session, Refusal(why_not, earliest=possible), request, now, request.start or now)
    found = _claim(session, search)
    if isinstance(found, Refusal):
        return refusals.for_user(session, found, request, now, window.claim_starts)
    target = targets.for_search(search, found, _take(session, search, found), rules)
    target = children.hold(session, target, now)
    row = _record(session, request, by, target, window, rules)
    row.private_address, row.host_key = found.facts.private_address, found.facts.host_key
    audit.note(session, row.id, by.who, "reserved", f"on {target.host}", now, by.act)
    return dataclasses.replace(placed(session, row, rules), evicted=eviction.evicted_for(session, row.id))


def _take(session: Session, search: Search, found: Found) -> int:
    """Take the computer; returns the generation. 0: it is for later, or is being loaded with what is wanted, or
    switched."""
    computer, window = found.computer, search.window
    if not window.at_once or computer is None:
        return 0
    if search.traits.lent and tenures.current(session, computer.name) is not None:
        return 0
    return take(session, search, computer)


def take(session: Session, search: Search, computer: Computer) -> int:
    """Take a computer for the search's reservation; returns the generation. Raises ``TenureHeld``."""
    until, lent = search.window.claim_ends, search.traits.lent
    holder, now = search.holder, search.window.now
    return computers.take(session, computer, holder, Purpose.RESERVATION, search.image, lent, until, now)


def _why_no_endpoint(session: Session, image: model.Image, bars: Bars) -> str:
    if barred := [f"{name} {bars.why_not(name)}" for name in sorted(bars.endpoints) if bars.why_not(name)]:
        return "; ".join(barred)
    places, disabled = copies.of(session, image), catalog.all_endpoints_of(session, image)
    if places and not (disabled := [each for each in disabled if places.can_be_at(each)]):
        where = ", ".join(places.endpoints()) or "nowhere"
        return f"its master is only on {where}; `vclab image check {image.name}` looks for it again"
    if disabled:
        return "; ".join(f"the endpoint {each.name} is disabled{_because(each.disabled_why)}" for each in disabled)
    called = f" called {image.endpoint}" if image.endpoint else ""
    return f"none{called} has the provisioning module {image.module}"


def _first_start(session: Session, search: Search, rules: Rules) -> datetime | None:
    """When it would fit, given the user's other reservations and the room; None: not known."""
    spans, window = spans_of(session, search.user), search.window
    start, length = window.start, window.end - window.start
    for _ in range(_MOST_STARTS):
        start = limits.first_start(rules.limits, spans, start, length)
        if limits.why_not_start(rules.limits, start, length.total_seconds(), window.now):
            return None
        then = window_of(session, search.image.name, start, length.total_seconds(), rules, window.now)
        if window.at_once:  # the user would ask again then, and it would begin at once
            then = dataclasses.replace(then, claim_starts=start - timedelta(seconds=rules.lead))
        trial = session.begin_nested()
        found = claim_place(session, dataclasses.replace(search, window=then))
        trial.rollback()
        if not isinstance(found, Refusal):
            return start
        if found.earliest is None:
            return None
        start = max(start, found.earliest + (start - then.claim_starts))
    return None


def _claim(session: Session, search: Search) -> Found | Refusal:
    """Claim a spare, else a place. What begins later uses no spare."""
    at_once = search.window.at_once
    if at_once and not search.traits.lent and spares.any_of(session, search.image):
        spare = spares.hand_out(session, lock_room(session, search))
        if spare is not None:
            return spare
    found = claim_place(session, search, may_wait=at_once)
    return _making_room(session, search, found) if isinstance(found, Refusal) else found


def _making_room(session: Session, search: Search, refusal: Refusal) -> Refusal:
    """Nothing but disk space may be short: then copies of images that nobody needs go."""
    if search.traits.lent or not search.traits.copies:
        return refusal
    without = dataclasses.replace(search.need, amounts=dataclasses.replace(search.need.amounts, disk_gb=0), whole_gb=0)
    rooms = pools.rooms(session, dataclasses.replace(search, places=None), claims.bookings)
    if isinstance(choose(without, rooms, 1), Refusal):
        return refusal
    endpoints = [each.name for each in search.endpoints]
    gone = reclaiming.make_room(session, endpoints, search.holder, search.window.now)
    if gone is None:
        return refusal
    made = f"the copy of {gone} on {gone.place} is being deleted to make some: try again in a minute"
    return dataclasses.replace(refusal, reason=f"{refusal.reason}; {made}")


def lock_room(session: Session, search: Search) -> Search:
    """The search with the resting hosts. Until the transaction ends, nobody else promises room at these endpoints or an
    identity, and no host begins to rest."""
    pools.refresh(session, search.answers)
    identities.lock(session)
    return dataclasses.replace(search, resting=host_rests.reasons(session, search.user, search.window.at_once))


def claim_place(session: Session, search: Search, may_wait: bool = False) -> Found | Refusal:
    """Claim a lent computer, or room for a machine with a free identity. If there is no room, evict spares.

    ``may_wait``: a lent computer that is being loaded with the image, or switched, will do. A machine for later gets no
    identity yet; there must only be enough.
    """
    if search.traits.lent:
        return lab_machines.claim(session, search, may_wait)
    search = lock_room(session, search)
    need, at_once = search.need, search.window.at_once
    computer = identities.pick(session) if at_once else None
    lacking = (at_once and computer is None) or identities.shortage(session, need.starts, need.ends)
    free_identities = 0 if lacking else 1
    # Sums are read much faster than claims, and what fits beside the sums fits.
    choice = choose(need, pools.rooms(session, search, claims.at_most), free_identities)
    if isinstance(choice, Refusal):
        choice = choose(need, pools.rooms(session, search, claims.bookings), free_identities)
    if isinstance(choice, Refusal):
        return eviction.make_room(session, search) or _refusal(session, search, choice)
    wanted = pools.wanted(choice, search.amounts_at(choice))
    claims.claim_pools(session, search.holder, need.starts, need.ends, wanted)
    return Found(choice, computer)


def _refusal(session: Session, search: Search, refusal: Refusal) -> Refusal:
    if not search.window.at_once:
        refusal = dataclasses.replace(refusal, reason="there is no room for this machine then")
    return refusals.with_room(session, refusal, search)


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
        imaging=request.imaging,
        capture_at_end=request.capture_at_end,
        **targets.columns(target),
    )
    session.add(row)
    session.flush()
    return row
