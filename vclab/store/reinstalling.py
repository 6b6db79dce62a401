"""Reinstalling: a reservation's computer is brought back to an image, in the same place.

Two records. ``asked`` says which revision it becomes; ``begin``, after what was there is verified gone, takes the
computer anew: under a tenure of its own, so that nothing that was begun before can touch it.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.errors import NotFound, Refused
from vclab.model.intents import Author
from vclab.model.plans import Target
from vclab.model.reservations import Placed
from vclab.model.revisions import RevisionState
from vclab.model.rules import Rules
from vclab.model.states import OPEN_STATES, Purpose, ReservationState
from vclab.placement import Choice
from vclab.store import audit, catalog, children, claims, computers, locks, placement, revisions, targets
from vclab.store.column_types import utc
from vclab.store.models import Reservation


def asked(session: Session, id: str, revision: int, by: Author, now: datetime) -> int:
    """The revision that it becomes; 0 asks for the one in production. Raises ``Refused``."""
    row = locks.reservation(session, id)
    target = targets.of(row)
    if row.state is not ReservationState.INUSE:
        raise Refused(f"{id} is not in use")
    if target.traits.lent and not target.traits.reloadable:
        raise Refused(f"{target.computer} can't be reinstalled from here: its owner installs it")
    image = _wanted(session, row, revision, by)
    if (image.cpus, image.memory_mb, image.disk_gb) != (target.cpus, target.memory_mb, target.disk_gb):
        text = f"revision {image.revision} of {image.name} has another size than {target.computer}"
        raise Refused(text, "reserve it instead")
    if not audit.is_done(session, id, by.act):
        audit.note(session, id, by.who, "reinstall asked", f"{image.name}/{image.revision}", now, by.act)
    return image.revision


def begin(session: Session, target: Target, revision: int, rules: Rules, now: datetime) -> Placed | None:
    """What was on the computer is verified gone: take it anew. None: the reservation has ended. Repeated, it is the
    same."""
    row, now = locks.reservation(session, target.reservation), utc(now)
    if (row.computer, row.generation) != (target.computer, target.generation):
        return placement.placed(session, row, rules)
    if row.state not in OPEN_STATES:
        return None
    computers.give_back(session, target, "", now)
    image = targets.as_promised(catalog.revision(session, target.image, revision), target)
    row.revision, row.state = revision, ReservationState.NEW
    targets.record(row, _taken(session, row, target, image, rules, now))
    addresses = row.remote_addresses  # from where its user comes is not forgotten
    targets.forget_machine(row)
    row.remote_addresses, row.connected = addresses, False
    session.flush()
    audit.note(session, row.id, "vclab", "reinstall begins", f"{image.name}/{revision} on {target.host}", now)
    return placement.placed(session, row, rules)


def _wanted(session: Session, row: Reservation, revision: int, by: Author) -> model.Image:
    """Raises ``Refused``."""
    try:
        in_production = catalog.image(session, row.image).revision
        number = revision or in_production
        if revisions.one(session, row.image, number).state is RevisionState.RETIRED:
            raise Refused(f"revision {number} of {row.image} is retired")
    except NotFound as error:
        raise Refused(str(error)) from None
    if number not in (in_production, row.revision) and not (by.operator or row.imaging):
        raise Refused("only operators, and who reserves for imaging, try a revision that is not in production")
    return catalog.revision(session, row.image, number)


def _taken(session: Session, row: Reservation, old: Target, image: model.Image, rules: Rules, now: datetime) -> Target:
    """The machine of the image in the same place, under a tenure of its own."""
    computer = locks.computer(session, old.computer)
    until = claims.last_end(session, row.id, row.ends)
    generation = computers.take(session, computer, row.id, Purpose.RESERVATION, image, old.traits.lent, until, now)
    endpoint = catalog.endpoint(session, old.endpoint)
    made = targets.of_image(row.id, image, endpoint, Choice(old.endpoint, old.host, old.storage), rules)
    made = replace(targets.on(made, computer, generation), claimed_gb=old.claimed_gb, member=old.member)
    return children.hold(session, made, now)
