"""The life of a reservation, one function per record. Each may run twice: the second time changes nothing.

All raise ``NotFound`` for an unknown reservation. What comes too late (a ready machine of an ended reservation) is
left out without an error: the ending stands.
"""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import states
from vclab.model.errors import NotFound
from vclab.model.plans import Facts, Left, Target
from vclab.model.reservations import HeldTenure, ReservationView
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES, ComputerState, Ending, ReservationState
from vclab.store import (
    audit,
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
from vclab.store.models import Computer, LoadStep, Reservation, Tenure
from vclab.store.placement import place, placed
from vclab.store.spares import in_production

__all__ = [
    "access_opened",
    "acknowledged",
    "beginning",
    "connected",
    "count_open",
    "disconnected",
    "dismissed",
    "ended",
    "finished",
    "handed_out",
    "held_target",
    "kept",
    "left",
    "loaded",
    "not_let_in",
    "note_refusal",
    "open_reservations",
    "place",
    "placed",
    "ready",
    "ready_late",
    "rebooted",
    "tenures_held",
    "unfinished",
    "view",
    "views",
]

_UNFINISHED = (*OPEN_STATES, ReservationState.RECLAIM)


def ready(session: Session, id: str, facts: Facts, now: datetime) -> None:
    """Loaded: its addresses, its host key and what the computer holds are known; it waits for Connect."""
    row = locks.reservation(session, id)
    if row.state not in OPEN_STATES:
        return
    row.ready_at = row.ready_at or utc(now)
    with session.no_autoflush:  # one change of each row, not one before each question
        loaded(session, row, facts, now)
    if row.state in (ReservationState.SCHEDULED, ReservationState.NEW):
        row.state = ReservationState.RESERVED
    audit.note(session, id, "vclab", "ready", row.public_address, now)


def ready_late(
    session: Session, id: str, facts: Facts, credited: float, rules: Rules, now: datetime
) -> tuple[datetime, str]:
    """As ``ready``, after the start for which it was reserved: the end, and what was credited, in words.

    Lost is the time since the start, or since a load could have been done that was reserved for too soon; less the
    ``credited`` seconds that were given back already. Again: nothing more.
    """
    row = locks.reservation(session, id)
    before = row.state in (ReservationState.SCHEDULED, ReservationState.NEW)
    ready(session, id, facts, now)
    if not before or row.preload_at is None:
        return row.ends, ""
    due = max(row.starts, row.preload_at + timedelta(seconds=row.load_seconds))
    text = extension.credit(session, row, (utc(now) - due).total_seconds() - credited, rules, now)
    row.reason = text or row.reason
    session.flush()
    return row.ends, text


def loaded(session: Session, row: Reservation, facts: Facts, now: datetime) -> None:
    """The row's computer holds its image; its addresses and its host key are known."""
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
    """The computer was restarted, or has other addresses than before."""
    row = _open(session, id)
    known = (row.boot_id, row.private_address, row.public_address) if row is not None else ()
    if row is None or (facts.boot_id, facts.private_address, facts.public_address) == known:
        return
    what = "rebooted" if facts.boot_id != row.boot_id else "address changed"
    _learn(session, row, facts, now)
    _show_addresses(row, _computer(session, row))
    audit.note(session, id, "vclab", what, f"{row.public_address}, boot {row.boot_id[:8]}", now)


def acknowledged(session: Session, id: str, addresses: Sequence[str], now: datetime) -> None:
    """Connect was pressed from these addresses; the computer does not let them in yet."""
    row = _open(session, id)
    if row is None:
        return
    row.acknowledged_at = row.acknowledged_at or utc(now)
    row.access_open = row.access_open and set(addresses) <= set(row.remote_addresses)
    row.remote_addresses = list(addresses)
    audit.note(session, id, row.user, "acknowledged", ", ".join(addresses), now)


def access_opened(
    session: Session,
    id: str,
    addresses: Sequence[str],
    now: datetime,
    facts: Facts | None = None,
    later: Sequence[str] = (),
) -> None:
    """The computer lets these addresses in, and no others. ``facts``: where it is now.

    ``later``: from which Connect was pressed meanwhile: wanted too, and not open yet.
    """
    row = _open(session, id)
    if row is None:
        return
    if facts is not None and facts.public_address:
        _learn(session, row, facts, now)
        _show_addresses(row, _computer(session, row))
    fewer = row.access_open and set(addresses) < set(row.remote_addresses)
    row.remote_addresses, row.access_open = [*addresses, *later], not later
    audit.note(session, id, "vclab", "access narrowed" if fewer else "access opened", ", ".join(addresses), now)


def not_let_in(session: Session, id: str, text: str, addresses: Sequence[str], now: datetime) -> None:
    """Connect was pressed in vain: the computer lets in these addresses, as before, and the text says why no others.

    That it was acknowledged stays: access may be half open, so the computer is not taken for untouched.
    """
    row = locks.reservation(session, id)
    if row.state not in OPEN_STATES:
        return
    row.remote_addresses, row.reason = list(addresses), text
    session.flush()
    audit.note(session, id, "vclab", "not let in", text, now)


def handed_out(session: Session, id: str, now: datetime) -> None:
    """Connect was pressed, and the user has what there is. Nobody can see whether it is used: from now on it may be."""
    row = _open(session, id)
    if row is None or row.state is ReservationState.INUSE:
        return
    row.acknowledged_at = row.acknowledged_at or utc(now)
    row.state = ReservationState.INUSE
    computer = _computer(session, row)
    computer.state, computer.tainted = ComputerState.INUSE, True
    audit.note(session, id, row.user, "handed out", row.handover, now)


def connected(session: Session, id: str, now: datetime) -> None:
    """The user is connected. At the first time the reservation is in use, and its computer tainted from then on."""
    row = _open(session, id)
    if row is None:
        return
    row.connected_at = row.connected_at or utc(now)
    row.connected, row.state = True, ReservationState.INUSE
    computer = _computer(session, row)
    computer.state, computer.tainted = ComputerState.INUSE, True
    audit.note(session, id, row.user, "connected", "", now)


def disconnected(session: Session, id: str, now: datetime, detail: str = "") -> None:
    """Nobody is connected any more; ``detail`` tells more."""
    row = _open(session, id)
    if row is not None and row.connected:
        row.connected = False
        audit.note(session, id, row.user, "disconnected", detail, now)


def ended(session: Session, id: str, ending: Ending, reason: str, now: datetime, by: str = "") -> None:
    """It has ended for its user: claims are released at once; the first ending stays. The tenure stays too."""
    row = locks.reservation(session, id)
    claims.release(session, id, now)
    if row.ending is not None:
        return
    row.ending, row.reason, row.ended_at = ending, reason, utc(now)
    row.state = ReservationState.RECLAIM
    row.connected = row.access_open = False
    row.help_since, row.help_until, row.no_other_place = None, None, ""
    audit.note(session, id, by or "vclab", f"ended: {ending}", reason, now)


def finished(session: Session, id: str, now: datetime, verified: bool = True, detail: str = "") -> None:
    """The computer is verified gone or clean, or given up (not ``verified``): then nobody gets it until it is mended.

    A lab machine whose load failed is not given to anybody either. The tenure is released; a reservation that was not
    ended before ends as ``failed``.
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
    audit.note(session, id, "vclab", "finished", detail, now)


def dismissed(session: Session, id: str, by: str, now: datetime) -> None:
    """It failed, and need not be shown any more. Harmless for what has not failed, or was dismissed before."""
    row = locks.reservation(session, id)
    if row.ending is Ending.FAILED and row.dismissed_at is None:
        row.dismissed_at = utc(now)
        audit.note(session, id, by, "dismissed", "", now)


def kept(session: Session, id: str, seconds: float, now: datetime) -> str:
    """The computer is verified clean, and kept as a spare for so long; why that can't be, or "". Then nothing changed.

    Else as ``finished``: its tenure is released.
    """
    row = locks.reservation(session, id)
    if row.finished_at is not None:
        return ""
    if row.ending in (None, Ending.FAILED) or not tenures.held(session, row.computer, row.generation):
        return f"it has not ended well (its ending is {row.ending})"
    why_not = keep_content(session, row, seconds, now)
    if not why_not:
        row.state, row.finished_at = ReservationState.COMPLETE, utc(now)
        audit.note(session, id, "vclab", "finished", f"clean: {_kept_as(session, row, seconds, now)}", now)
    return why_not


def keep_content(session: Session, row: Reservation, seconds: float, now: datetime) -> str:
    """Release the row's computer, which is verified clean, with what it holds: a virtual machine as a spare for so
    long. Why that can't be, or ""; then nothing changed."""
    if targets.of(row).traits.reloadable:
        why_not = _keep_loaded(session, row)
    else:
        why_not = spares.keep(session, row, utc(now) + timedelta(seconds=seconds), now)
    if not why_not:
        tenures.release(session, row.computer, row.generation, now)
    return why_not


def _keep_loaded(session: Session, row: Reservation) -> str:
    """A computer that stays is clean and holds its image: it is available with that; why not, or ""."""
    computer = _computer(session, row)
    if computer.tainted:
        return f"somebody was logged in at {computer.name}"
    if not in_production(session, row.image, row.revision):
        return f"revision {row.revision} of {row.image} is no longer in production"
    computer.state = ComputerState.AVAILABLE
    computer.image, computer.revision = row.image, row.revision
    return ""


def _kept_as(session: Session, row: Reservation, seconds: float, now: datetime) -> str:
    if targets.of(row).traits.reloadable:
        return f"{row.computer} holds {row.image}/{row.revision}"
    until = local_time.for_user(session, row.user, utc(now) + timedelta(seconds=seconds))
    return f"kept as a spare until {until}"


def note_refusal(session: Session, id: str, who: str, what: str, text: str, now: datetime) -> None:
    """Keep in the audit that something was refused; an open reservation shows it as its reason."""
    audit.note(session, id, who, f"refused: {what}", text, now)
    row = session.get(Reservation, id)
    if row is not None and row.state in OPEN_STATES:
        row.reason = text
        session.flush()


def view(session: Session, id: str, now: datetime | None = None) -> ReservationView | None:
    """A reservation as it is shown; None when there is none."""
    found = _views(session, sa.select(Reservation).where(Reservation.id == id), now)
    return found[0] if found else None


def views(
    session: Session,
    user: str | None = None,
    ended: bool = False,
    limit: int | None = None,
    now: datetime | None = None,
) -> list[ReservationView]:
    """Reservations of ``user`` or of all, oldest first; of more than ``limit`` the newest.

    Those that have ended only if asked; but one that failed is shown until it is dismissed, or its end has come.
    """
    query = sa.select(Reservation)
    if user is not None:
        query = query.where(Reservation.user == user)
    if ended:
        query = query.order_by(Reservation.created.desc(), Reservation.id.desc()).limit(limit)
        return _views(session, query, now)[::-1]
    moment = utc(now) if now else datetime.now(UTC)
    failed = Reservation.ending == Ending.FAILED, Reservation.ends > moment, Reservation.dismissed_at.is_(None)
    query = query.where(sa.or_(Reservation.state.in_(OPEN_STATES), sa.and_(*failed)))
    # Sorted here: to have them in order, SQLite would read all that ever were.
    found = sorted(_views(session, query, now), key=lambda view: (view.created, view.id))
    return found[-limit:] if limit else found


def beginning(session: Session, prefix: str, user: str | None, limit: int) -> list[str]:
    """The newest ``limit`` ids that begin with ``prefix``, of ``user`` or of all."""
    query = sa.select(Reservation.id).where(Reservation.id.startswith(prefix, autoescape=True))
    if user is not None:
        query = query.where(Reservation.user == user)
    return list(session.scalars(query.order_by(Reservation.id.desc()).limit(limit)))


def count_open(session: Session) -> int:
    """How many have not ended."""
    query = sa.select(sa.func.count()).select_from(Reservation).where(Reservation.state.in_(OPEN_STATES))
    return session.scalar(query) or 0


def open_reservations(session: Session, now: datetime | None = None) -> list[ReservationView]:
    """All that a workflow must be looking after, those in reclaim included, oldest first."""
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
    """What a reservation leaves on its computer. Raises ``NotFound``."""
    row = session.get(Reservation, target.reservation)
    if row is None:
        raise NotFound(f"there is no reservation {target.reservation}")
    computer = session.get_one(Computer, target.computer)
    facts = Facts(private_address=computer.private_address, host_key=computer.host_key)
    if (row.computer, row.generation) == (target.computer, target.generation):
        facts = facts.merged(Facts(private_address=row.private_address, host_key=row.host_key))
    return Left(facts, placed(session, row, rules).access, row.acknowledged_at is not None)


def tenures_held(session: Session) -> list[HeldTenure]:
    """All computers that are held now, by name, with the machine that was made for a reservation."""
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
    computer.public_address = row.public_address


def _learn(session: Session, row: Reservation, facts: Facts, now: datetime) -> None:
    """Lay what is known over what was known. Addresses that are not the computer's any more stay in the history."""
    for name in ("private_address", "public_address", "host_key", "boot_id", "handover"):
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
    same = {field.name for field in dataclasses.fields(ReservationView)} & set(Reservation.__table__.columns.keys())
    values = {name: getattr(row, name) for name in same}
    values |= {"computer": row.computer or "", "remote_addresses": tuple(row.remote_addresses)}
    values |= {"start": row.starts, "end": row.ends, "has_guest": targets.of(row).traits.guest}
    values |= {"step": number, "steps": count, "step_title": title}
    if row.help_until is not None:
        values["help_until"] = min(row.help_until, row.ends)  # it may be extended meanwhile
    needs_help = row.help_since is not None
    return ReservationView(word=states.word(row.state, number, count, ending_soon, needs_help), **values)
