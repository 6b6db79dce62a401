"""Throw-away computers of captures: one on which a raw copy is sealed, then one on which the sealed copy is tried.

Each is held by the capture's workflow under a tenure, at the endpoint and on the storage of its source. Where
computers are lent it is another one of the group, with MACs of its own. When none can be had that is refused; nobody
makes way for one.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from vclab.model.catalog import Image
from vclab.model.errors import Refused
from vclab.model.inventory import DatastoreFacts, Inventory
from vclab.model.messages import capture_workflow
from vclab.model.plans import Becomes, Target
from vclab.model.reservations import Refusal
from vclab.model.rules import Rules
from vclab.model.states import Purpose
from vclab.placement import Choice, choose
from vclab.store import captures, catalog, claims, computers, identities, lab_machines, placement, pools, targets
from vclab.store.access import NO_BARS
from vclab.store.column_types import utc
from vclab.store.models import Capture, Computer, Reservation
from vclab.store.search import Search, Window, prepare

MEMBER = 1
"""Of the reservation's machines: the source is number 0."""
HOURS = timedelta(hours=6)
"""For which a lent computer is claimed: it is loaded, sealed and read, or loaded and tried. Nobody has a promise of it
in that time."""
_ELSEWHERE = "it was captured here"


class NoneFree(Refused):
    """Another computer of the group may be free later."""


def take(
    session: Session, becomes: Becomes, isolated: bool, said: Sequence[Inventory], rules: Rules, now: datetime
) -> Target | None:
    """The throw-away computer, held from now on. Repeated, it is the same. None: the capture has ended.

    ``isolated``: to seal on it; else to try what was sealed: on another host than the source's, and with another
    controller, where there is one. Raises ``Refused`` when there is no room, ``NoneFree`` when it may wait for one.
    """
    row, now = captures.running(session, becomes.capture), utc(now)
    if row is None:
        return None
    if row.throw_away:
        return targets.recorded(row.throw_away)
    source = session.get_one(Reservation, row.reservation)
    target = _taken(session, row, source, isolated, said, rules, now)
    row.throw_away = asdict(target)
    session.flush()
    return target


def leave(session: Session, becomes: Becomes, not_clean: str, now: datetime) -> None:
    """It is verified gone, or out of service (``not_clean``: why). Repeated, nothing changes."""
    row = captures.running(session, becomes.capture)
    if row is None or not row.throw_away:
        return
    computers.give_back(session, targets.recorded(row.throw_away), not_clean, now)
    claims.release(session, captures.holder_of_room(row.id), now)
    row.throw_away = {}
    session.flush()


def why_not(
    session: Session, becomes: Becomes, isolated: bool, said: Sequence[Inventory], rules: Rules, now: datetime
) -> str:
    """Why ``take`` would be refused now; empty when it would not. Nothing changes."""
    trial = session.begin_nested()
    try:
        take(session, becomes, isolated, said, rules, now)
    except Refused as refused:
        return str(refused)
    finally:
        trial.rollback()
    return ""


def _taken(
    session: Session,
    row: Capture,
    source: Reservation,
    isolated: bool,
    said: Sequence[Inventory],
    rules: Rules,
    now: datetime,
) -> Target:
    origin = targets.of(source)
    lent, holder = origin.traits.lent, capture_workflow(row.id)
    until = now + (HOURS if lent else captures.LONGEST)
    image = replace(catalog.revision(session, source.image, source.revision), dedicated=False)
    search = _search(
        session,
        captures.holder_of_room(row.id),
        image,
        origin,
        said,
        rules,
        Window(now, 0.0, now, None, until, now, until),
    )
    choice, computer = _lent(session, search, source) if lent else _place(session, search, origin)
    made = image if isolated else replace(image, name=row.image, revision=row.revision)
    generation = computers.take(session, computer, holder, Purpose.CAPTURE, made, lent, until, now)
    target = targets.of_image(source.id, made, search.endpoint(choice.endpoint), choice, rules)
    target = replace(targets.on(target, computer, generation), member=MEMBER, isolated=isolated)
    return target if lent else _made(target, search, choice, origin)


def _made(target: Target, search: Search, choice: Choice, origin: Target) -> Target:
    """A computer that is made claims its disk, and can be made unlike its source, or with its MACs."""
    target = replace(target, claimed_gb=search.amounts_at(choice).disk_gb)
    if target.isolated:
        return replace(target, private_mac=origin.private_mac, public_mac=origin.public_mac)
    return replace(target, hardware=replace(target.hardware, controller=_other(origin.hardware.controller)))


def _other(controller: str) -> str:
    """Another controller than the source's."""
    return "nvme" if controller == "ahci" else "ahci"


def _search(
    session: Session, holder: str, image: Image, origin: Target, said: Sequence[Inventory], rules: Rules, window: Window
) -> Search:
    """At its endpoint, on its storage, wherever copies of the image are."""
    heard = [replace(each, datastores=_only(each, origin.storage)) for each in said if each.endpoint == origin.endpoint]
    search = prepare(session, holder, "", image, heard, window, rules, origin.endpoint, NO_BARS)
    only = [each for each in search.endpoints if each.name == origin.endpoint]
    return replace(search, places=None, endpoints=only)


def _only(said: Inventory, storage: str) -> tuple[DatastoreFacts, ...]:
    return tuple(store for store in said.datastores if store.name == storage)


def _place(session: Session, search: Search, origin: Target) -> tuple[Choice, Computer]:
    """Raises ``Refused``."""
    search = placement.lock_room(session, search)
    computer = identities.pick(session)
    if computer is None or identities.shortage(session, search.need.starts, search.need.ends):
        raise Refused("no computer to throw away can be had now: the pool of identities is empty")
    elsewhere = {(origin.endpoint, origin.host): _ELSEWHERE, **search.resting}
    choice = choose(search.need, pools.rooms(session, replace(search, resting=elsewhere), claims.bookings), 1)
    if isinstance(choice, Refusal):
        choice = choose(search.need, pools.rooms(session, search, claims.bookings), 1)
    if isinstance(choice, Refusal):
        raise Refused(f"no computer to throw away can be had now: {choice.text(origin.reservation)}")
    starts, ends = search.need.starts, search.need.ends
    claims.claim_pools(session, search.holder, starts, ends, pools.wanted(choice, search.amounts_at(choice)))
    return choice, computer


def _lent(session: Session, search: Search, source: Reservation) -> tuple[Choice, Computer]:
    """Another one of the group, whole. Raises ``NoneFree``."""
    found = lab_machines.claim(session, replace(search, user=source.user), but=targets.of(source).computer)
    if isinstance(found, Refusal):
        why = replace(found, reason=f"no other computer of {source.endpoint} is free") if found.candidates else found
        raise NoneFree(why.text(source.id))
    assert found.computer is not None  # what is claimed at once has one
    return found.choice, found.computer
