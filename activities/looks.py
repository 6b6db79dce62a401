"""Looks at computers that people may use. A look changes nothing, but for the taint of a computer that a user is in."""

import asyncio
from dataclasses import dataclass

from temporalio import activity

from activities.errors import failures
from activities.reach import Away, Gone, GuestInput, Reach
from activities.runner import Fence
from activities.watch import CannotLook, Watch
from vclab.model.addresses import left
from vclab.model.errors import NotYet, Unreachable
from vclab.model.plans import Facts


@dataclass(frozen=True)
class Sighting:
    """What a look saw."""

    connected: bool
    addresses: tuple[str, ...] = ()
    unseen: str = ""  #: why nothing can be seen, for as long as that stays so
    facts: Facts | None = None  #: where the computer is now, if that is elsewhere than known, or it was restarted


class LookActivities:
    """Each is one activity for as long as it is looked: it returns when there is news."""

    def __init__(self, reach: Reach, fence: Fence, watch: Watch) -> None:
        self._reach = reach
        self._fence = fence
        self._watch = watch

    @activity.defn
    async def await_connection(self, given: GuestInput) -> Sighting:
        """Return once somebody is connected; the computer is tainted from then on."""

        async def look() -> Sighting:
            seen = await self._look(given)
            if seen.unseen:
                return seen
            if not seen.connected:
                raise NotYet(f"nobody is connected; next look in {given.look_seconds:g} s", given.look_seconds)
            await self._taint(given, seen)
            return seen

        with failures():
            return await self._watch.until(look)

    @activity.defn
    async def last_look(self, given: GuestInput) -> Sighting:
        """Who is connected now, or was in the last ``look_seconds``, before that nobody is ends anything: no worker may
        have looked for long. Tainted as above; ``unseen`` when it can't be looked at."""

        async def look() -> Sighting:
            try:
                seen = await self._look(given)
            except CannotLook as error:
                return Sighting(False, unseen=f"the computer can't be looked at: {error.why}")
            if seen.connected:
                await self._taint(given, seen)
            return seen

        with failures():
            return await self._watch.until(look)

    @activity.defn
    async def await_disconnection(self, given: GuestInput) -> Sighting:
        """Return once nobody is connected any more, or the computer is found elsewhere or restarted; in use also once
        an older address is not used any more."""

        async def look() -> Sighting:
            seen = await self._look(given)
            news = seen.facts is not None or left(given.access.addresses, seen.addresses)
            if seen.connected and not news:
                raise NotYet(f"still connected; next look in {given.look_seconds:g} s", given.look_seconds)
            return seen

        # It begins when a connection has just been seen: VCL too looks first after general_inuse_check seconds.
        first = NotYet(f"connected; first look in {given.look_seconds:g} s", given.look_seconds)
        with failures():
            return await self._watch.until(look, first)

    @activity.defn
    async def await_sight(self, given: GuestInput) -> Sighting:
        """Return once a computer can be looked at again: who is connected to it; in use also once it can't be looked at
        for another reason: one that was off may have been deleted."""

        async def look() -> Sighting:
            seen = await self._look(given)
            if seen.unseen and seen.unseen == given.unseen:
                raise CannotLook(seen.unseen, given.look_seconds)
            return seen

        with failures():
            return await self._watch.until(look)

    @activity.defn
    async def await_boot(self, given: GuestInput) -> Facts:
        """Return once the computer runs since another boot than the given one: its boot id and addresses."""
        with failures():
            return await self._watch.until(lambda: self._booted(given))

    async def _booted(self, given: GuestInput) -> Facts:
        guest = self._reach.guest(given)
        try:
            answer, facts = await self._reach.reached(
                given, lambda facts: guest.read_public_address(given.target, facts)
            )
        except Unreachable as error:
            raise NotYet(str(error), given.look_seconds) from None
        if answer.boot_id == given.facts.boot_id:
            raise NotYet("it runs since the boot before", given.look_seconds)
        return facts.merged(answer)

    async def _taint(self, given: GuestInput, seen: Sighting) -> None:
        """Fenced: a look that its workflow has given up may still be under way when somebody else has the computer.

        In the same tenure, a taint that comes late is harmless: the user was there.
        """
        facts = given.facts.merged(seen.facts or Facts())
        await asyncio.to_thread(self._fence.check, given.target, None)
        await self._reach.guest(given).taint(given.target, facts, "a user has connected")

    async def _look(self, given: GuestInput) -> Sighting:
        """A computer that can't be looked at is not "disconnected": look again.

        In use, one that is off or gone by the word of its endpoint stays so until somebody acts: that is an answer.
        """
        # Whoever came and went since the last look was there; a little more, for looks are never quite on time.
        within, guest = given.look_seconds + 5, self._reach.guest(given)
        try:
            found, facts = await self._reach.reached(
                given, lambda facts: guest.connections(given.target, facts, given.access, within)
            )
        except (Unreachable, Gone) as error:
            if given.in_use and isinstance(error, Away | Gone):
                return Sighting(False, unseen=str(error))
            raise CannotLook(str(error), given.look_seconds) from None
        now = facts.merged(found.facts)
        return Sighting(bool(found), found.addresses, facts=now if now != given.facts else None)
