"""What failed loads say about hosts and revisions."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

BY_FAILURES = "failed loads"
"""Why a host rests: loads of different images failed on it. Anything else is the login of an operator."""

BY_CHECK = "a check"
"""What brought a host back: its endpoint says that it can be used."""


@dataclass(frozen=True)
class Failure:
    """A load that failed."""

    reservation: str
    endpoint: str
    host: str
    image: str
    revision: int
    step: str
    in_guest: bool  #: see ``Step.in_guest``
    cause: str
    at: datetime


@dataclass(frozen=True)
class Suspect:
    """A revision that failed in the guest in several places since its last good load; ``since``: the last of these."""

    image: str
    revision: int
    since: datetime
    failures: tuple[Failure, ...]

    def text(self) -> str:
        """One line for people."""
        places = ", ".join(dict.fromkeys(failure.host for failure in self.failures))
        last = self.failures[-1]
        return (
            f"revision {self.revision} of {self.image} is suspect: its last loads failed inside the machine on "
            f"{places} (last at {last.step}: {last.cause})"
        )


@dataclass(frozen=True)
class Rest:
    """A host on which nothing is placed for now."""

    endpoint: str
    host: str
    since: datetime
    why: str
    by: str  #: ``BY_FAILURES``, or the login of the operator who ordered it
    next_check: datetime | None  #: None: until somebody brings it back
    checks: int  #: which found that it can't be used yet
    last_check: str  #: what the last one found

    def text(self, shown: Callable[[datetime], str]) -> str:
        """One line for people; ``shown`` tells a time in their zone."""
        whose = "" if self.by == BY_FAILURES else f" by order of {self.by}"
        then = f"it is checked at {shown(self.next_check)}" if self.next_check else "`vclab host wake` brings it back"
        last = f"; the last check: {self.last_check}" if self.last_check else ""
        return f"rests since {shown(self.since)}{whose}: {self.why}{last}; {then}"
