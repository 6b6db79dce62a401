"""Inspections: what hardware a computer has is read under a tenure of its own, and compared with what is recorded.

The first report is the record; a later one becomes it only when an operator accepts it. A computer that has less than
is recorded goes out of service, for what was promised of it does not hold; so does one whose firmware, boot
order or BMC is not as it was, for somebody may have changed it.
"""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.catalog import ComputerKind
from vclab.model.errors import NotFound, Refused
from vclab.model.inspections import Inspected, differences
from vclab.model.intents import Author
from vclab.model.messages import Inspect, inspection_workflow
from vclab.model.nodes import NodeReport, report_of
from vclab.model.plans import Target, lasting_uuid
from vclab.model.rules import Rules
from vclab.model.states import OUT_OF_SERVICE, ComputerState, Purpose
from vclab.model.traits import Operation
from vclab.store import audit, catalog, computers, locks, tenures
from vclab.store.column_types import utc
from vclab.store.models import Computer, Tenure

LONGEST = timedelta(hours=2)
"""For which a computer is inspected, at the most, beyond the ceiling of a load: it is switched back too."""


def begin(session: Session, given: Inspect, by: Author, rules: Rules, now: datetime) -> Target:
    """Take the tenure. The same ``now`` again returns the same target again.

    A new tenure replaces that of an earlier inspection whose workflow was terminated, which fences off its steps.
    Raises ``NotFound`` and ``Refused`` (``TenureHeld``).
    """
    now, row = utc(now), locks.computer(session, given.computer)
    endpoint = _endpoint(session, row, rules)
    holder, until = inspection_workflow(row.name), now + timedelta(seconds=rules.waits.load_ceiling) + LONGEST
    lost = tenures.current(session, row.name)
    if lost is not None and lost.holder == holder and lost.taken_at != now:
        tenures.release(session, row.name, lost.generation, now)
    generation = tenures.take(session, row.name, holder, Purpose.INSPECTION, until, now)
    audit.note(session, holder, by.who, "inspection begins", f"generation {generation}", now, by.act)
    return _target(row, endpoint, generation, rules)


def check(session: Session, name: str, rules: Rules) -> None:
    """Raise ``Refused`` when the computer can't be inspected now. Only reads."""
    _endpoint(session, session.get_one(Computer, name), rules)
    held = tenures.current(session, name)
    if held is not None and held.holder != inspection_workflow(name):  # of its own, whether it runs Temporal knows
        raise Refused(f"{name} is held by {held.holder}")


def end(
    session: Session, target: Target, hardware: str, accept: bool, why_not: str, not_back: str, now: datetime
) -> Inspected:
    """What was found is compared and recorded; the computer is free again.

    ``why_not``: nothing was found. ``not_back``: why its power is not as it was before; then nobody knows what it runs.
    """
    row, holder = locks.computer(session, target.computer), inspection_workflow(target.computer)
    found = _compared(row, hardware, accept, now) if hardware else Inspected()
    if not_back:
        found = replace(found, out_of_service=f"after its inspection it could not be switched back: {not_back}")
    if not tenures.held(session, target.computer, target.generation):
        return found  # it is recorded already, or somebody else has it
    if found.recorded:
        row.hardware, row.hardware_at = hardware, utc(now)
    if not_back:
        computers.forget_content(row, lent=True)
    text = why_not or "; ".join(found.differences) or ("recorded" if found.recorded else "as it is recorded")
    audit.note(session, holder, "vclab", "inspection failed" if why_not else "inspected", text, utc(now))
    if found.out_of_service:
        audit.note(session, holder, "vclab", "out of service", found.out_of_service, utc(now))
        if row.state not in OUT_OF_SERVICE:  # else it keeps its reason
            computers.put_out_of_service(row, ComputerState.MAINTENANCE, found.out_of_service)
    tenures.release(session, target.computer, target.generation, now)
    session.flush()
    return found


def recorded(session: Session, name: str) -> tuple[NodeReport, datetime] | None:
    """The hardware that a computer had when it was recorded, and when that was; None: it is not recorded."""
    row = session.get(Computer, name)
    if row is None or not row.hardware or row.hardware_at is None:
        return None
    return report_of(json.loads(row.hardware)), row.hardware_at


def release_lost(session: Session, now: datetime) -> None:
    """Tenures of workflows that were terminated: none lasts as long. What the computer runs now nobody knows."""
    lost = Tenure.released_at.is_(None), Tenure.purpose == Purpose.INSPECTION, Tenure.expected_end <= utc(now)
    for row in session.scalars(sa.select(Tenure).where(*lost)).all():
        computers.forget_content(locks.computer(session, row.computer), lent=True)
        tenures.release(session, row.computer, row.generation, now)


def _compared(row: Computer, hardware: str, accept: bool, now: datetime) -> Inspected:
    """What follows from what was found. Nothing is changed; a repeat finds the record that it has made itself."""
    ours = (row.hardware, row.hardware_at) == (hardware, utc(now))
    differing = differences(row.hardware, hardware) if row.hardware and not ours else ()
    grave = [each.text for each in differing if each.grave and not accept]
    recorded = accept or ours or not row.hardware
    return Inspected(hardware, tuple(each.text for each in differing), recorded, "; ".join(grave))


def _endpoint(session: Session, row: Computer, rules: Rules) -> model.Endpoint:
    """Where it is. Raises ``NotFound`` and ``Refused``."""
    if row.removed_at is not None:
        raise NotFound(f"there is no computer {row.name}")
    if row.kind is not ComputerKind.LAB:
        raise Refused(f"{row.name} is a virtual machine's identity: it has no hardware of its own")
    endpoint = catalog.endpoint(session, row.pool)
    if not rules.traits(endpoint.module).can(Operation.INSPECT):
        raise Refused(f"{row.name} can't be inspected: its module {endpoint.module} does not read hardware")
    return endpoint


def _target(row: Computer, endpoint: model.Endpoint, generation: int, rules: Rules) -> Target:
    """What it holds stays; no image is loaded."""
    return Target(
        reservation=inspection_workflow(row.name),
        computer=row.name,
        generation=generation,
        installation=rules.installation,
        module=endpoint.module,
        guest="",
        endpoint=endpoint.name,
        host=row.name,
        storage="",
        image="",
        revision=0,
        cpus=0,
        memory_mb=0,
        disk_gb=0,
        private_mac=row.private_mac or "",
        public_mac=row.public_mac or "",
        site=endpoint.site,
        spare=lasting_uuid(rules.installation, row.name),
        traits=rules.traits(endpoint.module),
        endpoint_data=endpoint.module_data,
    )
