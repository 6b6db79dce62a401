"""Looking for a place, or a throw-away computer, until there is one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session
from temporalio import activity

from activities import rules
from activities.errors import failures
from activities.provisioning import Survey, SurveyInput
from vclab.model.errors import NotYet
from vclab.model.inventory import Answered
from vclab.model.plans import Becomes
from vclab.model.times import dated
from vclab.settings import Settings
from vclab.store import inventories, scheduling, throw_aways
from vclab.store.engine import Store


@dataclass(frozen=True)
class AwaitPlace:
    """Look every ``every`` seconds whether this reservation could begin."""

    reservation: str
    every: float
    site: str = ""


@dataclass(frozen=True)
class AwaitThrowAway:
    """Look every ``every`` seconds whether a capture could have a throw-away computer. ``since``: when it began to wait
    for one."""

    becomes: Becomes
    isolated: bool
    since: datetime
    every: float
    endpoint: str
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

    @activity.defn
    async def await_throw_away(self, given: AwaitThrowAway) -> Survey:
        """What the endpoint says when a throw-away computer can be had. ``NotYet`` says since when none can, and
        why."""
        survey = await self._survey(SurveyInput(given.site, given.endpoint))
        now = activity.info().current_attempt_scheduled_time
        with failures():
            why_not = await asyncio.to_thread(self._why_no_throw_away, given, survey.answers, now)
            if why_not:
                raise NotYet(f"waits since {dated(given.since, UTC)}: {why_not}", given.every)
        return survey

    def _why_no_throw_away(self, given: AwaitThrowAway, answers: Sequence[Answered], now: datetime) -> str:
        def ask(session: Session) -> str:
            said, ours = inventories.read(session, answers, now), self._settings().rules()
            return throw_aways.why_not(session, given.becomes, given.isolated, said, ours, now)

        return self._store.run(ask)

    def _why_not(self, reservation: str, answers: Sequence[Answered], now: datetime) -> str:
        def ask(session: Session) -> str:
            ours = rules.of_reservation(session, self._settings(), reservation)
            return scheduling.why_not_begin(session, reservation, inventories.read(session, answers, now), ours, now)

        return self._store.run(ask)
