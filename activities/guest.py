"""What is done inside a computer after its load: access, looks at who is connected, notices."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from temporalio import activity

from activities.errors import failures
from activities.runner import Fence, heartbeating
from vclab.guests.base import Guest
from vclab.model.errors import NotYet, Unreachable
from vclab.model.plans import Access, Facts, Target


@dataclass(frozen=True)
class GuestInput:
    """A computer, whom to let in, and for a look: how long until the next one; for a notice: its text."""

    target: Target
    facts: Facts
    access: Access
    look_seconds: float = 15.0
    text: str = ""


@dataclass(frozen=True)
class Seen:
    """What a look saw."""

    connected: bool
    addresses: tuple[str, ...] = ()


class GuestActivities:
    """Activities inside computers, by OS module."""

    def __init__(self, guests: Mapping[str, Guest], fence: Fence) -> None:
        self._guests = guests
        self._fence = fence

    def _guest(self, given: GuestInput) -> Guest:
        return self._guests[given.target.guest]

    def _heartbeating(self, given: GuestInput) -> AbstractAsyncContextManager[object]:
        return heartbeating(lambda: self._fence.check(given.target))

    @activity.defn
    async def grant_access(self, given: GuestInput) -> None:
        """Make the account and open the connect ports to exactly the given addresses."""
        with failures():
            async with self._heartbeating(given):
                await asyncio.to_thread(self._fence.check, given.target)
                await self._guest(given).grant_access(given.target, given.facts, given.access)

    @activity.defn
    async def close_access(self, given: GuestInput) -> None:
        """Let nobody in any more; sessions that are open end."""
        with failures():
            async with self._heartbeating(given):
                await asyncio.to_thread(self._fence.check, given.target)
                await self._guest(given).close_access(given.target, given.facts, given.access)

    @activity.defn
    async def await_connection(self, given: GuestInput) -> Seen:
        """Return once somebody is connected; the computer is tainted from then on."""
        with failures():
            async with self._heartbeating(given):
                seen = await self._look(given)
                if not seen.connected:
                    raise NotYet(f"nobody is connected; next look in {given.look_seconds:g} s", given.look_seconds)
                await self._guest(given).taint(given.target, given.facts, "a user has connected")
                return seen

    @activity.defn
    async def await_disconnection(self, given: GuestInput) -> Seen:
        """Return once nobody is connected any more."""
        with failures():
            async with self._heartbeating(given):
                # It begins when a connection has just been seen: VCL too looks first after general_inuse_check seconds.
                if activity.info().attempt == 1:
                    raise NotYet(f"connected; first look in {given.look_seconds:g} s", given.look_seconds)
                seen = await self._look(given)
                if seen.connected:
                    raise NotYet(f"still connected; next look in {given.look_seconds:g} s", given.look_seconds)
                return seen

    async def _look(self, given: GuestInput) -> Seen:
        """A computer that can't be looked at is not "disconnected": look again."""
        try:
            # Whoever came and went since the last look was there; a little more, for looks are never quite on time.
            within = given.look_seconds + 5
            connections = await self._guest(given).connections(given.target, given.facts, given.access, within)
        except Unreachable as error:
            raise CannotLook(f"{error}; next look in {given.look_seconds:g} s", given.look_seconds) from None
        return Seen(bool(connections), connections.addresses)

    @activity.defn
    async def reboot_guest(self, given: GuestInput) -> Facts:
        """Ask it to restart. Nothing is learned."""
        with failures():
            async with self._heartbeating(given):
                await asyncio.to_thread(self._fence.check, given.target)
                await self._guest(given).reboot(given.target, given.facts)
                return Facts()

    @activity.defn
    async def await_boot(self, given: GuestInput) -> Facts:
        """Return once the computer runs since another boot than the given one: its boot id and public address."""
        with failures():
            async with self._heartbeating(given):
                try:
                    facts = await self._guest(given).read_public_address(given.target, given.facts)
                except Unreachable as error:
                    raise NotYet(str(error), given.look_seconds) from None
                if facts.boot_id == given.facts.boot_id:
                    raise NotYet("it runs since the boot before", given.look_seconds)
                return facts

    @activity.defn
    async def notify_user(self, given: GuestInput) -> None:
        """Show a notice on the computer's terminals."""
        with failures():
            async with self._heartbeating(given):
                await self._guest(given).notify(given.target, given.facts, given.text)


class CannotLook(NotYet):
    """The computer can't be looked at now, so nothing is known of who is connected."""
