"""The earliest moment at which a refused request would fit, by the present promises.

Only at the end of a promise something can begin to fit, so no other moments are checked. Obstacles that do not pass
with time (a host in maintenance, a missing network, a machine that is too small) are left out. Each promise is sorted
and visited once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

from vclab.model.inventory import Amounts
from vclab.placement.capacity import Booking
from vclab.placement.choose import DatastoreRoom, EndpointRoom, HostRoom, Need, unfit
from vclab.placement.machines import MachineRoom

_NEVER = datetime.max.replace(tzinfo=UTC)

_Gap = tuple[datetime, datetime]
"""A time [from, until) in which something fits."""


def earliest(
    need: Need,
    endpoints: Sequence[EndpointRoom],
    identities_from: datetime | None,
    known: datetime = _NEVER,
    identities: Sequence[_Gap] | None = None,
) -> datetime | None:
    """The earliest time at which ``need`` fits somewhere for its whole length; None: never, by the present promises.

    The bookings must be all that end after ``need.starts`` and begin before ``known``; later times are not considered.
    An identity is free from ``identities_from`` on (None: not known) and during ``identities`` (None: always).
    """
    if identities_from is None:
        return None
    starts, length = max(need.starts, identities_from), need.ends - need.starts
    best = _NEVER
    for endpoint in endpoints:
        if endpoint.error:
            continue
        stores = {
            room.facts.name: list(_on_datastore(room, need, starts, known))
            for room in endpoint.datastores
            if room.facts.usable
        }
        for host in endpoint.hosts:
            if not any(unfit(host)):
                free = [(starts, _NEVER)] if identities is None else identities
                best = min(best, _on_host(host, stores, free, need.amounts, starts, best, length, known))
    return best if best < _NEVER else None


def ever(need: Need, endpoints: Sequence[EndpointRoom]) -> bool:
    """Whether ``need`` would fit if nothing were promised."""
    empty = [
        replace(
            endpoint,
            hosts=tuple(replace(host, bookings=()) for host in endpoint.hosts),
            datastores=tuple(replace(store, bookings=()) for store in endpoint.datastores),
        )
        for endpoint in endpoints
    ]
    return earliest(need, empty, need.starts) is not None


def earliest_machine(starts: datetime, ends: datetime, machines: Sequence[MachineRoom]) -> datetime | None:
    """The earliest time at which a lab machine is free for the length of [starts, ends); None: not known.

    A machine's promises must be all that end after ``starts``. A machine that is held beyond its time does not count.
    """
    fits: list[datetime] = []
    for machine in machines:
        if machine.lacks or (machine.held and machine.held.ends <= starts):
            continue
        promises = (*machine.promises, machine.held) if machine.held else machine.promises
        free = _between([(promise.starts, promise.ends) for promise in promises], starts)
        fits += [begins for begins, until in free if until - begins >= ends - starts][:1]
    return min(fits, default=None)


def gaps(
    bookings: Iterable[Booking],
    limits: Amounts,
    need: Amounts,
    starts: datetime,
    until: datetime = _NEVER,
    known: datetime = _NEVER,
) -> Iterator[_Gap]:
    """The times from ``starts`` on at which ``need`` fits beside the bookings, joined where they touch.

    Bookings from ``until`` on do not count; the last time ends at ``known``. Plain numbers and one sort, since a large
    lab has tens of thousands of bookings.
    """
    left = limits - need
    cpus, memory_mb, disk_gb = left.cpus, left.memory_mb, left.disk_gb
    since: datetime | None = None
    for moment, changes in groupby(_changes(bookings, starts, until), key=itemgetter(0)):
        for _, more_cpus, more_mb, more_gb in changes:
            cpus, memory_mb, disk_gb = cpus + more_cpus, memory_mb + more_mb, disk_gb + more_gb
        fits = cpus >= 0 and memory_mb >= 0 and disk_gb >= 0
        if fits and since is None:
            since = moment
        elif since is not None and not fits:
            yield since, moment
            since = None
    if since is not None and since < known:
        yield since, known


_Change = tuple[datetime, int, int, int]
"""A moment, and how much more CPUs, MiB and GiB are free from then on."""


def _changes(bookings: Iterable[Booking], starts: datetime, until: datetime) -> list[_Change]:
    changes: list[_Change] = [(starts, 0, 0, 0)]
    for booking in bookings:
        if booking.ends > starts and booking.starts < until:
            amounts = booking.amounts
            cpus, memory_mb, disk_gb = amounts.cpus, amounts.memory_mb, amounts.disk_gb
            changes.append((max(booking.starts, starts), -cpus, -memory_mb, -disk_gb))
            if booking.ends < _NEVER:
                changes.append((booking.ends, cpus, memory_mb, disk_gb))
    changes.sort(key=itemgetter(0))
    return changes


def _on_datastore(room: DatastoreRoom, need: Need, starts: datetime, known: datetime) -> Iterator[_Gap]:
    return gaps(room.bookings, Amounts(disk_gb=room.facts.disk_gb), need.disk_on(room.facts), starts, known=known)


def _on_host(
    room: HostRoom,
    stores: dict[str, list[_Gap]],
    free: Sequence[_Gap],
    need: Amounts,
    starts: datetime,
    best: datetime,
    length: timedelta,
    known: datetime,
) -> datetime:
    """The earliest moment on this host before ``best``; ``best`` if there is none."""
    compute = Amounts(cpus=need.cpus, memory_mb=need.memory_mb)
    limits = Amounts(room.facts.cpus, room.facts.memory_mb)
    if not limits.holds(compute):
        return best
    # To beat ``best``, bookings that begin after ``best + length`` do not matter.
    until = _NEVER if best == _NEVER else best + length
    on_host = list(_both(list(gaps(room.bookings, limits, compute, starts, until, known)), free))
    for name in set(room.facts.datastores):
        for begins, ends in _both(on_host, stores.get(name, [])):
            if begins >= best:
                break
            if ends - begins >= length:
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
