"""Background loads: of a computer that stays, after a reservation or because an operator asks for it.

Each record may run twice: the second time changes nothing. Only a completed load clears a taint.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.errors import NotFound, Refused
from vclab.model.intents import Author
from vclab.model.messages import Reload, computer_workflow
from vclab.model.plans import Facts, Target
from vclab.model.rules import Rules
from vclab.model.states import ComputerState, Purpose
from vclab.placement import Choice
from vclab.store import audit, catalog, computers, failures, history, load_log, locks, targets, tenures
from vclab.store.column_types import utc
from vclab.store.models import Computer, Endpoint, LoadStep, Tenure

_DEFAULT_SECONDS = 600.0  # how long a load is expected to take while there are no past ones


@dataclass(frozen=True)
class Wanted:
    """What is to be loaded, and where."""

    computer: Computer
    endpoint: model.Endpoint
    image: model.Image


def begin(session: Session, given: Reload, by: Author, rules: Rules, now: datetime) -> Target:
    """Take the tenure that loads a computer. The same ``now`` again returns the same target again.

    A new tenure replaces that of an earlier load whose workflow was terminated, which fences off its running steps.
    Raises ``NotFound`` and ``Refused`` (``TenureHeld``: somebody has it).
    """
    now, holder = utc(now), computer_workflow(given.computer)
    wanted = _wanted(session, given, locks.computer(session, given.computer), rules)
    usual = sum(load_log.medians(session, wanted.image.name).values()) or _DEFAULT_SECONDS
    until = now + timedelta(seconds=usual)
    lost = tenures.current(session, given.computer)
    if lost is not None and lost.holder == holder and lost.taken_at != now:
        tenures.release(session, given.computer, lost.generation, now)
    generation = computers.take(session, wanted.computer, holder, Purpose.LOAD, wanted.image, True, until, now)
    what = f"generation {generation}: {wanted.image.name}, revision {wanted.image.revision}"
    audit.note(session, holder, by.who, "load begins", what, now, by.act)
    choice = Choice(wanted.endpoint.name, given.computer, "")
    target = targets.of_image(holder, wanted.image, wanted.endpoint, choice, rules)
    return targets.on(target, wanted.computer, generation)


def why_not(session: Session, given: Reload, rules: Rules) -> str:
    """Why the computer can't be loaded now; empty when it can. Only reads."""
    try:
        _wanted(session, given, _computer(session, given.computer), rules)
    except (Refused, NotFound) as error:
        return str(error)
    held = tenures.current(session, given.computer)
    return f"{given.computer} is held by {held.holder}" if held is not None else ""


def finished(session: Session, target: Target, facts: Facts, now: datetime) -> None:
    """Loaded and verified: it is available with this image, untainted, and its tenure is released."""
    computer = _held(session, target)
    if computer is not None:
        computers.return_to_service(computer)
        computer.tainted = False
        computer.image, computer.revision = target.image, target.revision
        computer.host_key = facts.host_key or computer.host_key
        computer.private_address = facts.private_address or computer.private_address
        computer.public_address = facts.public_address or computer.public_address
        addresses = computer.private_address, computer.public_address
        history.note_addresses(session, target.computer, target.generation, *addresses, utc(now))
        failures.loaded_well(session, target.endpoint, target.host, target.image, target.revision, now)
        audit.note(session, target.reservation, "vclab", "loaded", f"generation {target.generation}", now)
    tenures.release(session, target.computer, target.generation, now)


def failed(session: Session, target: Target, why: str, now: datetime) -> None:
    """The load failed: the computer is out of service until an operator has looked at it. Its tenure is released.

    When the revision is to blame, it stays in service, and no background load tries that revision again.
    """
    computer = _held(session, target)
    if computer is not None:
        if failures.acquitted(session, target.computer, target.generation):
            computers.return_to_service(computer)
        else:
            text = f"its load with {target.image} failed: {why}"
            computers.put_out_of_service(computer, ComputerState.FAILED, text, target.generation)
        computers.forget_content(computer, target.traits.lent)
        text = f"generation {target.generation}: {why}"
        audit.note(session, target.reservation, "vclab", "load failed", text, now)
    tenures.release(session, target.computer, target.generation, now)


def due(session: Session, reloadable: Collection[str]) -> list[str]:
    """Computers that need a background load: what they hold is unknown, or their load lost its workflow.

    ``reloadable``: the modules whose computers can be loaded anew. A computer on which nothing was ever loaded waits
    for its first reservation or an operator; one whose revision is suspect or whose image is gone, for another one.
    """
    held = sa.exists().where(Tenure.computer == Computer.name, Tenure.released_at.is_(None))
    ours = held.where(Tenure.purpose == Purpose.LOAD)
    once = sa.exists().where(LoadStep.computer == Computer.name, LoadStep.image != "")
    unknown = sa.and_(Computer.state == ComputerState.AVAILABLE, ~Computer.leaving, Computer.image == "", once, ~held)
    unknown = sa.and_(unknown, Endpoint.disabled_at.is_(None))
    query = (
        sa.select(Computer.name)
        .join(Endpoint, Endpoint.name == Computer.pool)
        .where(Computer.kind == model.ComputerKind.LAB, Computer.removed_at.is_(None))
        .where(Endpoint.module.in_(reloadable), sa.or_(unknown, ours))
    )
    suspects = {(each.image, each.revision) for each in failures.suspects(session)}
    names = session.scalars(query.order_by(Computer.name)).all()
    return [name for name in names if _may_be_loaded(session, name, suspects)]


def _may_be_loaded(session: Session, name: str, suspects: Collection[tuple[str, int]]) -> bool:
    """Whether the image that it was loaded with last is there, and its revision not suspect."""
    if tenures.current(session, name) is not None:  # a load that was lost: it is to be ended, one way or the other
        return True
    try:
        image = catalog.image(session, _last(session, name))
    except NotFound:
        return False
    return image.disabled_at is None and (image.name, image.revision) not in suspects


def _wanted(session: Session, given: Reload, computer: Computer, rules: Rules) -> Wanted:
    """What is to be loaded. Raises ``NotFound`` and ``Refused``."""
    if computer.removed_at is not None:
        raise NotFound(f"there is no computer {given.computer}")
    endpoints = {e.name: e for e in catalog.endpoints(session)}
    endpoint = endpoints.get(computer.pool) if computer.kind is model.ComputerKind.LAB else None
    if endpoint is None or not rules.traits(endpoint.module).reloadable:
        why = f"its module {endpoint.module} can't reload" if endpoint else "each reservation makes a virtual one anew"
        raise Refused(f"{computer.name} can't be loaded without a reservation: {why}")
    running = tenures.current(session, computer.name)
    ours = running if running is not None and running.holder == computer_workflow(computer.name) else None
    name = given.image or (ours.image if ours else "") or _last(session, computer.name)
    if not name:
        raise Refused(f"nothing was ever loaded on {computer.name}", "say which image")
    image = catalog.image(session, name)
    if image.module != endpoint.module or image.endpoint not in ("", endpoint.name):
        where = image.endpoint or f"the module {image.module}"
        raise Refused(f"{endpoint.name} can't load the image {image.name}: it is for {where}")
    if ours is None:
        _must_be_enabled(image, endpoint)
    if ours is None and not given.intent and (computer.state is not ComputerState.AVAILABLE or computer.image):
        raise Refused(f"{computer.name} needs no load: it is {computer.state}, and holds {computer.image or 'nothing'}")
    return Wanted(computer, endpoint, image)


def _must_be_enabled(image: model.Image, endpoint: model.Endpoint) -> None:
    if endpoint.disabled_at is not None:
        raise Refused(f"the endpoint {endpoint.name} is disabled", "enable it first")
    if image.disabled_at is not None:
        raise Refused(f"the image {image.name} is disabled", "enable it first, or choose another one")


def _last(session: Session, computer: str) -> str:
    """The image that the computer was loaded with last, or that a load of it began with."""
    query = sa.select(LoadStep.image).where(LoadStep.computer == computer, LoadStep.image != "")
    return session.scalar(query.order_by(LoadStep.generation.desc(), LoadStep.id.desc()).limit(1)) or ""


def _computer(session: Session, name: str) -> Computer:
    computer = session.get(Computer, name)
    if computer is None:
        raise NotFound(f"there is no computer {name}")
    return computer


def _held(session: Session, target: Target) -> Computer | None:
    """The computer, locked, if the target's tenure holds it still."""
    computer = locks.computer(session, target.computer)
    return computer if tenures.held(session, target.computer, target.generation) else None
