"""Loads that failed, and what that says of hosts and images, as people and programs see it."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from vclab.contract.views import Time, View
from vclab.model import health
from vclab.model.health import BY_FAILURES

if TYPE_CHECKING:
    from vclab.model import reservations


class FailedStep(View):
    """A step that failed for good, with what could be seen of the computer then."""

    at: Time
    computer: str
    generation: int
    host: str
    step: str
    number: int  #: in the plan; 0 before there was one
    title: str
    cause: str
    power: str
    endpoint: tuple[str, ...]  #: what its endpoint said of the machine
    console: tuple[str, ...]  #: the machine's own last lines
    missing: tuple[str, ...]  #: what could not be seen, and why

    @classmethod
    def of(cls, failed: "reservations.FailedStep") -> "FailedStep":
        """As it was recorded."""
        seen = failed.evidence
        return cls(
            at=failed.at,
            computer=failed.computer,
            generation=failed.generation,
            host=failed.host,
            step=failed.step,
            number=failed.number,
            title=failed.title,
            cause=failed.cause,
            power=seen.power,
            endpoint=seen.endpoint,
            console=seen.console,
            missing=seen.missing,
        )


class FailedLoad(View):
    """A load that failed, and where."""

    reservation: str
    endpoint: str
    host: str
    image: str
    revision: int
    step: str
    in_guest: bool  #: it failed inside the machine, so the image may be to blame
    cause: str
    at: Time

    @classmethod
    def of(cls, failure: health.Failure) -> "FailedLoad":
        """As it was recorded."""
        return cls(**vars(failure))


class Suspect(View):
    """A revision of an image that failed inside the machine on several hosts since its last good load."""

    image: str
    revision: int
    since: Time
    failures: tuple[FailedLoad, ...]
    text: str  #: one line for people

    @classmethod
    def of(cls, suspect: health.Suspect) -> "Suspect":
        """As it follows from the failed loads."""
        return cls(
            image=suspect.image,
            revision=suspect.revision,
            since=suspect.since,
            failures=tuple(map(FailedLoad.of, suspect.failures)),
            text=suspect.text(),
        )


class RestingHost(View):
    """A host on which nothing is placed for now."""

    endpoint: str
    host: str
    since: Time
    why: str
    by: str | None  #: the operator who ordered it; null: failed loads
    checks: int  #: which found that it can't be used yet
    last_check: str | None
    next_check: Time | None  #: null: only an operator brings it back

    @classmethod
    def of(cls, rest: health.Rest) -> "RestingHost":
        """As it was recorded."""
        by = None if rest.by == BY_FAILURES else rest.by
        return cls(**vars(rest) | {"by": by, "last_check": rest.last_check or None})

    def text(self, shown: Callable[[datetime], str]) -> str:
        """One line for people; ``shown`` tells a time in their zone."""
        known = {**dict(self), "by": self.by or BY_FAILURES, "last_check": self.last_check or ""}
        return health.Rest(**known).text(shown)
