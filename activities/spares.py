"""Making a machine that nobody could have logged in to fit for the next reservation."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from temporalio import activity

from activities.errors import failures, redacted
from activities.runner import Fence, asking, heartbeating, this_attempt
from activities.verified import Verified
from vclab.guests.base import Guest, known_guest
from vclab.model.errors import Refused, StepFailed, VclabError
from vclab.model.plans import Access, Facts, Status, Target


@dataclass(frozen=True)
class SpareInput:
    """A computer that is taken back, and whom its reservation let in."""

    target: Target
    facts: Facts
    access: Access
    opened: bool = False  #: Connect was pressed, and it may have been opened
    opened_seconds: float = 0.0  #: so long ago, when this was scheduled


class SpareActivities:
    """Activities inside computers that may be kept, by OS module."""

    def __init__(self, guests: Mapping[str, Guest], fence: Fence, verified: Verified) -> None:
        """``verified``: whom its reservation let in, as it is recorded; it blocks."""
        self._guests = guests
        self._fence = fence
        self._verified = verified

    @activity.defn
    async def make_spare(self, given: SpareInput) -> str:
        """Shut the computer, see that nobody could have logged in, sanitize it, and see what it says it is.

        The answer is why it can't be a spare; empty when it can. A taint is written into ``currentimage.txt``.
        """
        with failures():
            async with heartbeating(asking(self._fence, given.target)) as context:
                await asyncio.to_thread(self._fence.begin, given.target, this_attempt())
                try:
                    return await self._make(given, context.fence)
                except (StepFailed, Refused) as error:
                    return redacted(str(error))

    async def _make(self, given: SpareInput, fence: Callable[[], None]) -> str:
        guest, target, facts = known_guest(self._guests, given.target.guest), given.target, given.facts
        access = await asyncio.to_thread(self._verified, target, facts, given.access)
        if given.opened and access.sudo:
            return await self._tainted(given, f"{access.login} was let in with root rights")
        if given.opened:
            info = activity.info()  # by the server's clock; it may have waited for a worker, or for another try
            seconds = given.opened_seconds + (info.started_time - info.scheduled_time).total_seconds()
            why = await guest.why_tainted(target, facts, access, seconds)
            if why:
                return await self._tainted(given, why)
        await asyncio.to_thread(fence)
        await guest.sanitize(target, facts, access, opened=False, fence=fence)
        status = await guest.node_status(target, facts)
        return "" if status.status is Status.READY else status.why or "it does not say that it is ready"

    async def _tainted(self, given: SpareInput, why: str) -> str:
        """Say so on the computer too, as far as it lets us; why it can't be kept."""
        with suppress(VclabError):
            await known_guest(self._guests, given.target.guest).taint(given.target, given.facts, why)
        return f"tainted: {why}"
