"""What is done inside a computer after its load: access, looks at who is connected, notices."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import TypeVar

from temporalio import activity

from activities.errors import failures
from activities.runner import Fence, asking, heartbeating, this_attempt
from vclab.guests.base import Guest, known_guest
from vclab.model.addresses import left
from vclab.model.errors import NotYet, StepFailed, Unreachable, VclabError
from vclab.model.plans import Access, Facts, Target, Whereabouts

T = TypeVar("T")


@dataclass(frozen=True)
class GuestInput:
    """A computer, whom to let in, and for a look: how long until the next one; for a notice: its text."""

    target: Target
    facts: Facts
    access: Access
    look_seconds: float = 15.0
    text: str = ""
    in_use: bool = False  #: a look tells too that the computer is off, or that an older address is not used any more


@dataclass(frozen=True)
class Sighting:
    """What a look saw."""

    connected: bool
    addresses: tuple[str, ...] = ()
    unseen: str = ""  #: why nothing can be seen, for as long as that stays so
    facts: Facts | None = None  #: where the computer is now, if that is elsewhere than known, or it was restarted


class GuestActivities:
    """Activities inside computers, by OS module."""

    def __init__(
        self, guests: Mapping[str, Guest], fence: Fence, whereabouts: Callable[[Target], Whereabouts] | None = None
    ) -> None:
        """``whereabouts`` asks an endpoint for a computer that does not answer where it was; it blocks."""
        self._guests = guests
        self._fence = fence
        self._whereabouts = whereabouts

    async def _reached(self, given: GuestInput, act: Callable[[Facts], Awaitable[T]]) -> tuple[T, Facts]:
        """Act where the computer was last; if it is not there, where its endpoint says that it is now: with each boot,
        and now and then, DHCP may give it another address. The host key makes sure that it is the same one.

        What the act returns, and the facts that it went by. Raises what the act raises; ``Away`` or ``Gone`` when the
        endpoint knows why there is no answer.
        """
        try:
            return await act(given.facts), given.facts
        except (Unreachable, StepFailed) as error:
            found = await self._found(given.target)
            if found.trouble:
                raise (Gone if found.gone else Away)(found.trouble) from error
            if found.address in ("", given.facts.private_address):
                raise
        facts = replace(given.facts, private_address=found.address)
        return await act(facts), facts

    async def _found(self, target: Target) -> Whereabouts:
        if self._whereabouts is None:
            return Whereabouts()
        try:
            return await asyncio.to_thread(self._whereabouts, target)
        except VclabError:
            return Whereabouts()  # the endpoint is away too: what the computer itself said counts

    def _guest(self, given: GuestInput) -> Guest:
        return known_guest(self._guests, given.target.guest)

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
                guest = self._guest(given)
                answer, facts = await self._reached(
                    given, lambda facts: guest.grant_access(given.target, facts, given.access, self._fence_of(given))
                )
                return facts.merged(answer)

    @activity.defn
    async def close_access(self, given: GuestInput) -> None:
        """Let nobody in any more; sessions that are open end."""
        with failures():
            async with self._heartbeating(given):
                await asyncio.to_thread(self._fence.begin, given.target, this_attempt())
                guest = self._guest(given)
                await self._reached(
                    given, lambda facts: guest.close_access(given.target, facts, given.access, self._fence_of(given))
                )

    @activity.defn
    async def await_connection(self, given: GuestInput) -> Sighting:
        """Return once somebody is connected; the computer is tainted from then on."""
        with failures():
            async with self._heartbeating(given):
                seen = await self._look(given)
                if seen.unseen:
                    return seen
                if not seen.connected:
                    raise NotYet(f"nobody is connected; next look in {given.look_seconds:g} s", given.look_seconds)
                await self._taint(given, seen)
                return seen

    @activity.defn
    async def last_look(self, given: GuestInput) -> Sighting:
        """Who is connected now, or was in the last ``look_seconds``, before that nobody is ends anything: no worker may
        have looked for long. Tainted as above; ``unseen`` when it can't be looked at."""
        with failures():
            async with self._heartbeating(given):
                try:
                    seen = await self._look(given)
                except CannotLook as error:
                    return Sighting(False, unseen=f"the computer can't be looked at: {error.why}")
                if seen.connected:
                    await self._taint(given, seen)
                return seen

    async def _taint(self, given: GuestInput, seen: Sighting) -> None:
        facts = given.facts.merged(seen.facts or Facts())
        await asyncio.to_thread(self._fence.check, given.target, this_attempt())
        await self._guest(given).taint(given.target, facts, "a user has connected")

    @activity.defn
    async def await_disconnection(self, given: GuestInput) -> Sighting:
        """Return once nobody is connected any more, or the computer is found elsewhere or restarted; in use also once
        an older address is not used any more."""
        with failures():
            async with self._heartbeating(given):
                # It begins when a connection has just been seen: VCL too looks first after general_inuse_check seconds.
                if activity.info().attempt == 1:
                    raise NotYet(f"connected; first look in {given.look_seconds:g} s", given.look_seconds)
                seen = await self._look(given)
                news = seen.facts is not None or left(given.access.addresses, seen.addresses)
                if seen.connected and not news:
                    raise NotYet(f"still connected; next look in {given.look_seconds:g} s", given.look_seconds)
                return seen

    @activity.defn
    async def await_sight(self, given: GuestInput) -> Sighting:
        """Return once a computer can be looked at again: who is connected to it."""
        with failures():
            async with self._heartbeating(given):
                return await self._look(replace(given, in_use=False))

    async def _look(self, given: GuestInput) -> Sighting:
        """A computer that can't be looked at is not "disconnected": look again.

        In use, one that is off or gone by the word of its endpoint stays so until somebody acts: that is an answer.
        """
        # Whoever came and went since the last look was there; a little more, for looks are never quite on time.
        within, guest = given.look_seconds + 5, self._guest(given)
        try:
            found, facts = await self._reached(
                given, lambda facts: guest.connections(given.target, facts, given.access, within)
            )
        except (Unreachable, Gone) as error:
            if given.in_use and isinstance(error, Away | Gone):
                return Sighting(False, unseen=str(error))
            raise CannotLook(str(error), given.look_seconds) from None
        now = facts.merged(found.facts)
        return Sighting(bool(found), found.addresses, facts=now if now != given.facts else None)

    @activity.defn
    async def reboot_guest(self, given: GuestInput) -> Facts:
        """Ask it to restart. One that is off or gone can't be asked."""
        with failures():
            async with self._heartbeating(given):
                await asyncio.to_thread(self._fence.begin, given.target, this_attempt())
                guest = self._guest(given)
                try:
                    await self._reached(given, lambda facts: guest.reboot(given.target, facts))
                except Away as error:
                    raise StepFailed(str(error)) from None
                return Facts()

    @activity.defn
    async def await_boot(self, given: GuestInput) -> Facts:
        """Return once the computer runs since another boot than the given one: its boot id and addresses."""
        with failures():
            async with self._heartbeating(given):
                guest = self._guest(given)
                try:
                    answer, facts = await self._reached(
                        given, lambda facts: guest.read_public_address(given.target, facts)
                    )
                except Unreachable as error:
                    raise NotYet(str(error), given.look_seconds) from None
                if answer.boot_id == given.facts.boot_id:
                    raise NotYet("it runs since the boot before", given.look_seconds)
                return facts.merged(answer)

    @activity.defn
    async def notify_user(self, given: GuestInput) -> None:
        """Show a notice on the computer's terminals."""
        with failures():
            async with self._heartbeating(given):
                guest = self._guest(given)
                await self._reached(given, lambda facts: guest.notify(given.target, facts, given.text))


class Away(Unreachable):
    """The computer is off, or its host is away: its endpoint says so."""


class Gone(StepFailed):
    """The computer is not there any more: its endpoint says so."""


class CannotLook(NotYet):
    """The computer can't be looked at now, so nothing is known of who is connected."""

    def __init__(self, why: str, next_look_seconds: float) -> None:
        super().__init__(f"{why}; next look in {next_look_seconds:g} s", next_look_seconds)
        self.why = why
