"""Checks of idle computers that are lent: which are due, and what follows. Each record may run twice."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.catalog import AfterUse, ComputerKind
from vclab.model.computer_checks import CheckOrder, Repair, Verdict
from vclab.model.errors import NotFound, Refused
from vclab.model.messages import check_workflow, computer_workflow
from vclab.model.plans import Target
from vclab.model.power import PowerOrder, PowerVerb, Switch
from vclab.model.rules import Rules
from vclab.model.states import ComputerState, Purpose
from vclab.placement import Choice
from vclab.store import audit, background_loads, catalog, computers, idle, locks, power, targets, tenures
from vclab.store.column_types import utc
from vclab.store.models import Computer, Endpoint, Tenure

LONGEST = timedelta(minutes=30)
"""For which a computer is checked, at the most: it may be switched on meanwhile."""
_PROMISED = timedelta(minutes=5)
_LONGEST_TEXT = 500  #: characters


def due(session: Session, rules: Rules, now: datetime) -> list[str]:
    """Computers that nobody has had, and nobody has checked, for as long as the setting says: those first that are
    overdue longest, and of each site no more than may be checked at one moment."""
    every = rules.health.check_computers_every
    if not every:
        return []
    last = sa.select(sa.func.max(Tenure.released_at)).where(Tenure.computer == Computer.name).scalar_subquery()
    query = sa.select(Computer, Endpoint).join(Endpoint, Endpoint.name == Computer.pool)
    before = utc(now) - timedelta(seconds=every)
    query = query.where(*idle.IDLE, Endpoint.disabled_at.is_(None), Computer.checked_at <= before)
    query = query.where(sa.or_(last.is_(None), last <= before)).order_by(Computer.checked_at, Computer.name)
    left, found = idle.room(session), []
    for row, endpoint in session.execute(query):
        if left.setdefault(endpoint.site, idle.AT_ONCE) > 0 and not _why_not(session, row, endpoint, rules, now):
            left[endpoint.site] -= 1
            found.append(row.name)
    return found


def begin(session: Session, name: str, rules: Rules, now: datetime) -> CheckOrder:
    """Hold the computer, and say what is to be looked at. Repeated, it is the same. Raises ``NotFound``, and
    ``Refused`` when it is not idle any more."""
    row, holder = locks.computer(session, name), check_workflow(name)
    endpoint = session.get(Endpoint, row.pool) if row.kind is ComputerKind.LAB else None
    held = tenures.current(session, name)
    if endpoint is None:
        raise NotFound(f"there is no computer {name} that is lent")
    if held is None or held.holder != holder:
        if not idle.is_idle(session, name):
            raise Refused(f"{name} is not idle")
        if why_not := _why_not(session, row, endpoint, rules, now):
            raise Refused(f"{name} is not checked: {why_not}")
    generation = tenures.take(session, name, holder, Purpose.CHECK, now + LONGEST, now)
    target = _target(session, row, catalog.endpoint(session, endpoint.name), generation, rules)
    may_be_off = endpoint.after_use is not AfterUse.ON
    return CheckOrder(
        target,
        computers.facts(row),
        _power(session, row, generation, rules),
        off=may_be_off and row.off_since is not None,
        may_be_off=may_be_off,
        reloads=target.traits.reloadable and row.check_repair != Repair.RELOAD,
    )


def end(session: Session, order: CheckOrder, verdict: Verdict, now: datetime) -> None:
    """What was found is written down; the computer is free again, is to be loaded anew, or goes out of service."""
    name, now = order.target.computer, utc(now)
    row = locks.computer(session, name)
    if not tenures.held(session, name, order.target.generation):
        return
    news = verdict.repair is not Repair.NOTHING or verdict.said != row.check_found
    row.checked_at, row.check_found, row.check_repair = now, verdict.said[:_LONGEST_TEXT], verdict.repair.value
    if verdict.off is not None:
        row.off_since = now if verdict.off else None
    elif not order.off:
        row.off_since = None
    if verdict.repair is Repair.RELOAD:
        computers.forget_content(row, lent=True)
    if verdict.repair is Repair.MAINTENANCE:
        computers.put_out_of_service(row, ComputerState.MAINTENANCE, f"its check: {verdict.said}")
    if news:
        what = f"checked: {verdict.repair}" if verdict.repair else "checked"
        audit.note(session, computer_workflow(name), "vclab", what, verdict.said, now)
    tenures.release(session, name, order.target.generation, now)
    session.flush()


def _why_not(session: Session, row: Computer, endpoint: Endpoint, rules: Rules, now: datetime) -> str:
    """Why an idle computer is not to be checked now; empty when it is."""
    traits = rules.modules.get(endpoint.module)
    if traits is None:
        return f"this release has no module {endpoint.module}"
    if traits.reloadable and not row.image:
        return "what it holds is not known, so it is loaded first"
    return "somebody is to have it soon" if idle.is_promised(session, row.name, utc(now), _PROMISED) else ""


def _target(session: Session, row: Computer, endpoint: model.Endpoint, generation: int, rules: Rules) -> Target:
    """With the guest of the image that it holds; of a lab machine, of any image that it can be lent with."""
    holder, choice = check_workflow(row.name), Choice(endpoint.name, row.name, "")
    image = _image(session, row, endpoint)
    if image is None:
        return targets.of_idle(holder, row, endpoint, generation, rules)
    return targets.on(targets.of_image(holder, image, endpoint, choice, rules), row, generation)


def _image(session: Session, row: Computer, endpoint: model.Endpoint) -> model.Image | None:
    try:
        if row.image:
            return catalog.revision(session, row.image, row.revision)
        if last := background_loads.last_image(session, row.name):
            return catalog.image(session, last)
    except NotFound:
        pass
    return next((each for each in catalog.images(session) if each.module == endpoint.module), None)


def _power(session: Session, row: Computer, generation: int, rules: Rules) -> PowerOrder | None:
    try:
        return power.order_of(session, Switch(row.name, PowerVerb.STATUS), row, generation, rules)
    except Refused:
        return None
