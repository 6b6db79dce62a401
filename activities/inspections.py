"""Inspections of hardware: their records, and their plan. The rules of activities/records.py hold here too."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session
from temporalio import activity

from activities.errors import failures
from activities.recording import recording
from activities.runner import Fence, asking, heartbeating, in_thread
from vclab.model.errors import NotFound, Refused
from vclab.model.inspections import Inspected
from vclab.model.intents import Verb
from vclab.model.messages import Inspect
from vclab.model.plans import Plan, Target
from vclab.model.reservations import Waits
from vclab.provisioning.base import ProvisioningModule, inspector, known_module
from vclab.settings import Settings
from vclab.store import inspections, intents
from vclab.store.engine import Store


@dataclass(frozen=True)
class InspectionBegins:
    """Somebody asks for it."""

    message: Inspect
    now: datetime


@dataclass(frozen=True)
class InspectionBegun:
    """The computer is held; or why it is not."""

    target: Target | None = None
    waits: Waits = Waits()
    refusal: str = ""


@dataclass(frozen=True)
class InspectionEnded:
    """This was found; or ``why_not``. ``not_back``: why its power is not as it was."""

    target: Target
    now: datetime
    hardware: str = ""
    accept: bool = False
    why_not: str = ""
    not_back: str = ""


class InspectionRecords:
    """Record activities of the workflow ``Inspection``."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._settings = settings

    @activity.defn
    def inspection_begins(self, given: InspectionBegins) -> InspectionBegun:
        """Take the tenure. That it can't be is an answer."""
        rules, message = self._settings().rules(), given.message

        def begin(session: Session) -> InspectionBegun:
            by = intents.author(session, message.intent, Verb.INSPECT, message.computer, accept=message.accept)
            return InspectionBegun(inspections.begin(session, message, by, rules, given.now), rules.waits)

        with recording():
            try:
                return self._store.run(begin)
            except (Refused, NotFound) as refused:
                return InspectionBegun(refusal=str(refused))

    @activity.defn
    def inspection_ended(self, given: InspectionEnded) -> Inspected:
        """It is compared and recorded; the tenure is released."""

        def end(session: Session) -> Inspected:
            said = given.hardware, given.accept, given.why_not, given.not_back
            return inspections.end(session, given.target, *said, given.now)

        with recording():
            return self._store.run(end)


class InspectionActivities:
    """Planning, at the site."""

    def __init__(self, modules: Mapping[str, ProvisioningModule], fence: Fence, executor: Executor) -> None:
        self._modules = modules
        self._fence = fence
        self._executor = executor

    @activity.defn
    async def plan_inspection(self, target: Target) -> Plan:
        """Observe the computer, and say how its hardware is read. The answer is recorded."""
        with failures():
            module = known_module(self._modules, target.module)
            async with heartbeating(asking(self._fence, target)) as context:
                return await in_thread(self._executor, context, self._plan, module, target)

    def _plan(self, module: ProvisioningModule, target: Target) -> Plan:
        """Blocks. Raises ``StepFailed`` when the module reads no hardware."""
        return inspector(module).inspect(target, module.node_status(target))
