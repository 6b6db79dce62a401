"""Captures: their records, and their plans. The rules of activities/records.py hold here too."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session
from temporalio import activity

from activities.errors import failures
from activities.recording import recording
from activities.runner import Fence, asking, heartbeating, in_thread
from vclab.model.errors import Refused
from vclab.model.intents import Verb
from vclab.model.messages import Capture
from vclab.model.plans import Becomes, Facts, Plan, Target
from vclab.provisioning.base import ProvisioningModule, capturer, known_module
from vclab.store import captures, intents
from vclab.store.engine import Store


@dataclass(frozen=True)
class CaptureBegins:
    """Somebody wants the reservation's computer captured."""

    reservation: str
    message: Capture
    now: datetime


@dataclass(frozen=True)
class CaptureBegun:
    """What it becomes; or why not."""

    becomes: Becomes | None = None
    refusal: str = ""


@dataclass(frozen=True)
class CaptureEnded:
    """It is captured, and this was learned; or it is given up, and ``why_not``."""

    becomes: Becomes
    now: datetime
    facts: Facts = Facts()
    why_not: str = ""


class CaptureRecords:
    """Record activities of captures."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @activity.defn
    def capture_begins(self, given: CaptureBegins) -> CaptureBegun:
        """The capture runs from now on. That it can't be is an answer."""
        id, message = given.reservation, given.message

        def begin(session: Session) -> Becomes:
            said = {"image": message.image, "title": message.title, "notes": message.notes}
            by = intents.author(session, message.intent, Verb.CAPTURE, id, **said)
            return captures.begin(session, id, message, by, given.now)

        with recording(of_act=True):
            try:
                return CaptureBegun(self._store.run(begin))
            except Refused as refused:
                return CaptureBegun(refusal=str(refused))

    @activity.defn
    def capture_ended(self, given: CaptureEnded) -> None:
        """The revision is there; or nothing is left of it."""

        def end(session: Session) -> None:
            if given.why_not:
                captures.given_up(session, given.becomes, given.why_not, given.now)
            else:
                captures.done(session, given.becomes, given.facts, given.now)

        with recording():
            self._store.run(end)


class CaptureActivities:
    """Planning, at the site."""

    def __init__(self, modules: Mapping[str, ProvisioningModule], fence: Fence, executor: Executor) -> None:
        self._modules = modules
        self._fence = fence
        self._executor = executor

    @activity.defn
    async def plan_capture(self, target: Target) -> Plan:
        """What the capture of the computer will do. The answer is recorded, and resumed from."""
        with failures():
            module = capturer(known_module(self._modules, target.module))
            async with heartbeating(asking(self._fence, target)) as context:
                return await in_thread(self._executor, context, module.capture, target)
