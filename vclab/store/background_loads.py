"""Background loads: of a computer that stays, after a reservation or because an operator asks for it.

Each record may run twice: the second time changes nothing. Only a completed load clears a taint. What an operator wants
loaded is written into the computer's row, until a load of it begins.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.catalog import AfterUse
from vclab.model.errors import NotFound, Refused
from vclab.model.intents import Author
from vclab.model.messages import Reload, computer_workflow
from vclab.model.plans import Facts, Target
from vclab.model.power import network_of
from vclab.model.revisions import RevisionState
from vclab.model.rules import Rules
from vclab.model.states import ComputerState, Purpose
from vclab.placement import Choice
from vclab.store import (
    audit,
    catalog,
    computers,
    failures,
    history,
    intents,
    load_log,
    locks,
    revisions,
    targets,
    tenures,
)
from vclab.store.column_types import utc
from vclab.store.models import Computer, Endpoint, LoadStep, Tenure

_DEFAULT_SECONDS = 600.0  # how long a load is expected to take while there are no past ones


class NoTurn(Refused):
    """So many others are being loaded that this one is not, yet."""


@dataclass(frozen=True)
class Wanted:
    """What is to be loaded, and where."""

    endpoint: model.Endpoint
    image: model.Image


def begin(session: Session, given: Reload, by: Author, rules: Rules, now: datetime) -> Target:
    """Take the tenure that loads a computer. The same ``now`` again returns the same target again.

    A new tenure replaces that of an earlier load whose workflow was terminated, which fences off its running steps.
    What an operator has asked for when the computer is free is done by this. Raises ``NotFound`` and ``Refused``
    (``TenureHeld``: somebody has it; ``NoTurn``: it has its turn later).
    """
    now, holder = utc(now), computer_workflow(given.computer)
    row = locks.computer(session, given.computer)
    running = tenures.current(session, given.computer)
    ours = running if running is not None and running.holder == holder else None
    repeated = ours is not None and ours.taken_at == now
    if row.load_intent and not given.intent and not repeated:
        given, by = _asked_for(row), intents.find(session, row.load_intent).author
    wanted = _wanted(session, given, row, rules)
    if ours is None and not given.intent and wanted.endpoint.after_use is AfterUse.UNLOADED:
        raise Refused(f"{row.name} is loaded when somebody needs it, as its group {row.pool} says")
    usual = sum(load_log.medians(session, wanted.image.name).values()) or _DEFAULT_SECONDS
    until = now + timedelta(seconds=usual)
    if ours is None and (why_not := _why_no_turn(session, row, wanted.endpoint, rules)):
        raise NoTurn(why_not)
    if ours is not None and not repeated:
        tenures.release(session, given.computer, ours.generation, now)
    generation = computers.take(session, row, holder, Purpose.LOAD, wanted.image, True, until, now)
    if not repeated:
        row.forget_load()
        what = f"generation {generation}: {wanted.image.name}, revision {wanted.image.revision}"
        audit.note(session, holder, by.who, "load begins", what, now, by.act)
    choice = Choice(wanted.endpoint.name, given.computer, "")
    target = targets.of_image(holder, wanted.image, wanted.endpoint, choice, rules)
    return targets.on(target, row, generation)


def want(session: Session, given: Reload) -> None:
    """Have the computer loaded as soon as nobody holds it; until then nobody else gets it at once. In place of what was
    wanted before."""
    row = locks.computer(session, given.computer)
    row.load_intent, row.load_image, row.load_revision = given.intent, given.image, given.revision
    session.flush()


def tend(session: Session, rules: Rules, now: datetime) -> None:
    """What an operator wanted loaded and can't be any more (its image is disabled, say) is forgotten, and told."""
    held = sa.exists().where(Tenure.computer == Computer.name, Tenure.released_at.is_(None))
    query = sa.select(Computer.name).where(Computer.load_intent != "", Computer.removed_at.is_(None), ~held)
    for name in session.scalars(query.order_by(Computer.name)).all():
        row = locks.computer(session, name)
        try:
            if row.load_intent and tenures.current(session, name) is None:
                _wanted(session, _asked_for(row), row, rules)
        except (Refused, NotFound) as error:
            row.forget_load()
            audit.note(session, computer_workflow(name), "vclab", "not loaded", str(error), utc(now))
    session.flush()


def planned(session: Session, given: Reload, rules: Rules) -> model.Image:
    """What the computer would be loaded with. Only reads. Raises ``NotFound``, and ``Refused`` when it can't be, also
    not when it is free."""
    row = _computer(session, given.computer)
    if row.leaving:
        raise Refused(f"{row.name} goes out of service when it is free", f"`vclab computer enable {row.name}` keeps it")
    return _wanted(session, given, row, rules).image


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
    """Computers that need a background load: an operator wants it, what they hold is unknown and their group has them
    loaded after use, or their load lost its workflow.

    ``reloadable``: the modules whose computers can be loaded anew. A computer on which nothing was ever loaded waits
    for its first reservation or an operator; one whose revision is suspect or whose image is gone, for another one.
    """
    held = sa.exists().where(Tenure.computer == Computer.name, Tenure.released_at.is_(None))
    ours = held.where(Tenure.purpose == Purpose.LOAD)
    once = sa.exists().where(LoadStep.computer == Computer.name, LoadStep.image != "")
    unknown = sa.and_(Computer.state == ComputerState.AVAILABLE, ~Computer.leaving, Computer.image == "", once, ~held)
    unknown = sa.and_(unknown, Endpoint.disabled_at.is_(None), Endpoint.after_use != AfterUse.UNLOADED)
    query = (
        sa.select(Computer.name)
        .join(Endpoint, Endpoint.name == Computer.pool)
        .where(Computer.kind == model.ComputerKind.LAB, Computer.removed_at.is_(None))
        .where(Endpoint.module.in_(reloadable), sa.or_(unknown, ours, sa.and_(Computer.load_intent != "", ~held)))
    )
    suspects = {(each.image, each.revision) for each in failures.suspects(session)}
    names = session.scalars(query.order_by(Computer.load_intent == "", Computer.name)).all()
    return [name for name in names if _may_be_loaded(session, name, suspects)]


def in_turn(session: Session, names: Sequence[str], rules: Rules) -> list[str]:
    """Those of the computers that may be loaded at once, beside those that are being loaded. Asked of each again when
    its load begins."""
    busy, found = _busy(session), []
    for name in names:
        row = _computer(session, name)
        keys = _keys(row, catalog.endpoint(session, row.pool).site)
        if tenures.current(session, name) is not None:  # it counts already
            found.append(name)
        elif all(busy[key] < _most(key, rules) for key in keys):
            busy.update(keys)
            found.append(name)
    return found


_Key = tuple[str, str]
"""A site, and a network of BMCs there; empty: all of the site."""


def _why_no_turn(session: Session, row: Computer, endpoint: model.Endpoint, rules: Rules) -> str:
    """What so many loads are under way of already; empty when there are fewer. Nobody else begins one meanwhile."""
    locks.site(session, endpoint.site)
    busy = _busy(session)
    for site, network in _keys(row, endpoint.site):
        if busy[site, network] >= (most := _most((site, network), rules)):
            where = f"whose BMCs are in {network}" if network else f"of the site {site}"
            return f"{row.name} has its turn later: {most} computers {where} are being loaded"
    return ""


def _keys(row: Computer, site: str) -> list[_Key]:
    network = network_of(row.power)
    return [(site, ""), *([(site, network)] if network else [])]


def _most(key: _Key, rules: Rules) -> int:
    return rules.idle.loads_per_network if key[1] else rules.idle.loads_per_site


def _busy(session: Session) -> Counter[_Key]:
    """How many computers are being loaded for nobody yet."""
    query = sa.select(Computer, Endpoint.site).join(Endpoint, Endpoint.name == Computer.pool)
    query = query.join(Tenure, sa.and_(Tenure.computer == Computer.name, Tenure.released_at.is_(None)))
    query = query.where(Computer.kind == model.ComputerKind.LAB, Tenure.purpose == Purpose.LOAD)
    return Counter(key for row, site in session.execute(query) for key in _keys(row, site))


def _may_be_loaded(session: Session, name: str, suspects: Collection[tuple[str, int]]) -> bool:
    """Whether the image that it was loaded with last is there, and its revision not suspect. What an operator wants is
    tried, and so is a load that was lost: it is to be ended, one way or the other."""
    if tenures.current(session, name) is not None or _computer(session, name).load_intent:
        return True
    try:
        image = catalog.image(session, last_image(session, name))
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
    image = _image(session, given, ours)
    if image.module != endpoint.module or image.endpoint not in ("", endpoint.name):
        where = image.endpoint or f"the module {image.module}"
        raise Refused(f"{endpoint.name} can't load the image {image.name}: it is for {where}")
    if ours is None:
        _must_be_enabled(image, endpoint)
    if ours is None and not given.intent and (computer.state is not ComputerState.AVAILABLE or computer.image):
        raise Refused(f"{computer.name} needs no load: it is {computer.state}, and holds {computer.image or 'nothing'}")
    return Wanted(endpoint, image)


def _asked_for(row: Computer) -> Reload:
    return Reload(row.name, row.load_image, row.load_intent, row.load_revision)


def _image(session: Session, given: Reload, ours: Tenure | None) -> model.Image:
    """The image that is asked for, else that of the load that was lost, else what was loaded last."""
    if ours is not None and ours.image and not given.image:
        with suppress(NotFound, Refused):
            return _revision(session, ours.image, ours.revision)
    name = given.image or (ours.image if ours else "") or last_image(session, given.computer)
    if not name:
        raise Refused(f"nothing was ever loaded on {given.computer}", "say which image")
    return _revision(session, name, given.revision)


def _revision(session: Session, name: str, number: int) -> model.Image:
    """0: the one in production. Raises ``NotFound`` and ``Refused``."""
    if not number:
        return catalog.image(session, name)
    if revisions.one(session, name, number).state is RevisionState.RETIRED:
        raise Refused(
            f"revision {number} of {name} is retired", f"`vclab image restore {name} {number}` brings it back"
        )
    return catalog.revision(session, name, number)


def _must_be_enabled(image: model.Image, endpoint: model.Endpoint) -> None:
    if endpoint.disabled_at is not None:
        raise Refused(f"the endpoint {endpoint.name} is disabled", "enable it first")
    if image.disabled_at is not None:
        raise Refused(f"the image {image.name} is disabled", "enable it first, or choose another one")


def last_image(session: Session, computer: str) -> str:
    """The image that the computer was loaded with last, or that a load of it began with; of no capture, for which it
    was thrown away."""
    query = sa.select(LoadStep.image).where(LoadStep.computer == computer, LoadStep.part == "", LoadStep.image != "")
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
