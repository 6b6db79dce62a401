"""What can be seen of a computer whose load has failed, before anything of it is removed."""

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from temporalio import activity

from activities.errors import failures, redacted
from activities.runner import heartbeating, unfenced
from vclab.guests.base import Guest, known_guest
from vclab.model.plans import Evidence, Facts, Target
from vclab.provisioning.base import ProvisioningModule, known_module

SECONDS = 10.0
"""For each of the two who are asked: a user waits, and what does not answer by then is evidence too."""

MOST_LINES, LONGEST_LINE = 40, 300


@dataclass(frozen=True)
class EvidenceInput:
    """A computer, and what its load has learned of it."""

    target: Target
    facts: Facts


class EvidenceActivities:
    """Looks only, so no fence is asked: nothing is changed anywhere."""

    def __init__(
        self, modules: Mapping[str, ProvisioningModule], guests: Mapping[str, Guest], executor: Executor
    ) -> None:
        self._modules = modules
        self._guests = guests
        self._executor = executor

    @activity.defn
    async def gather_evidence(self, given: EvidenceInput) -> Evidence:
        """What the endpoint and the computer itself say now. Whoever can't be asked is named instead; never fails."""
        with failures():
            async with heartbeating(unfenced):
                seen, said = await asyncio.gather(self._endpoint(given.target), self._console(given))
                console = lines((*seen.console, *said.console))
                return replace(seen, console=console, missing=seen.missing + said.missing)

    async def _endpoint(self, target: Target) -> Evidence:
        try:
            look = known_module(self._modules, target.module).evidence
            async with asyncio.timeout(SECONDS):
                seen = await asyncio.get_running_loop().run_in_executor(self._executor, look, target)
        except Exception as error:
            return Evidence(missing=(_missing(target.endpoint, error),))
        return replace(seen, endpoint=lines(seen.endpoint))

    async def _console(self, given: EvidenceInput) -> Evidence:
        if not given.target.traits.guest:
            return Evidence()
        if not given.facts.private_address or not given.facts.host_key:
            return Evidence(missing=(f"{given.target.computer} itself: it was not reached by then",))
        try:
            guest = known_guest(self._guests, given.target.guest)
            async with asyncio.timeout(SECONDS):
                return Evidence(console=lines(await guest.console(given.target, given.facts)))
        except Exception as error:
            return Evidence(missing=(_missing(given.target.computer, error),))


def lines(said: Iterable[str]) -> tuple[str, ...]:
    """The last lines, printable, short, and without what looks like a secret: they are kept for good."""
    plain = ["".join(c if c.isprintable() else " " for c in line).rstrip() for line in said]
    return tuple(redacted(line)[:LONGEST_LINE] for line in plain if line)[-MOST_LINES:]


def _missing(whom: str, error: Exception) -> str:
    text = f"no answer within {SECONDS:.0f} s" if isinstance(error, TimeoutError) else str(error)
    return redacted(f"{whom}: {text or type(error).__name__}")[:LONGEST_LINE]
