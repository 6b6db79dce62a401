"""Records of background loads. The rules of activities/records.py hold here too."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session
from temporalio import activity

from activities import metrics
from activities.recording import recording
from vclab.model.errors import NotFound, Refused
from vclab.model.intents import VCLAB, Verb
from vclab.model.messages import Reload
from vclab.model.plans import Facts, Target
from vclab.model.reservations import Waits
from vclab.settings import Settings
from vclab.store import background_loads, intents
from vclab.store.engine import Store


@dataclass(frozen=True)
class LoadBegins:
    """Take the computer."""

    reload: Reload
    now: datetime


@dataclass(frozen=True)
class LoadBegun:
    """What is to be loaded; or why nothing is."""

    target: Target | None = None
    waits: Waits = Waits()
    refusal: str = ""


@dataclass(frozen=True)
class LoadEnded:
    """It holds its image; or ``why_not``."""

    target: Target
    now: datetime
    facts: Facts = Facts()
    why_not: str = ""


class LoadRecords:
    """Record activities of the workflow ``Load``."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._settings = settings

    @activity.defn
    def load_begins(self, given: LoadBegins) -> LoadBegun:
        """Take the tenure. That somebody has the computer, or that it needs no load, is an answer."""
        rules, wanted = self._settings().rules(), given.reload

        def begin(session: Session) -> LoadBegun:
            by = VCLAB
            if wanted.intent:
                said = {"image": wanted.image, "revision": wanted.revision}
                by = intents.author(session, wanted.intent, Verb.RELOAD, wanted.computer, **said)
            return LoadBegun(background_loads.begin(session, wanted, by, rules, given.now), rules.waits)

        with recording():
            try:
                return self._store.run(begin)
            except (Refused, NotFound) as refused:
                return LoadBegun(refusal=str(refused))

    @activity.defn
    def load_ended(self, given: LoadEnded) -> None:
        """Available with its image, or failed; the tenure is released."""

        def end(session: Session) -> None:
            if given.why_not:
                background_loads.failed(session, given.target, given.why_not, given.now)
            else:
                background_loads.finished(session, given.target, given.facts, given.now)

        with recording():
            self._store.run(end)
        if not given.why_not:  # a failed step has been counted
            metrics.load_loaded()
