"""Checks of idle computers: records, and the look at a computer from its site."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from temporalio import activity

from activities.errors import failures, redacted
from activities.recording import recording
from activities.runner import heartbeating, unfenced
from vclab.guests.base import Guest, known_guest
from vclab.model.computer_checks import CheckOrder, Seen, Verdict
from vclab.model.errors import NotFound, NotOurs, NotYet, Refused, StepFailed, Unreachable
from vclab.settings import Settings
from vclab.store import computer_checks
from vclab.store.engine import Store

SSH_PORT = 22
ANSWER_SECONDS = 3.0
"""Within which an idle computer accepts a connection; it is tried twice."""


@dataclass(frozen=True)
class CheckBegins:
    """Hold the computer."""

    computer: str
    now: datetime


@dataclass(frozen=True)
class CheckBegun:
    """What is to be looked at; or why nothing is."""

    order: CheckOrder | None = None
    refusal: str = ""


@dataclass(frozen=True)
class CheckEnded:
    """What follows from what was found."""

    order: CheckOrder
    verdict: Verdict
    now: datetime


class CheckRecords:
    """Record activities of the workflow ``Check``."""

    def __init__(self, store: Store, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._settings = settings

    @activity.defn
    def check_begins(self, given: CheckBegins) -> CheckBegun:
        """Take the tenure. That somebody has it, or is to have it soon, is an answer."""
        rules = self._settings().rules()
        with recording():
            try:
                order = self._store.run(lambda s: computer_checks.begin(s, given.computer, rules, given.now))
            except (Refused, NotFound) as refused:
                return CheckBegun(refusal=str(refused))
        return CheckBegun(order)

    @activity.defn
    def check_ended(self, given: CheckEnded) -> None:
        """What was found is kept; the tenure is released."""
        with recording():
            self._store.run(lambda s: computer_checks.end(s, given.order, given.verdict, given.now))


class CheckActivities:
    """The look. It changes nothing."""

    def __init__(self, guests: Mapping[str, Guest]) -> None:
        self._guests = guests

    @activity.defn
    async def look_at_computer(self, order: CheckOrder) -> Seen:
        """What is seen of it. That it does not answer, or lets nobody in, is a fact."""
        with failures():
            async with heartbeating(unfenced):
                return await self._seen(order)

    @activity.defn
    async def await_computer(self, order: CheckOrder) -> None:
        """Whether it answers by now, after it was switched on. Raises ``NotYet``."""
        with failures():
            seen = await self._seen(order)
            if seen.silent or seen.shut:
                raise NotYet(seen.silent or seen.shut)

    async def _seen(self, order: CheckOrder) -> Seen:
        """Raises ``Unreachable`` when this worker does not have the guest."""
        if not order.looks_inside:
            return Seen(silent=await _silent(order.facts.private_address))
        guest, asked = known_guest(self._guests, order.target.guest), order.target.traits.reloadable
        try:
            inside = await guest.health(order.target, order.facts)
            return Seen(inside=inside, status=await guest.node_status(order.target, order.facts) if asked else None)
        except Unreachable as error:
            return Seen(silent=redacted(str(error)))
        except (StepFailed, NotOurs) as error:
            return Seen(shut=redacted(str(error)))


async def _silent(address: str) -> str:
    """Why nothing accepts a connection there; empty when something does, or refuses it: then the computer is on."""
    if not address:
        return ""
    why = ""
    for _ in range(2):
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                _, writer = await asyncio.open_connection(address, SSH_PORT)
            writer.close()
            return ""
        except ConnectionRefusedError:
            return ""
        except TimeoutError:
            why = "no answer"
        except OSError as error:
            why = error.strerror or str(error)
    return f"it does not answer at {address}: {why}"
