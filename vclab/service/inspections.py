"""Inspections: what hardware a computer has, and what differs from the record."""

import json
from contextlib import suppress
from typing import Any

from sqlalchemy.orm import Session

from vclab.contract import inspections as contract
from vclab.contract.inspections import Begin, Inspection
from vclab.contract.retiring import Named
from vclab.model.errors import Refused, Unreachable
from vclab.model.inspections import Inspected
from vclab.model.messages import Inspect, inspection_workflow
from vclab.model.typed import known
from vclab.service.use_case import Call, does
from vclab.store import catalog, inspections, load_log, tenures

ASK = 5.0
"""Seconds for Temporal to answer."""


@does(contract.inspect)
async def inspect(call: Call, question: Begin) -> Inspection:
    rules = call.backend.settings.rules()

    def ask(session: Session) -> None:
        _known(session, question.name)
        inspections.check(session, question.name, rules)

    await call.backend.read(ask)
    message = Inspect(question.name, question.accept, call.intent)
    await (await call.backend.reservations()).inspect(message)
    return _view(question.name)


@does(contract.look)
async def look(call: Call, question: Named) -> Inspection:
    await call.backend.read(lambda session: _known(session, question.name))
    try:
        found = await (await call.backend.reservations()).inspected(question.name)
    except Refused as error:
        return _view(question.name, ended=True, why_not=error.message)
    return await _running(call, question.name) if found is None else _found(question.name, found)


async def _running(call: Call, name: str) -> Inspection:
    from vclab.temporal.pending_activities import said_by

    holder = inspection_workflow(name)

    def ask(session: Session) -> dict[str, Any]:
        last, held = load_log.last_attempt(session, holder), tenures.current(session, name)
        if last is None or held is None or (held.holder, held.generation) != (holder, last.generation):
            return {}
        return {"step": last.number, "steps": last.count, "step_title": last.title}

    said = ""
    with suppress(Unreachable):
        said = await said_by(await call.backend.temporal(ASK), holder)
    return _view(name, said=said, **await call.backend.read(ask))


def _known(session: Session, name: str) -> None:
    """Raises ``NotFound``."""
    known(
        "computer", name, {each.name: each for each in catalog.computers(session)}, "`vclab computer list` lists them"
    )


def _found(name: str, found: Inspected) -> Inspection:
    return _view(
        name,
        ended=True,
        hardware=json.loads(found.hardware) if found.hardware else {},
        differences=found.differences,
        recorded=found.recorded,
        out_of_service=found.out_of_service,
    )


def _view(name: str, **known: Any) -> Inspection:
    nothing = {"ended": False, "step": 0, "steps": 0, "step_title": "", "said": "", "why_not": ""}
    found = {"hardware": {}, "differences": (), "recorded": False, "out_of_service": ""}
    return Inspection(computer=name, **{**nothing, **found, **known})
