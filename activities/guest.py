"""What is done inside a computer after its load: access, restarts, notices."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from temporalio import activity

from activities.errors import failures
from activities.reach import Away, GuestInput, Reach
from activities.runner import Fence, asking, heartbeating, this_attempt
from vclab.model.errors import StepFailed
from vclab.model.plans import Facts


class GuestActivities:
    """Acts inside computers."""

    def __init__(self, reach: Reach, fence: Fence) -> None:
        self._reach = reach
        self._fence = fence

    def _fence_of(self, given: GuestInput) -> Callable[[], None]:
        return asking(self._fence, given.target)

    def _heartbeating(self, given: GuestInput) -> AbstractAsyncContextManager[object]:
        return heartbeating(self._fence_of(given))

    @activity.defn
    async def grant_access(self, given: GuestInput) -> Facts:
        """Make the account and open the connect ports to exactly the given addresses. Where the computer is now."""
        with failures():
            async with self._heartbeating(given):
                await asyncio.to_thread(self._fence.begin, given.target, this_attempt())
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
                await asyncio.to_thread(self._fence.begin, given.target, this_attempt())
                guest, fence = self._reach.guest(given), self._fence_of(given)
                await self._reach.reached(
                    given, lambda facts: guest.close_access(given.target, facts, given.access, fence)
                )

    @activity.defn
    async def reboot_guest(self, given: GuestInput) -> Facts:
        """Ask it to restart. One that is off or gone can't be asked."""
        with failures():
            async with self._heartbeating(given):
                await asyncio.to_thread(self._fence.begin, given.target, this_attempt())
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
                guest = self._reach.guest(given)
                await self._reach.reached(given, lambda facts: guest.notify(given.target, facts, given.text))
