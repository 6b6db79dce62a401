"""When a refused request would fit: the earliest moment, by what is promised now.

A promise's end is the only moment at which something begins to fit that did not before, so no others are looked at.
What is not a matter of time (a host in maintenance, a network that is missing, a machine that is too small) is left
out. The work grows with the number of promises: each is sorted and looked at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from vclab.model.inventory import Amounts
from vclab.placement.capacity import Booking, levels
from vclab.placement.choose import EndpointRoom, HostRoom, Need, unfit
from vclab.placement.machines import MachineRoom

_NEVER = datetime.max.replace(tzinfo=UTC)

_Gap = tuple[datetime, datetime]
"""A time [from, until) in which something fits."""


def earliest(need: Need, endpoints: Sequence[EndpointRoom], identities_from: datetime | None) -> datetime | None:
    """From when on ``need`` fits somewhere for as long as it lasts; None: never, as things stand.

    The bookings must be all that end after ``need.starts``. An identity is free from ``identities_from`` on, as far as
    is known (None: nobody can tell).
    """
    if identities_from is None:
        return None
    starts, length = max(need.starts, identities_from), need.ends - need.starts
    best = _NEVER
    for endpoint in endpoints:
        if endpoint.error:
            continue
        disk = Amounts(disk_gb=need.amounts.disk_gb)
        stores = {
            room.facts.name: list(gaps(room.bookings, Amounts(disk_gb=room.facts.disk_gb), disk, starts))
            for room in endpoint.datastores
            if room.facts.usable
        }
        for host in endpoint.hosts:
            if not any(unfit(host, endpoint.networks)):
                best = min(best, _on_host(host, stores, need.amounts, starts, best, length.total_seconds()))
    return best if best < _NEVER else None


def earliest_machine(starts: datetime, ends: datetime, machines: Sequence[MachineRoom]) -> datetime | None:
    """From when on one of the lab machines is free for as long as [starts, ends) lasts; None: never, as things stand.

    A machine's promises must be all that end after ``starts``. Of one that is held beyond its time nobody can tell.
    """
    fits: list[datetime] = []
    for machine in machines:
        if machine.lacks or (machine.held and machine.held.ends <= starts):
            continue
        promises = (*machine.promises, machine.held) if machine.held else machine.promises
        free = _between([(promise.starts, promise.ends) for promise in promises], starts)
        fits += [begins for begins, until in free if until - begins >= ends - starts][:1]
    return min(fits, default=None)


def gaps(bookings: Iterable[Booking], limits: Amounts, need: Amounts, starts: datetime) -> Iterator[_Gap]:
    """When, from ``starts`` on, ``need`` fits beside the bookings: as few and as long times as possible."""
    since: datetime | None = None
    for moment, used in levels(bookings, starts, _NEVER):
        if not (limits - used).holds(need):
            if since is not None:
                yield since, moment
            since = None
        elif since is None:
            since = moment
    if since is not None:
        yield since, _NEVER


def _on_host(
    room: HostRoom, stores: dict[str, list[_Gap]], need: Amounts, starts: datetime, best: datetime, seconds: float
) -> datetime:
    """The earliest moment on this host before ``best``; ``best`` if there is none."""
    compute = Amounts(cpus=need.cpus, memory_mb=need.memory_mb)
    limits = Amounts(room.facts.cpus, room.facts.memory_mb)
    if not limits.holds(compute):
        return best
    on_host = list(gaps(room.bookings, limits, compute, starts))
    for name in set(room.facts.datastores):
        for begins, until in _both(on_host, stores.get(name, [])):
            if begins >= best:
                break
            if (until - begins).total_seconds() >= seconds:
                best = begins
                break
    return best


def _both(one: Sequence[_Gap], other: Sequence[_Gap]) -> Iterator[_Gap]:
    """The times that are in both, in order."""
    i = j = 0
    while i < len(one) and j < len(other):
        begins, until = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if begins < until:
            yield begins, until
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1


def _between(taken: Iterable[_Gap], starts: datetime) -> Iterator[_Gap]:
    """The times from ``starts`` on that are not taken."""
    free = starts
    for begins, until in sorted(taken):
        if begins > free:
            yield free, begins
        free = max(free, until)
    if free < _NEVER:
        yield free, _NEVER
