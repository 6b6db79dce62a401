"""What is done inside a computer after its load: access, restarts, notices."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from temporalio import activity

from activities.errors import failures
from activities.reach import Away, GuestInput, Reach
from activities.runner import Fence, asking, heartbeating, this_attempt
from activities.verified import Verified
from vclab.model.errors import StepFailed
from vclab.model.plans import Access, Facts


class GuestActivities:
    """Acts inside computers."""

    def __init__(self, reach: Reach, fence: Fence, verified: Verified) -> None:
        """``verified``: whom to let in, as it is recorded; it blocks."""
        self._reach = reach
        self._fence = fence
        self._verified = verified

    def _fence_of(self, given: GuestInput) -> Callable[[], None]:
        return asking(self._fence, given.target)

    def _heartbeating(self, given: GuestInput) -> AbstractAsyncContextManager[object]:
        return heartbeating(self._fence_of(given))

    async def _begun(self, given: GuestInput) -> GuestInput:
        """As ``_verified_by``, and older attempts are refused from now on."""
        attempt = this_attempt()
        return await self._verified_by(lambda: self._fence.begin(given.target, attempt), given)

    async def _verified_by(self, fence: Callable[[], None], given: GuestInput) -> GuestInput:
        """What is given is a claim: the same, as the store has it. Raises ``Fenced`` and ``Refused``."""

        def verified() -> Access:
            fence()
            return self._verified(given.target, given.facts, given.access)

        return replace(given, access=await asyncio.to_thread(verified))

    @activity.defn
    async def grant_access(self, given: GuestInput) -> Facts:
        """Make the account and open the connect ports to exactly the given addresses. Where the computer is now."""
        with failures():
            async with self._heartbeating(given):
                given = await self._begun(given)
                guest, fence = self._reach.guest(given), self._fence_of(given)
                answer, facts = await self._reach.reached(
                    given, lambda facts: guest.grant_access(given.target, facts, given.access, fence)
                )
                return facts.merged(answer)

    @activity.defn
    async def close_access(self, given: GuestInput) -> None:
        """Let nobody in any more; sessions that are open end."""
        with failures():
            async with self._heartbeating(given):
                given = await self._begun(given)
                guest, fence = self._reach.guest(given), self._fence_of(given)
                await self._reach.reached(
                    given, lambda facts: guest.close_access(given.target, facts, given.access, fence)
                )

    @activity.defn
    async def reboot_guest(self, given: GuestInput) -> Facts:
        """Ask it to restart. One that is off or gone can't be asked."""
        with failures():
            async with self._heartbeating(given):
                given = await self._begun(given)
                guest = self._reach.guest(given)
                try:
                    await self._reach.reached(given, lambda facts: guest.reboot(given.target, facts))
                except Away as error:
                    raise StepFailed(str(error)) from None
                return Facts()

    @activity.defn
    async def notify_user(self, given: GuestInput) -> None:
        """Show a notice on the computer's terminals."""
        with failures():
            async with self._heartbeating(given):
                given = await self._verified_by(self._fence_of(given), given)
                guest = self._reach.guest(given)
                await self._reach.reached(given, lambda facts: guest.notify(given.target, facts, given.text))
