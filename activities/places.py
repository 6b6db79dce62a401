"""Looking for a place until there is one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session
from temporalio import activity

from activities import rules
from activities.errors import failures
from activities.provisioning import Survey, SurveyInput
from vclab.model.errors import NotYet
from vclab.model.inventory import Answered
from vclab.settings import Settings
from vclab.store import inventories, scheduling
from vclab.store.engine import Store


@dataclass(frozen=True)
class AwaitPlace:
    """Look every ``every`` seconds whether this reservation could begin."""

    reservation: str
    every: float
    site: str = ""


class PlaceActivities:
    """Reads only: what it finds is taken by a record."""

    def __init__(
        self, survey: Callable[[SurveyInput], Awaitable[Survey]], store: Store, settings: Callable[[], Settings]
    ) -> None:
        self._survey = survey
        self._store = store
        self._settings = settings

    @activity.defn
    async def await_place(self, given: AwaitPlace) -> None:
        """Return when a computer can be had for the reservation. ``NotYet`` says why none can."""
        survey = await self._survey(SurveyInput(given.site))
        # The server's clock: by it the record goes that is to take the place.
        now = activity.info().current_attempt_scheduled_time
        with failures():
            why_not = await asyncio.to_thread(self._why_not, given.reservation, survey.answers, now)
            if why_not:
                raise NotYet(f"no computer yet: {why_not}", given.every)

    def _why_not(self, reservation: str, answers: Sequence[Answered], now: datetime) -> str:
        def ask(session: Session) -> str:
            ours = rules.of_reservation(session, self._settings(), reservation)
            return scheduling.why_not_begin(session, reservation, inventories.read(session, answers, now), ours, now)

        return self._store.run(ask)
