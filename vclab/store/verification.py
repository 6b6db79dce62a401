"""Whether what an activity is given agrees with what is recorded.

An activity's input is a claim: whoever reaches the Temporal server can write one. A target must be the one recorded for
the tenure that it names, and who is let in is the user of the reservation that holds this tenure.
"""

import dataclasses

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.errors import Fenced, Refused
from vclab.model.messages import computer_workflow, inspection_workflow
from vclab.model.plans import Access, Facts, Target
from vclab.model.states import Purpose
from vclab.store import captures, catalog, spares, targets
from vclab.store.models import Computer, Reservation, Revision, Spare, Tenure, User

_HELD = (
    sa.select(Tenure, Reservation, Spare, Computer)
    .join(Computer, Computer.name == Tenure.computer)
    .outerjoin(
        Reservation,
        sa.and_(
            Reservation.id == Tenure.holder,
            Reservation.computer == Tenure.computer,
            Reservation.generation == Tenure.generation,
        ),
    )
    .outerjoin(Spare, sa.and_(Spare.computer == Tenure.computer, Spare.removal == Tenure.generation))
    .where(Tenure.computer == sa.bindparam("of"), Tenure.generation == sa.bindparam("in_generation"))
)
_LET_IN = (
    sa.select(Reservation, User, Revision, Computer.host_key)
    .join(User, User.login == Reservation.user)
    .join(Revision, sa.and_(Revision.image == Reservation.image, Revision.number == Reservation.revision))
    .join(Computer, Computer.name == Reservation.computer)
    .where(
        Reservation.id == sa.bindparam("of"),
        Reservation.computer == sa.bindparam("at"),
        Reservation.generation == sa.bindparam("in_generation"),
    )
)


def check_target(session: Session, target: Target) -> None:
    """Raise ``Fenced`` unless exactly this target is recorded for the tenure that it names."""
    row = session.execute(_HELD, {"of": target.computer, "in_generation": target.generation}).first()
    if row is None or not _is_recorded(session, target, *row):
        what = f"generation {target.generation} of {target.computer}"
        raise Fenced(f"{target.reservation or 'nobody'} has no such target: {what} is recorded otherwise")


def _is_recorded(
    session: Session, target: Target, tenure: Tenure, row: Reservation | None, spare: Spare | None, computer: Computer
) -> bool:
    if row is not None:
        return targets.of(row) == target
    if spare is not None:
        return spares.removed_target(spare) == target
    if tenure.purpose is Purpose.CAPTURE:
        return captures.throw_away(session, tenure.holder) == target
    if tenure.purpose is Purpose.INSPECTION:
        return tenure.holder == inspection_workflow(computer.name) and (
            _of_inspection(session, tenure, computer) == _parts(target)
        )
    return tenure.holder == computer_workflow(computer.name) and _of_background_load(session, tenure, computer) == (
        _parts(target)
    )


def _of_background_load(session: Session, tenure: Tenure, computer: Computer) -> tuple[object, ...]:
    """What is recorded of it: the revision and the computer, which stands at one endpoint."""
    image = catalog.revision(session, tenure.image, tenure.revision)
    sizes = image.cpus, image.memory_mb, image.disk_gb
    macs = computer.private_mac or "", computer.public_mac or ""
    content = image.module, image.guest, image.name, image.revision, image.module_data
    return tenure.holder, computer.pool, computer.name, *macs, *sizes, *content


def _of_inspection(session: Session, tenure: Tenure, computer: Computer) -> tuple[object, ...]:
    """The computer, and no image."""
    macs = computer.private_mac or "", computer.public_mac or ""
    content = catalog.endpoint(session, computer.pool).module, "", "", 0, ""
    return tenure.holder, computer.pool, computer.name, *macs, 0, 0, 0, *content


def _parts(target: Target) -> tuple[object, ...]:
    sizes = target.cpus, target.memory_mb, target.disk_gb
    macs = target.private_mac, target.public_mac
    content = target.module, target.guest, target.image, target.revision, target.image_data
    return target.reservation, target.endpoint, target.host, *macs, *sizes, *content


def access(session: Session, target: Target, facts: Facts, given: Access) -> Access:
    """Whom to let in, as it is recorded, from those of the acknowledged addresses that are given.

    Raises ``Refused`` when it is asked for anybody else, for another secret, from an address from which nobody pressed
    Connect, or on a computer whose pinned host key is another one.
    """
    key = {"of": target.reservation, "at": target.computer, "in_generation": target.generation}
    row = session.execute(_LET_IN, key).first()
    if row is None:
        raise Refused(f"{target.reservation} does not hold generation {target.generation} of {target.computer}")
    reservation, user, revision, host_key = row
    recorded = Access(
        user.login,
        user.uid,
        tuple(user.public_keys),
        given.addresses,
        reservation.password_ref,
        revision.root_access,
        tuple(revision.ports),
    )
    same = dataclasses.replace(given, public_keys=recorded.public_keys, ports=tuple(given.ports)) == recorded
    _agree(same, "what it is to be opened for")
    _agree(set(given.addresses) <= set(reservation.remote_addresses), "from where Connect was pressed")
    _agree(bool(facts.host_key) and facts.host_key in (reservation.host_key, host_key), "its pinned host key")
    return recorded


def _agree(same: bool, what: str) -> None:
    if not same:
        raise Refused(f"{what} is recorded otherwise; nothing was touched")
