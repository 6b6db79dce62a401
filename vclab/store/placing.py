"""Finding a place for a request: claims, tenure and the reservation's row, all in one transaction or none.

Rows are locked in one order everywhere: the user, the pools by name, the computer. So two placements at the same time
wait for each other instead of overbooking or breaking each other off.
"""

import dataclasses
import difflib
import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model import rules as limits
from vclab.model.errors import NotFound
from vclab.model.ids import is_id
from vclab.model.inventory import Amounts, Inventory
from vclab.model.plans import Access, Target
from vclab.model.reservations import Placed, Refusal, ReserveRequest
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES, ComputerState, ReservationState
from vclab.placement import Booking, Choice, DatastoreRoom, EndpointRoom, HostRoom, Need, choose
from vclab.store import audit, catalog, claims, lab_machines, load_log, refusals, rests, tenures, zones
from vclab.store.models import Computer, Pool, Reservation, Tenure, User
from vclab.store.types import utc

PURPOSE = "reservation"


@dataclasses.dataclass(frozen=True)
class _Window:
    """When the reservation is, and the claim around it."""

    now: datetime
    load_seconds: float
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
    user = session.scalar(sa.select(User).where(User.login == request.user).with_for_update(key_share=True))
    known = session.get(Reservation, request.id)
    if known is not None and known.user == request.user:
        return placed(session, known, rules)
    why_not = _why_not(session, request, user, known, rules)
    outcome = Refusal(why_not) if why_not else _place(session, request, inventories, rules, now)
    if isinstance(outcome, Refusal):
        refusals.note(session, request, outcome, now)
        audit.note(session, request.id, request.requested_by or request.user, "refused", outcome.text(), now)
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
    return Placed(row.id, target_of(row), row.ends, access, rules.waits, row.state)


def locked(session: Session, id: str) -> Reservation:
    """The row, nobody else's until the transaction ends. Raises ``NotFound``."""
    query = sa.select(Reservation).where(Reservation.id == id).with_for_update(key_share=True)
    row = session.scalar(query.execution_options(populate_existing=True))
    if row is None:
        raise NotFound(f"there is no reservation {id}")
    return row


def target_of(row: Reservation) -> Target:
    """The recorded target. Fields that a later version no longer has are left out."""
    names = {field.name for field in dataclasses.fields(Target)}
    return Target(**{name: value for name, value in row.target.items() if name in names})


def _why_not(
    session: Session, request: ReserveRequest, user: User | None, known: Reservation | None, rules: Rules
) -> str:
    """Why the request can't be met whatever room there is; empty when it may be."""
    if known is not None or not is_id(request.id):
        return f"{request.id!r} can't be the id of a new reservation"
    if user is None:
        return f"{request.user} is not a user of this lab"
    if request.start is not None:
        return "reservations in the future are not supported yet; reserve without a start time"
    open_ids = session.scalars(
        sa.select(Reservation.id)
        .where(Reservation.user == request.user, Reservation.state.in_(OPEN_STATES))
        .order_by(Reservation.created)
    ).all()
    return (
        _why_not_image(session, request.image)
        or limits.why_not_duration(rules.limits, request.seconds, request.operator)
        or limits.why_not_another(rules.limits, request.user, open_ids, request.operator)
    )


def _why_not_image(session: Session, name: str) -> str:
    names = [image.name for image in catalog.images(session)]
    if name in names:
        return ""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ";"
    return f"there is no image {name}{hint} `vclab images` lists all"


def _place(
    session: Session, request: ReserveRequest, inventories: Sequence[Inventory], rules: Rules, now: datetime
) -> Placed | Refusal:
    image = catalog.image(session, request.image)
    endpoints = catalog.endpoints(session, image.module)
    if not endpoints:
        return Refusal(f"there is no endpoint for {image.name}: none has the provisioning module {image.module}")
    window = _window(session, request, rules, now)
    heard = {inventory.endpoint: inventory for inventory in inventories}
    claimed = _claim(session, request, image, endpoints, heard, window)
    if isinstance(claimed, Refusal):
        return refusals.told(session, claimed, request, now, window.claim_starts)
    choice, computer = claimed
    generation = tenures.take(session, computer.name, request.id, PURPOSE, window.claim_ends, now)
    endpoint = next(e for e in endpoints if e.name == choice.endpoint)
    target = _target(request, image, endpoint, choice, computer, generation, rules.installation)
    row = _record(session, request, target, window, rules)
    computer.state = ComputerState.RELOADING
    forget_content(computer)
    audit.note(session, row.id, request.requested_by or request.user, "reserved", f"on {target.host}", now)
    return placed(session, row, rules)


def _claim(
    session: Session,
    request: ReserveRequest,
    image: model.Image,
    endpoints: Sequence[model.Endpoint],
    heard: Mapping[str, Inventory],
    window: _Window,
) -> tuple[Choice, Computer] | Refusal:
    """Claim a lab machine as a whole, or room for a virtual one under a free identity."""
    if image.module == model.STANDALONE:
        able = [e for e in endpoints if image.master_path in ("", e.name)]
        claimed = lab_machines.claim(session, able, heard, request, window.claim_starts, window.claim_ends, window.now)
        return claimed if isinstance(claimed, Refusal) else (Choice(claimed[0], claimed[1].name, ""), claimed[1])
    _refresh(session, [heard[e.name] for e in endpoints if e.name in heard and not heard[e.name].error])
    need = Need(_amounts(image), window.claim_starts, window.claim_ends)
    computer = _free_identity(session)
    free_identities = 0 if computer is None else 1
    resting = _resting(session, request.user)
    choice = choose(need, _rooms(session, endpoints, heard, need, resting, claims.at_most), free_identities)
    if isinstance(choice, Refusal):
        choice = choose(need, _rooms(session, endpoints, heard, need, resting, claims.bookings), free_identities)
    if isinstance(choice, Refusal):
        rooms = functools.partial(_rooms, session, endpoints, heard, resting=resting, promised=claims.bookings)
        return refusals.with_room(session, choice, need, rooms, window.now)
    assert computer is not None  # else choose would have refused
    claims.claim_pools(session, request.id, need.starts, need.ends, wanted(choice, need.amounts))
    return choice, computer


def choose_beside(
    session: Session,
    row: Reservation,
    image: model.Image,
    endpoints: Sequence[model.Endpoint],
    inventories: Sequence[Inventory],
    starts: datetime,
    ends: datetime,
) -> Choice | Refusal:
    """Where else the machine of a reservation can go, or why nowhere. The pools are locked, and nothing is claimed.

    Its own claims stand in nobody's way: what was made is gone before anything is made anew.
    """
    heard = {inventory.endpoint: inventory for inventory in inventories}
    _refresh(session, [heard[e.name] for e in endpoints if e.name in heard and not heard[e.name].error])
    need = Need(_amounts(image), starts, ends)
    resting = {**_resting(session, row.user), (row.endpoint, row.host): "its load failed here"}
    promised = functools.partial(claims.bookings, but=row.id)
    return choose(need, _rooms(session, endpoints, heard, need, resting, promised), 1)


def _window(session: Session, request: ReserveRequest, rules: Rules, now: datetime) -> _Window:
    load_seconds = sum(load_log.medians(session, request.image).values())
    end = now + timedelta(seconds=load_seconds + request.seconds)
    return _Window(
        now,
        load_seconds,
        end,
        claim_starts=now - timedelta(seconds=rules.lead),
        claim_ends=end + timedelta(seconds=rules.turnaround),
    )


def _refresh(session: Session, inventories: Sequence[Inventory]) -> None:
    """Lock the pools of these endpoints, and lay down in them what is newer than what is known."""
    newest: dict[str, dict[str, Any]] = {}
    for inventory in inventories:
        newest |= _pools_of(inventory)
    locked = _lock(session, newest)
    missing = [newest[name] for name in sorted(set(newest) - set(locked))]
    if missing:
        _insert_new(session, missing)
        locked = _lock(session, newest)
    newer = [values for name, values in newest.items() if locked[name].seen_at < values["seen_at"]]
    changed = [values for values in newer if _facts(values) != tuple(locked[values["name"]][2:])]
    if changed:
        session.execute(sa.update(Pool), changed)
    # Most answers are as before: then one statement says that they are still so.
    for moment in {values["seen_at"] for values in newer}:
        names = [values["name"] for values in newer if values["seen_at"] == moment]
        session.execute(
            sa.update(Pool).where(Pool.name.in_(names)).values(seen_at=moment),
            execution_options={"synchronize_session": False},
        )


_FACTS = ("cpus", "memory_mb", "disk_gb", "usable", "why_not")
_facts = operator.itemgetter(*_FACTS)
"""What an endpoint says of a pool."""


def _lock(session: Session, names: Iterable[str]) -> dict[str, Row[Any]]:
    """The pools of these names, locked in their order, as plain columns (the facts last): there may be thousands."""
    columns = Pool.name, Pool.seen_at, *(getattr(Pool, fact) for fact in _FACTS)
    query = sa.select(*columns).where(Pool.name.in_(sorted(names))).order_by(Pool.name)
    return {row[0]: row for row in session.execute(query.with_for_update(key_share=True))}


def _pools_of(inventory: Inventory) -> dict[str, dict[str, Any]]:
    """The capacity pools that an endpoint's answer describes, by name."""
    found: dict[str, dict[str, Any]] = {}
    for host in inventory.hosts:
        amounts = {"cpus": host.cpus, "memory_mb": host.memory_mb, "disk_gb": 0}
        found[_host_pool(inventory.endpoint, host.name)] = amounts | {"usable": host.usable, "why_not": host.why_not}
    for store in inventory.datastores:
        amounts = {"cpus": 0, "memory_mb": 0, "disk_gb": store.disk_gb}
        name = _datastore_pool(inventory.endpoint, store.name)
        found[name] = amounts | {"usable": store.usable, "why_not": store.why_not}
    for name, values in found.items():
        values |= {"name": name, "seen_at": utc(inventory.taken_at)}
    return found


def _names(inventory: Inventory) -> list[str]:
    """The names of these pools."""
    hosts = [_host_pool(inventory.endpoint, host.name) for host in inventory.hosts]
    return hosts + [_datastore_pool(inventory.endpoint, store.name) for store in inventory.datastores]


def _insert_new(session: Session, rows: list[dict[str, Any]]) -> None:
    """Another placement may insert the same pools just now: whoever comes second waits, and keeps the first's."""
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert

        session.execute(insert(Pool).values(rows).on_conflict_do_nothing())
    else:
        session.execute(sa.insert(Pool), rows)


_Resting = Mapping[tuple[str, str], str]
"""By endpoint and host."""

_Promised = Callable[[Session, Iterable[str], datetime, datetime], Mapping[str, Sequence[Booking]]]


def _rooms(
    session: Session,
    endpoints: Sequence[model.Endpoint],
    heard: Mapping[str, Inventory],
    need: Need,
    resting: _Resting,
    promised: _Promised,
) -> list[EndpointRoom]:
    return [_room(session, endpoint, heard.get(endpoint.name), need, resting, promised) for endpoint in endpoints]


def _resting(session: Session, user: str) -> _Resting:
    """Why nothing is placed on these hosts for now, in the user's zone."""
    found = rests.resting(session)
    if not found:
        return {}
    zone = zones.of(session, user)
    return {host: rest.text(lambda moment: zones.shown(moment, zone)) for host, rest in found.items()}


def _room(
    session: Session,
    endpoint: model.Endpoint,
    inventory: Inventory | None,
    need: Need,
    resting: _Resting,
    ask: _Promised,
) -> EndpointRoom:
    if inventory is None or inventory.error:
        return EndpointRoom(endpoint.name, error=(inventory and inventory.error) or "was not asked")
    promised = ask(session, _names(inventory), need.starts, need.ends)
    return EndpointRoom(
        endpoint.name,
        networks=(endpoint.private_network, endpoint.public_network),
        hosts=tuple(
            HostRoom(
                host,
                tuple(promised[_host_pool(endpoint.name, host.name)]),
                resting.get((endpoint.name, host.name), ""),
            )
            for host in inventory.hosts
        ),
        datastores=tuple(
            DatastoreRoom(store, tuple(promised[_datastore_pool(endpoint.name, store.name)]))
            for store in inventory.datastores
        ),
    )


def _free_identity(session: Session) -> Computer | None:
    """A virtual machine's identity that nobody holds, locked.

    Whoever takes a tenure locks the computer first, so once it is locked the second look is the truth.
    """
    passed_over: list[str] = []
    while True:
        held = sa.exists().where(Tenure.computer == Computer.name, Tenure.released_at.is_(None))
        computer = session.scalar(
            sa.select(Computer)
            .where(
                Computer.kind == model.ComputerKind.VIRTUAL,
                Computer.state == ComputerState.AVAILABLE,
                ~held,
                Computer.name.not_in(passed_over),
            )
            .order_by(Computer.name)
            .limit(1)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if computer is None or tenures.current(session, computer.name) is None:
            return computer
        passed_over.append(computer.name)


def wanted(choice: Choice, amounts: Amounts) -> dict[str, Amounts]:
    """What a machine of that size takes of which pool there."""
    return {
        _host_pool(choice.endpoint, choice.host): Amounts(cpus=amounts.cpus, memory_mb=amounts.memory_mb),
        _datastore_pool(choice.endpoint, choice.datastore): Amounts(disk_gb=amounts.disk_gb),
    }


def _target(
    request: ReserveRequest,
    image: model.Image,
    endpoint: model.Endpoint,
    choice: Choice,
    computer: Computer,
    generation: int,
    installation: str,
) -> Target:
    return Target(
        reservation=request.id,
        computer=computer.name,
        generation=generation,
        installation=installation,
        module=image.module,
        guest=image.guest,
        endpoint=choice.endpoint,
        host=choice.host,
        datastore=choice.datastore,
        image=image.name,
        revision=image.revision,
        master=f"[{image.datastore or choice.datastore}] {image.master_path}" if choice.datastore else "",
        cpus=image.cpus,
        memory_mb=image.memory_mb,
        disk_gb=image.disk_gb,
        private_mac=computer.private_mac or "",
        public_mac=computer.public_mac or "",
        private_network=endpoint.private_network,
        public_network=endpoint.public_network,
        site=endpoint.site,
        guest_id=image.guest_id,
    )


def _record(session: Session, request: ReserveRequest, target: Target, window: _Window, rules: Rules) -> Reservation:
    row = Reservation(
        id=request.id,
        user=request.user,
        requested_by=request.requested_by or request.user,
        image=target.image,
        revision=target.revision,
        state=ReservationState.NEW,
        created=window.now,
        starts=window.now,
        ends=window.end,
        load_seconds=window.load_seconds,
        first_notice=rules.waits.ending_soon,
        computer=target.computer,
        generation=target.generation,
        endpoint=target.endpoint,
        host=target.host,
        target=dataclasses.asdict(target),
        password_ref=f"tenure/{target.computer}/{target.generation}/login",
    )
    session.add(row)
    session.flush()
    return row


def forget_content(computer: Computer) -> None:
    """Before the first destructive step nothing may say that the computer still holds what it held.

    A lab machine stays where it is: its address and pinned host key are its own.
    """
    computer.image, computer.revision, computer.tainted = "", 0, False
    if computer.kind is not model.ComputerKind.LAB:
        computer.host_key = computer.private_address = computer.public_address = ""


def _amounts(image: model.Image) -> Amounts:
    return Amounts(image.cpus, image.memory_mb, image.disk_gb)


def _host_pool(endpoint: str, host: str) -> str:
    return f"{endpoint}/host/{host}"


def _datastore_pool(endpoint: str, datastore: str) -> str:
    return f"{endpoint}/datastore/{datastore}"
