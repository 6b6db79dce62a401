"""The life of a reservation: one function per record. Each may run twice; the second time changes nothing.

All raise ``NotFound`` for an unknown reservation. A record that comes after the ending is ignored.
"""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import states
from vclab.model.access import Reach
from vclab.model.errors import NotFound
from vclab.model.intents import VCLAB, Author
from vclab.model.plans import Facts, Left, Target
from vclab.model.reservations import HeldTenure, ReservationView
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES, ComputerState, Ending, ReservationState
from vclab.store import (
    access,
    audit,
    captures,
    catalog,
    claims,
    computers,
    extension,
    failures,
    history,
    load_log,
    local_time,
    locks,
    spares,
    targets,
    tenures,
)
from vclab.store.column_types import utc
from vclab.store.models import FAILED, Computer, LoadStep, Reservation, Tenure
from vclab.store.placement import placed

_UNFINISHED = (*OPEN_STATES, ReservationState.RECLAIM)


@dataclasses.dataclass(frozen=True)
class Ready:
    """What has changed with a computer that is ready, for whoever counts."""

    loaded: bool = False  #: a load has ended, here and now
    waited: float | None = None  #: seconds from the request, or from the start, to the first time


def ready(session: Session, id: str, facts: Facts, now: datetime) -> Ready:
    """It is loaded, with known addresses and host key, and waits for Connect."""
    row = locks.reservation(session, id)
    if row.state not in OPEN_STATES:
        return Ready()
    first, loaded_now = row.ready_at is None, row.state is ReservationState.NEW
    row.ready_at = row.ready_at or utc(now)
    with session.no_autoflush:  # one change of each row, not one before each question
        loaded(session, row, facts, now)
    if row.state in (ReservationState.SCHEDULED, ReservationState.NEW):
        row.state = ReservationState.RESERVED
    audit.note(session, id, "vclab", "ready", row.public_address, now)
    return Ready(loaded_now, max(0.0, (utc(now) - row.starts).total_seconds()) if first else None)


def ready_late(
    session: Session, id: str, facts: Facts, credited: float, rules: Rules, now: datetime
) -> tuple[datetime, str, Ready]:
    """As ``ready``, but after the start. Returns the end, the message of the credit, and what has changed.

    The user is credited the time since the start, or since the moment at which a load could have been done, less the
    ``credited`` seconds of before. Repeated, it credits nothing.
    """
    row = locks.reservation(session, id)
    before = row.state in (ReservationState.SCHEDULED, ReservationState.NEW)
    changed = ready(session, id, facts, now)
    if not before or row.preload_at is None:
        return row.ends, "", changed
    due = max(row.starts, row.preload_at + timedelta(seconds=row.load_seconds))
    text = extension.credit(session, row, (utc(now) - due).total_seconds() - credited, rules, now)
    row.reason = text or row.reason
    session.flush()
    return row.ends, text, changed


def loaded(session: Session, row: Reservation, facts: Facts, now: datetime) -> None:
    """The reservation's computer holds the image, with known addresses and host key."""
    computer = _computer(session, row)
    if row.state in (ReservationState.SCHEDULED, ReservationState.NEW):
        computer.state = ComputerState.RESERVED
    _learn(session, row, facts, now)
    computer.image, computer.revision = row.image, row.revision
    if row.state in (ReservationState.SCHEDULED, ReservationState.NEW):
        computer.tainted = False  # a completed load, and nobody was let in yet
    _show_addresses(row, computer)
    failures.loaded_well(session, row.endpoint, row.host, row.image, row.revision, now)


def rebooted(session: Session, id: str, facts: Facts, now: datetime) -> None:
    """The computer has rebooted or has other addresses."""
    row = _open(session, id)
    known = (row.boot_id, row.private_address, row.public_address) if row is not None else ()
    if row is None or (facts.boot_id, facts.private_address, facts.public_address) == known:
        return
    what = "rebooted" if facts.boot_id != row.boot_id else "address changed"
    _learn(session, row, facts, now)
    _show_addresses(row, _computer(session, row))
    audit.note(session, id, "vclab", what, f"{row.public_address}, boot {row.boot_id[:8]}", now)


def reboot_asked(session: Session, id: str, hard: bool, by: Author, now: datetime) -> None:
    """Somebody wants the computer restarted. The same act again changes nothing."""
    if _open(session, id) is not None and not audit.is_done(session, id, by.act):
        audit.note(session, id, by.who, "reboot asked", "by force" if hard else "", now, by.act)


def acknowledged(session: Session, id: str, addresses: Sequence[str], by: Author, now: datetime) -> None:
    """The user has pressed Connect from these addresses; the computer does not let them in yet."""
    row = _open(session, id)
    if row is None:
        return
    row.acknowledged_at = row.acknowledged_at or utc(now)
    _taint_with_root(session, row)
    row.access_open = row.access_open and set(addresses) <= set(row.remote_addresses)
    row.remote_addresses = list(addresses)
    audit.note(session, id, by.who, "acknowledged", ", ".join(addresses), now, by.act)


def _taint_with_root(session: Session, row: Reservation) -> None:
    """Whoever is let in with root rights may change anything, and hide it: no look at the computer decides then."""
    image = catalog.revision(session, row.image, row.revision)
    if row.computer and image.root_access and targets.of(row).traits.guest:
        _computer(session, row).tainted = True


def access_opened(
    session: Session,
    id: str,
    addresses: Sequence[str],
    now: datetime,
    facts: Facts | None = None,
    later: Sequence[str] = (),
) -> None:
    """The computer lets in these addresses and no others. ``facts``: its present addresses.

    ``later``: addresses from which Connect was pressed meanwhile, and which are not open yet.
    """
    row = _open(session, id)
    if row is None:
        return
    if facts is not None and facts.public_address:
        _learn(session, row, facts, now)
        _show_addresses(row, _computer(session, row))
    _taint_with_root(session, row)
    fewer = row.access_open and set(addresses) < set(row.remote_addresses)
    row.remote_addresses, row.access_open = [*addresses, *later], not later
    audit.note(session, id, "vclab", "access narrowed" if fewer else "access opened", ", ".join(addresses), now)


def not_let_in(session: Session, id: str, text: str, addresses: Sequence[str], now: datetime) -> None:
    """Connect failed: the computer still lets in only these addresses, and ``text`` says why.

    It stays acknowledged: access may be half open, so the computer may have been used.
    """
    row = locks.reservation(session, id)
    if row.state not in OPEN_STATES:
        return
    row.remote_addresses, row.reason = list(addresses), text
    session.flush()
    audit.note(session, id, "vclab", "not let in", text, now)


def handed_out(session: Session, id: str, now: datetime) -> None:
    """The user has pressed Connect and has what there is. Nobody can see its use, so from now on it is in use."""
    row = _open(session, id)
    if row is None or row.state is ReservationState.INUSE:
        return
    row.acknowledged_at = row.acknowledged_at or utc(now)
    row.state = ReservationState.INUSE
    computer = _computer(session, row)
    computer.state, computer.tainted = ComputerState.INUSE, True
    audit.note(session, id, "vclab", "handed out", row.handover, now)


def connected(session: Session, id: str, now: datetime) -> None:
    """The user is connected. From the first time on the reservation is in use and its computer is tainted."""
    row = _open(session, id)
    if row is None:
        return
    row.connected_at = row.connected_at or utc(now)
    row.connected, row.state = True, ReservationState.INUSE
    computer = _computer(session, row)
    computer.state, computer.tainted = ComputerState.INUSE, True
    audit.note(session, id, row.user, "connected", "", now)


def disconnected(session: Session, id: str, now: datetime, detail: str = "") -> None:
    """The user is no longer connected. ``detail`` is for the audit."""
    row = _open(session, id)
    if row is not None and row.connected:
        row.connected = False
        audit.note(session, id, row.user, "disconnected", detail, now)


def ended(
    session: Session, id: str, ending: Ending, reason: str, now: datetime, by: Author = VCLAB
) -> tuple[Ending, str]:
    """It has ended for its user: its claims are released, and the tenure stays.

    Returns the first ending and its reason, which stay too.
    """
    row = locks.reservation(session, id)
    claims.release(session, id, now)
    if row.ending is not None:
        return row.ending, row.reason
    row.ending, row.reason, row.ended_at = ending, reason, utc(now)
    row.state = ReservationState.RECLAIM
    row.connected = row.access_open = False
    if row.saving or not row.becomes:  # else its capture goes on, and may wait for help
        row.help_since, row.help_until, row.no_other_place = None, None, ""
    audit.note(session, id, by.who, f"ended: {ending}", reason, now, by.act)
    return ending, reason


def finished(session: Session, id: str, now: datetime, verified: bool = True, detail: str = "") -> None:
    """The computer is verified gone or clean, or else (not ``verified``) out of service. Its tenure is released.

    A reservation that had not ended ends as ``failed``.
    """
    row = locks.reservation(session, id)
    if row.finished_at is not None:
        return
    if row.ending is None:
        ended(session, id, Ending.FAILED, detail or "its computer was taken away", now)
        row = locks.reservation(session, id)
    computers.give_back(session, targets.of(row), "" if verified else detail or "not verified gone", now)
    failed = row.ending is Ending.FAILED
    row.state = ReservationState.FAILED if failed else ReservationState.COMPLETE
    row.finished_at = utc(now)
    captures.lost(session, row, now)
    audit.note(session, id, "vclab", "finished", detail, now)


def dismissed(session: Session, id: str, by: Author, now: datetime) -> None:
    """Its user, or an operator, has seen that it failed, and it is no longer listed. Harmless for any other."""
    row = locks.reservation(session, id)
    if row.ending is Ending.FAILED and row.dismissed_at is None:
        row.dismissed_at = utc(now)
        audit.note(session, id, by.who, "dismissed", "", now, by.act)


def kept(session: Session, id: str, seconds: float, now: datetime) -> str:
    """The computer is verified clean and kept as a spare for ``seconds``; its tenure is released, as by ``finished``.

    Returns why it can't be kept, else "". If it can't, nothing changes.
    """
    row = locks.reservation(session, id)
    if row.finished_at is not None:
        return ""
    if row.ending in (None, Ending.FAILED) or not tenures.held(session, row.computer, row.generation):
        return f"its ending is {row.ending}"
    why_not = keep_content(session, row, seconds, now)
    if not why_not:
        row.state, row.finished_at = ReservationState.COMPLETE, utc(now)
        audit.note(session, id, "vclab", "finished", f"clean: {_kept_as(session, row, seconds, now)}", now)
    return why_not


def keep_content(session: Session, row: Reservation, seconds: float, now: datetime) -> str:
    """Release the row's clean computer with what it holds; a virtual machine becomes a spare for ``seconds``.

    Returns why it can't be kept, else "". If it can't, nothing changes.
    """
    if targets.of(row).traits.reloadable:
        why_not = _keep_loaded(session, row)
    else:
        why_not = spares.keep(session, row, utc(now) + timedelta(seconds=seconds), now)
    if not why_not:
        tenures.release(session, row.computer, row.generation, now)
    return why_not


def _keep_loaded(session: Session, row: Reservation) -> str:
    """A computer that stays is available with the image that it holds. Returns why not, else ""."""
    computer = _computer(session, row)
    if computer.tainted:
        return f"somebody was logged in at {computer.name}"
    if not spares.in_production(session, row.image, row.revision):
        return f"revision {row.revision} of {row.image} is no longer in production"
    computer.state = ComputerState.AVAILABLE
    computer.image, computer.revision = row.image, row.revision
    return ""


def _kept_as(session: Session, row: Reservation, seconds: float, now: datetime) -> str:
    if targets.of(row).traits.reloadable:
        return f"{row.computer} holds {row.image}/{row.revision}"
    until = local_time.for_user(session, row.user, utc(now) + timedelta(seconds=seconds))
    return f"kept as a spare until {until}"


def note_refusal(session: Session, id: str, by: Author, what: str, text: str, now: datetime) -> None:
    """Record a refusal in the audit. An open reservation shows it as its reason."""
    audit.note(session, id, by.who, f"refused: {what}", text, now, by.act)
    row = session.get(Reservation, id)
    if row is not None and row.state in OPEN_STATES:
        row.reason = text
        session.flush()


def view(session: Session, id: str, now: datetime | None = None) -> ReservationView | None:
    """The view of a reservation; None when there is none."""
    found = _views(session, sa.select(Reservation).where(Reservation.id == id), now)
    return found[0] if found else None


def views(
    session: Session,
    user: str | None = None,
    ended: bool = False,
    limit: int | None = None,
    now: datetime | None = None,
    reach: Reach | None = None,
) -> list[ReservationView]:
    """Reservations of ``user``, or within ``reach``, or of all, oldest first; at most the newest ``limit``.

    Without ``ended``, only open ones, and failed ones until they are dismissed or their end has come.
    """
    query = sa.select(Reservation)
    if user is not None:
        query = query.where(Reservation.user == user)
    if reach is not None:
        query = query.where(access.within(reach, Reservation))
    if ended:
        query = query.order_by(Reservation.created.desc(), Reservation.id.desc()).limit(limit)
        return _views(session, query, now)[::-1]
    query = query.where(sa.or_(*_listed(utc(now) if now else datetime.now(UTC))))
    # Sorted here: to sort them itself, SQLite would read all reservations ever made.
    found = sorted(_views(session, query, now), key=lambda view: (view.created, view.id))
    return found[-limit:] if limit else found


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A part of the reservations; what is empty is not asked for."""

    limit: int
    user: str | None = None
    reach: Reach | None = None  #: within that
    ended: bool = False  #: also those that have ended; else those that ``views`` has without
    image: str = ""
    computer: str = ""
    before: str = ""  #: older than this one


def page(session: Session, wanted: Wanted, now: datetime | None = None) -> list[ReservationView]:
    """Those, newest first. Raises ``NotFound`` when there is no reservation ``before``."""
    found = sa.select(Reservation.id, Reservation.created).where(*_wanted(session, wanted))
    if not wanted.ended:
        # Each part has its index. Sorted afterwards: else SQLite would read all reservations ever made, in order.
        parts = [found.where(part) for part in _listed(utc(now) if now else datetime.now(UTC))]
        listed = sa.union_all(*parts).cte("listed").prefix_with("MATERIALIZED")
        found = sa.select(listed.c.id, listed.c.created)
    id, created = found.selected_columns
    ids = [each for each, _ in session.execute(found.order_by(created.desc(), id.desc()).limit(wanted.limit))]
    views = _views(session, sa.select(Reservation).where(Reservation.id.in_(ids)), now)
    return sorted(views, key=lambda view: (view.created, view.id), reverse=True)


def _wanted(session: Session, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    asked = {Reservation.user: wanted.user, Reservation.image: wanted.image, Reservation.computer: wanted.computer}
    which = [column == value for column, value in asked.items() if value]
    if wanted.reach is not None:
        which.append(access.within(wanted.reach, Reservation))
    if wanted.before:
        row = session.get(Reservation, wanted.before)
        if row is None:
            raise NotFound(f"there is no reservation {wanted.before!r}", "begin again without a cursor")
        which.append(sa.tuple_(Reservation.created, Reservation.id) < sa.tuple_(row.created, row.id))
    return which


def _listed(now: datetime) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Open, or failed and not seen yet: no reservation is both."""
    return Reservation.state.in_(OPEN_STATES), sa.and_(sa.text(FAILED), Reservation.ends > now)


def beginning(session: Session, prefix: str, reach: Reach, limit: int) -> list[str]:
    """The newest ``limit`` ids that begin with ``prefix``, within ``reach``."""
    query = sa.select(Reservation.id).where(Reservation.id.startswith(prefix, autoescape=True))
    query = query.where(access.within(reach, Reservation))
    return list(session.scalars(query.order_by(Reservation.id.desc()).limit(limit)))


def count_open(session: Session) -> int:
    """The number of open reservations."""
    query = sa.select(sa.func.count()).select_from(Reservation).where(Reservation.state.in_(OPEN_STATES))
    return session.scalar(query) or 0


def count_by_state(session: Session) -> dict[str, int]:
    """The number of reservations in each state in which they must have a workflow."""
    query = sa.select(Reservation.state, sa.func.count()).where(Reservation.state.in_(_UNFINISHED))
    counted = {state.value: count for state, count in session.execute(query.group_by(Reservation.state)).tuples()}
    return {state.value: counted.get(state.value, 0) for state in _UNFINISHED}


def open_reservations(session: Session, now: datetime | None = None) -> list[ReservationView]:
    """All reservations that must have a workflow, those in reclaim too, oldest first."""
    query = sa.select(Reservation).where(Reservation.state.in_(_UNFINISHED))
    return _views(session, query.order_by(Reservation.created, Reservation.id), now)


def unfinished(session: Session) -> list[str]:
    """The ids of ``open_reservations``."""
    query = sa.select(Reservation.id).where(Reservation.state.in_(_UNFINISHED))
    return list(session.scalars(query.order_by(Reservation.created, Reservation.id)))


def held_target(session: Session, id: str) -> Target | None:
    """The computer that the reservation holds now; None when it holds none. Raises ``NotFound``."""
    row = session.get(Reservation, id)
    if row is None:
        raise NotFound(f"there is no reservation {id}")
    return targets.of(row) if tenures.held(session, row.computer, row.generation) else None


def left(session: Session, target: Target, rules: Rules) -> Left:
    """What a reservation leaves on its computer, for the reclaim. Raises ``NotFound``."""
    row = session.get(Reservation, target.reservation)
    if row is None:
        raise NotFound(f"there is no reservation {target.reservation}")
    computer = session.get_one(Computer, target.computer)
    facts = computers.facts(computer)
    if (row.computer, row.generation) == (target.computer, target.generation):
        facts = facts.merged(computers.facts(row))
    return Left(facts, placed(session, row, rules).access, row.acknowledged_at is not None)


def tenures_held(session: Session) -> list[HeldTenure]:
    """All computers that are held now, by name, with the target of the reservation that holds one."""
    of_reservation = sa.and_(
        Reservation.id == Tenure.holder,
        Reservation.computer == Tenure.computer,
        Reservation.generation == Tenure.generation,
    )
    query = (
        sa.select(Tenure, Reservation)
        .outerjoin(Reservation, of_reservation)
        .where(Tenure.released_at.is_(None))
        .order_by(Tenure.computer)
    )
    return [
        HeldTenure(
            t.computer, t.generation, t.holder, t.purpose, t.taken_at, t.expected_end, targets.of(row) if row else None
        )
        for t, row in session.execute(query)
    ]


def _open(session: Session, id: str) -> Reservation | None:
    row = locks.reservation(session, id)
    return row if row.state in OPEN_STATES else None


def _computer(session: Session, row: Reservation) -> Computer:
    return session.get_one(Computer, row.computer)


def _show_addresses(row: Reservation, computer: Computer) -> None:
    computer.host_key, computer.private_address = row.host_key, row.private_address
    computer.host_key_from = row.host_key_from
    computer.public_address = row.public_address


def _learn(session: Session, row: Reservation, facts: Facts, now: datetime) -> None:
    """Merge new facts into the row. The history keeps former addresses."""
    for name in ("private_address", "public_address", "host_key", "host_key_from", "boot_id", "handover"):
        value = getattr(facts, name)
        if value:
            setattr(row, name, value)
    computer = _computer(session, row).name
    history.note_addresses(session, computer, row.generation, row.private_address, row.public_address, now)


def _views(session: Session, query: sa.Select[Reservation], now: datetime | None) -> list[ReservationView]:
    rows = session.scalars(query).all()
    steps = load_log.newest(session, [row.id for row in rows])
    moment = utc(now) if now else datetime.now(UTC)
    return [_view(row, steps.get(row.id), moment) for row in rows]


def _view(row: Reservation, step: LoadStep | None, now: datetime) -> ReservationView:
    ending_soon = row.ends - now <= timedelta(seconds=row.first_notice)
    number, count, title = (step.number, step.count, step.title) if step else (0, 0, "")
    values = {name: getattr(row, name) for name in _SAME}
    values |= {"computer": row.computer or "", "remote_addresses": tuple(row.remote_addresses)}
    values |= {"start": row.starts, "end": row.ends} | targets.shown(row)
    values |= {"step": number, "steps": count, "step_title": title}
    if row.help_until is not None and (row.saving or not row.becomes):
        values["help_until"] = min(row.help_until, row.ends)  # the end may have moved meanwhile
    needs_help = row.help_since is not None
    return ReservationView(word=states.word(row.state, number, count, ending_soon, needs_help, row.saving), **values)


_SAME = {field.name for field in dataclasses.fields(ReservationView)} & set(Reservation.__table__.columns.keys())
"""Columns that a view has as they are."""
