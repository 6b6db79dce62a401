"""The rules of reserving, as pure functions. Every refusal says what would be allowed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from vclab.model.catalog import Image
from vclab.model.durations import format_duration
from vclab.model.errors import NotFound
from vclab.model.nights import Night
from vclab.model.reservations import Waits
from vclab.model.traits import Traits

RUN_EVENTS = 2000
"""A reservation in use whose history has more events goes on in a new run. Temporal suggests it at 4,096 events."""

LEAST_CHILD_FACTOR = 0.05
"""Of its virtual size any child claims at least so much."""


@dataclass(frozen=True)
class Limits:
    """What a user may ask for, in seconds (defaults in ``vclab.settings``). Operators pass all but ``horizon``."""

    shortest: float
    first: float
    total: float
    extension: float
    at_once: int
    horizon: float


@dataclass(frozen=True)
class Health:
    """When failed loads speak against a host, and how often a resting host is checked, in seconds."""

    images: int = 3  #: a host rests after failed loads of so many different images in a row
    check_after: float = 600.0  #: the first check; each one in vain doubles the pause
    check_longest: float = 21_600.0  #: the longest pause between two checks
    check_computers_every: float = 3600.0  #: a computer that is lent is checked so often while nobody has it; 0: never


@dataclass(frozen=True)
class Idle:
    """What is done with computers that nobody has."""

    loads_per_network: int = 8  #: background loads at one time of computers whose BMCs are in one network (/24)
    loads_per_site: int = 16  #: and at one site, which has its repositories
    off_after: float = 900.0
    """Seconds: a computer that nobody has had for so long, and nobody is promised within as long, is switched off where
    its group says so."""


@dataclass(frozen=True)
class Library:
    """How the library looks after itself; seconds, bytes a second."""

    keep: float = 30 * 86400.0  #: from a revision's retirement to its deletion
    keep_captured: float = 30 * 86400.0  #: what was captured at the end of its reservation is for tests so long
    verify_every: float = 30 * 86400.0  #: each copy is read back so often; 0: never
    rate: int = 0  #: at most, of what is read back or sent between repositories and datastores; 0: no limit
    night: Night | None = None  #: when copies that nobody waits for are made and read back; None: at any time

    def may_begin(self, now: datetime) -> bool:
        """Whether work that nobody waits for may begin now."""
        return self.night is None or self.night.has(now)


@dataclass(frozen=True)
class Rules:
    """What the store must know of the settings. A claim is [start - lead, end + turnaround), in seconds."""

    installation: str
    limits: Limits
    waits: Waits = field(default_factory=Waits)
    lead: float = 0.0
    turnaround: float = 300.0
    child_factor: float = 1.0  #: of its virtual size a child claims so much, unless its image says otherwise
    health: Health = field(default_factory=Health)
    library: Library = field(default_factory=Library)
    idle: Idle = field(default_factory=Idle)
    modules: Mapping[str, Traits] = field(default_factory=dict)  #: every provisioning module that this release has

    def traits(self, module: str) -> Traits:
        """What a provisioning module can do. Raises ``NotFound`` for one that this release does not have."""
        if module not in self.modules:
            raise NotFound(f"this release of vclab has no provisioning module {module}")
        return self.modules[module]

    def claimed_gb(self, image: Image, linked: bool = True) -> int:
        """GiB that the disk of a machine of the image claims: a full copy all of its size; a child the share that its
        image says, or else the setting, rounded up. ``linked``: disks can be children there."""
        if not linked or image.dedicated or image.module not in self.modules or not self.modules[image.module].copies:
            return image.disk_gb
        share = image.disk_gb * (image.child_factor or self.child_factor)
        return max(1, math.ceil(round(share, 6)))  # 30 x 0.1 is 3, not a little more

    def reloadable(self) -> list[str]:
        """The modules whose computers stay and can be loaded anew."""
        return [name for name, traits in self.modules.items() if traits.reloadable]


def why_not_duration(limits: Limits, seconds: float, operator: bool) -> str:
    """Why a reservation can't last ``seconds``; empty when it can."""
    if not math.isfinite(seconds) or seconds <= 0:
        return "the duration must be positive"
    if seconds > limits.horizon:
        return f"a reservation can last at most {format_duration(limits.horizon)}"
    if operator:
        return ""
    if seconds < limits.shortest:
        return f"the shortest reservation is {format_duration(limits.shortest)}, not {format_duration(seconds)}"
    if seconds > limits.first:
        return (
            f"a reservation may last at most {format_duration(limits.first)} at first, not {format_duration(seconds)};"
            f" it can be extended later, up to {format_duration(limits.total)} in all"
        )
    return ""


def why_not_another(limits: Limits, user: str, open_ids: Sequence[str], operator: bool) -> str:
    """Why the user can't have one more reservation; empty when they can."""
    if operator or len(open_ids) < limits.at_once:
        return ""
    return (
        f"{user} has {len(open_ids)} of at most {limits.at_once} reservations at one time"
        f" ({', '.join(open_ids)}); end one first"
    )


def why_not_start(limits: Limits, start: datetime, seconds: float, now: datetime) -> str:
    """Why nothing that lasts ``seconds`` can start then; empty when it can. Binds operators too.

    ``start`` may be any date that can be written; nothing is added to it.
    """
    if start <= now:
        return f"the start {start:%Y-%m-%d %H:%M %Z} is in the past"
    if start > now + timedelta(seconds=limits.horizon - seconds):
        return f"the start is later than {format_duration(limits.horizon)} from now"
    return ""


@dataclass(frozen=True)
class Span:
    """A reservation in time: [starts, ends)."""

    id: str
    starts: datetime
    ends: datetime


def most_at_once(spans: Iterable[Span], starts: datetime, ends: datetime) -> tuple[datetime, list[str]]:
    """The first moment of [starts, ends) at which most of the spans overlap, and the ids of those."""
    inside = sorted((s for s in spans if s.starts < ends and starts < s.ends), key=lambda span: span.starts)
    moments = [starts, *(s.starts for s in inside if s.starts > starts)]
    together = [(at, [s.id for s in inside if s.starts <= at < s.ends]) for at in moments]
    return max(together, key=lambda most: len(most[1]))


def first_start(limits: Limits, spans: Sequence[Span], starts: datetime, length: timedelta) -> datetime:
    """The first moment from ``starts`` on from which a user with these spans may have another one of that length."""
    for moment in (starts, *sorted(span.ends for span in spans if span.ends > starts)):
        _, most = most_at_once(spans, moment, moment + length)
        if len(most) < limits.at_once:
            break
    return moment


def latest_end(limits: Limits, ready: datetime, end: datetime, now: datetime, operator: bool) -> tuple[datetime, str]:
    """The latest end that an extension may set, and the limit that sets it. ``ready``: when the user's time began."""
    bounds = [(now + timedelta(seconds=limits.horizon), f"{format_duration(limits.horizon)} from now")]
    if not operator:
        bounds += [
            (end + timedelta(seconds=limits.extension), f"{format_duration(limits.extension)} at a time"),
            (ready + timedelta(seconds=limits.total), f"{format_duration(limits.total)} in all"),
        ]
    return min(bounds)
