"""Records of computers that are brought back to their image. The rules of activities/records.py hold here too."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session
from temporalio import activity

from activities import rules
from activities.recording import recording
from vclab.model.errors import Refused
from vclab.model.intents import Verb
from vclab.model.messages import Reinstall
from vclab.model.plans import Target
from vclab.model.reservations import Placed
from vclab.settings import Settings
from vclab.store import intents, reinstalling
from vclab.store.engine import Store


@dataclass(frozen=True)
class ReinstallInput:
    """Somebody wants the computer reinstalled."""

    reservation: str
    message: Reinstall
    now: datetime


@dataclass(frozen=True)
class ReinstallAsked:
    """The revision that it becomes; or why not."""

    revision: int = 0
    refusal: str = ""


@dataclass(frozen=True)
class ReinstallBegins:
    """What was on the target's computer is verified gone."""

    target: Target
    revision: int
    now: datetime


@dataclass(frozen=True)
class ReinstallBegun:
    """Where it is placed now; None: it has ended."""

    placed: Placed | None = None


class ReinstallRecords:
    """Record activities."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._settings = settings

    @activity.defn
    def reinstall_asked(self, given: ReinstallInput) -> ReinstallAsked:
        """Which revision it becomes. That it can't be is an answer."""
        id, message = given.reservation, given.message

        def ask(session: Session) -> int:
            by = intents.author(session, message.intent, Verb.REINSTALL, id, revision=message.revision)
            return reinstalling.asked(session, id, message.revision, by, given.now)

        with recording(of_act=True):
            try:
                return ReinstallAsked(self._store.run(ask))
            except Refused as refused:
                return ReinstallAsked(refusal=str(refused))

    @activity.defn
    def reinstall_begins(self, given: ReinstallBegins) -> ReinstallBegun:
        """The computer is taken anew."""

        def begin(session: Session) -> Placed | None:
            ours = rules.of_reservation(session, self._settings(), given.target.reservation)
            return reinstalling.begin(session, given.target, given.revision, ours, given.now)

        with recording():
            return ReinstallBegun(self._store.run(begin))
