"""Which spares are evicted for a machine that finds no room beside them: as few as possible."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from vclab.model.inventory import Amounts
from vclab.model.reservations import Refusal
from vclab.placement.capacity import Booking
from vclab.placement.choose import Choice, DatastoreRoom, EndpointRoom, HostRoom, Need, choose

T = TypeVar("T")


@dataclass(frozen=True)
class SpareRoom:
    """A spare, and the room that it holds until its end."""

    computer: str
    endpoint: str
    host: str
    storage: str
    amounts: Amounts
    until: datetime


def choose_evicting(
    need: Need, endpoints: Sequence[EndpointRoom], spares: Sequence[SpareRoom], identity: bool
) -> tuple[Choice, tuple[SpareRoom, ...]] | Refusal:
    """A place, and the spares to evict there; or the refusal that remains even without any spare.

    ``endpoints``: their room without the spares' claims. ``identity``: one is free. Else a spare's identity is needed,
    at the same endpoint, where the load that follows can remove the spare's machine.
    """
    without = choose(need, endpoints, 1 if identity or spares else 0)
    if isinstance(without, Refusal):
        return without
    found: list[tuple[int, str, str, Choice, tuple[SpareRoom, ...]]] = []
    for endpoint in endpoints:
        here = [spare for spare in spares if spare.endpoint == endpoint.name]
        for host in endpoint.hosts if here or identity else ():
            alone = replace(endpoint, hosts=(host,))
            if isinstance(choose(need, [alone], 1), Refusal):
                continue
            choice, victims = _victims(need, alone, here)
            if not (identity or victims):
                victims = [min(here, key=lambda spare: (spare.until, spare.computer))]
            found.append((len(victims), endpoint.name, choice.host, choice, tuple(victims)))
    if not found:  # there is room, but no identity, and no spare at that endpoint
        without = choose(need, endpoints, 0)
        assert isinstance(without, Refusal)
        return without
    *_, choice, chosen = min(found, key=lambda each: each[:3])
    return choice, chosen


def _victims(need: Need, alone: EndpointRoom, here: Sequence[SpareRoom]) -> tuple[Choice, list[SpareRoom]]:
    """The fewest spares of an endpoint to evict so that one host holds the need. Without all of them it does."""
    host = alone.hosts[0].facts
    order = sorted(here, key=lambda s: (s.host != host.name, -s.amounts.memory_mb, -s.amounts.disk_gb, s.computer))

    def chosen(gone: Sequence[SpareRoom]) -> Choice | Refusal:
        return choose(need, [_beside(alone, here, gone)], 1)

    victims = fewest(order, lambda gone: not isinstance(chosen(gone), Refusal))
    choice = chosen(victims or ())
    assert victims is not None and not isinstance(choice, Refusal)
    return choice, victims


def fewest(order: Sequence[T], fits: Callable[[Sequence[T]], bool]) -> list[T] | None:
    """The fewest items to evict so that it ``fits``, preferably the first ones; None: evicting all is not enough."""
    gone: list[T] = []
    while not fits(gone):
        if len(gone) == len(order):
            return None
        gone.append(order[len(gone)])
    for one in tuple(gone):  # the large ones came first: a later, smaller one may be enough
        fewer = [other for other in gone if other is not one]
        if len(fewer) < len(gone) and fits(fewer):
            gone = fewer
    return gone


def _beside(alone: EndpointRoom, here: Sequence[SpareRoom], gone: Sequence[SpareRoom]) -> EndpointRoom:
    """The endpoint's room with the claims of the spares that stay."""
    stay = [spare for spare in here if spare not in gone]

    def on_host(room: HostRoom) -> HostRoom:
        held = (_booking(s, Amounts(s.amounts.cpus, s.amounts.memory_mb)) for s in stay if s.host == room.facts.name)
        return replace(room, bookings=(*room.bookings, *held))

    def on_datastore(room: DatastoreRoom) -> DatastoreRoom:
        held = (_booking(s, Amounts(disk_gb=s.amounts.disk_gb)) for s in stay if s.storage == room.facts.name)
        return replace(room, bookings=(*room.bookings, *held))

    return replace(alone, hosts=tuple(map(on_host, alone.hosts)), datastores=tuple(map(on_datastore, alone.datastores)))


def _booking(spare: SpareRoom, amounts: Amounts) -> Booking:
    return Booking(datetime.min.replace(tzinfo=spare.until.tzinfo), spare.until, amounts)
