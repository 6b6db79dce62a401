"""One search for a place: for what, for whom, for when, and what the endpoints answered; and what it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from vclab.model import catalog as model
from vclab.model.inventory import Amounts, Inventory
from vclab.model.plans import Facts, Target
from vclab.model.rules import Rules
from vclab.model.traits import Traits
from vclab.placement import Choice, Need
from vclab.store import access, catalog, copies, load_log
from vclab.store.access import NO_BARS, Bars
from vclab.store.column_types import utc
from vclab.store.models import Computer, Reservation


@dataclass(frozen=True)
class Window:
    """When the reservation is, and the claim around it. ``preload_at``: None if it begins at once."""

    now: datetime
    load_seconds: float
    start: datetime
    preload_at: datetime | None
    end: datetime
    claim_starts: datetime
    claim_ends: datetime

    @property
    def at_once(self) -> bool:
        """A computer is taken now. Else one is only promised."""
        return self.preload_at is None


@dataclass(frozen=True)
class Search:
    """A search for a place for one reservation."""

    holder: str  #: the reservation's id
    user: str
    image: model.Image
    endpoints: Sequence[model.Endpoint]  #: those that have the image
    heard: Mapping[str, Inventory]  #: each endpoint's answer, by its name
    window: Window
    traits: Traits  #: of the image's module
    claimed_gb: int  #: of the machine's disk, where that can be a child of a copy
    places: copies.Places | None = None  #: where the image is; None: not known
    resting: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Why nothing is placed on a host for now, by endpoint and host. Filled when the pools are locked."""
    bars: Bars = NO_BARS  #: which endpoints and lab machines are not for this user

    @property
    def need(self) -> Need:
        """The amounts, and the time of the claim."""
        amounts = Amounts(self.image.cpus, self.image.memory_mb, self.claimed_gb)
        return Need(amounts, self.window.claim_starts, self.window.claim_ends, whole_gb=self.image.disk_gb)

    @property
    def answers(self) -> list[Inventory]:
        """The answers of these endpoints."""
        return [self.heard[each.name] for each in self.endpoints if each.name in self.heard]

    def amounts_at(self, choice: Choice) -> Amounts:
        """What the machine claims there."""
        need, heard = self.need, self.heard.get(choice.endpoint)
        store = next((each for each in heard.datastores if each.name == choice.storage), None) if heard else None
        return replace(need.amounts, disk_gb=need.disk_on(store).disk_gb) if store else need.amounts

    def endpoint(self, name: str) -> model.Endpoint:
        """One of the endpoints."""
        return next(each for each in self.endpoints if each.name == name)

    def until(self, claim_ends: datetime) -> "Search":
        """The same for a longer time."""
        return replace(self, window=replace(self.window, claim_ends=claim_ends))


@dataclass(frozen=True)
class Found:
    """A place that was found and claimed."""

    choice: Choice
    computer: Computer | None  #: None: what begins later gets its identity then
    spare: Target | None = None  #: the machine that it gets; None: it is loaded
    facts: Facts = Facts()  #: what is known of that spare: its address and pinned host key
    kept: bool = False  #: a computer that stays, and holds the image, clean


def prepare(
    session: Session,
    holder: str,
    user: str,
    image: model.Image,
    inventories: Sequence[Inventory],
    window: Window,
    rules: Rules,
    promised: str = "",
    bars: Bars | None = None,
) -> Search:
    """A search over the endpoints that have an image, and that the user may use. ``promised``: that of its place,
    whatever is so by now. ``bars``: None: those of the user."""
    places = copies.of(session, image)
    endpoints = catalog.endpoints_of(session, image, promised)
    if places is not None:
        endpoints = [each for each in endpoints if each.name == promised or places.can_be_at(each)]
    traits = rules.traits(image.module) if endpoints else Traits()  # without any there is no search
    if bars is None:
        bars = access.bars(session, user, [each.name for each in endpoints])
    if not traits.lent:  # of a lent machine it is asked whether that one may be used
        endpoints = [each for each in endpoints if each.name == promised or not bars.why_not(each.name)]
    return Search(
        holder=holder,
        user=user,
        image=image,
        endpoints=endpoints,
        heard={inventory.endpoint: inventory for inventory in inventories},
        window=window,
        traits=traits,
        claimed_gb=rules.claimed_gb(image),
        places=places,
        bars=bars,
    )


def window_of(
    session: Session, image: str, start: datetime | None, seconds: float, rules: Rules, now: datetime
) -> Window:
    """When a reservation of ``seconds`` is, and what is claimed for it.

    Without ``start`` it begins at once, and the usual load time is added to the user's time. With ``start`` the end is
    fixed, and the claim begins with the preload.
    """
    load_seconds = sum(load_log.medians(session, image).values())
    preload_at = None
    if start is not None:
        start = utc(start)
        ahead = max(rules.waits.preload, load_seconds + rules.waits.preload_margin)
        preload_at = max(now, start - timedelta(seconds=ahead))
    end = (start or now + timedelta(seconds=load_seconds)) + timedelta(seconds=seconds)
    return Window(
        now,
        load_seconds,
        start or now,
        preload_at,
        end,
        claim_starts=(preload_at or now) - timedelta(seconds=rules.lead),
        claim_ends=end + timedelta(seconds=rules.turnaround),
    )


def window_from_now(row: Reservation, rules: Rules, now: datetime, lead: float = 0.0) -> Window:
    """The rest of a reservation whose load begins now."""
    starts, ends = now - timedelta(seconds=lead), row.ends + timedelta(seconds=rules.turnaround)
    return Window(now, row.load_seconds, row.starts, None, row.ends, starts, ends)
