"""Acting inside a computer where it is now: its endpoint is asked when it does not answer where it was."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from vclab.guests.base import Guest, known_guest
from vclab.model.errors import StepFailed, Unreachable, VclabError
from vclab.model.plans import Access, Facts, Target, Whereabouts

T = TypeVar("T")

ASKED_AT_ONCE = 4
"""Of each endpoint."""
PATIENCE = 20.0
"""Seconds until an endpoint's answer counts as none."""


@dataclass(frozen=True)
class GuestInput:
    """A computer, whom to let in, and for a look: how long until the next one; for a notice: its text."""

    target: Target
    facts: Facts
    access: Access
    look_seconds: float = 15.0
    text: str = ""
    in_use: bool = False  #: a look tells too that the computer is off, or that an older address is not used any more
    unseen: str = ""  #: why nothing could be seen so far


class Away(Unreachable):
    """The computer is off, or its host is away: its endpoint says so."""


class Gone(StepFailed):
    """The computer is not there any more: its endpoint says so."""


class Reach:
    """The guests of a worker, and how their computers are found."""

    def __init__(
        self, guests: Mapping[str, Guest], whereabouts: Callable[[Target], Whereabouts] = lambda _: Whereabouts()
    ) -> None:
        """``whereabouts`` asks an endpoint for a computer that does not answer where it was; it blocks."""
        self._guests = guests
        self._whereabouts = whereabouts
        self._threads: dict[str, ThreadPoolExecutor] = {}

    def guest(self, given: GuestInput) -> Guest:
        """What acts inside this computer."""
        return known_guest(self._guests, given.target.guest)

    async def reached(self, given: GuestInput, act: Callable[[Facts], Awaitable[T]]) -> tuple[T, Facts]:
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
        """Nothing when the endpoint is away too: what the computer itself said counts then."""
        try:
            return await asyncio.wait_for(self._ask(target), PATIENCE)
        except (VclabError, TimeoutError):
            return Whereabouts()

    def _ask(self, target: Target) -> asyncio.Future[Whereabouts]:
        """Each endpoint has threads of its own: one that does not answer holds up nobody at another."""
        threads = self._threads.get(target.endpoint)
        if threads is None:
            threads = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix=f"whereabouts-{target.endpoint}")
            self._threads[target.endpoint] = threads
        return asyncio.get_running_loop().run_in_executor(threads, self._whereabouts, target)
