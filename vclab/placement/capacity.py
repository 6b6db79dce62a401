"""How much of a capacity pool is promised, instant by instant."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from vclab.model.inventory import Amounts


@dataclass(frozen=True)
class Booking:
    """A claim on a pool: ``amounts`` during [starts, ends)."""

    starts: datetime
    ends: datetime
    amounts: Amounts


def levels(bookings: Iterable[Booking], starts: datetime, ends: datetime) -> Iterator[tuple[datetime, Amounts]]:
    """Each moment of [starts, ends) at which the promised amounts change, with the amounts from then on."""
    changes: dict[datetime, Amounts] = defaultdict(Amounts)
    changes[starts] = Amounts()
    for booking in bookings:
        if booking.starts < ends and starts < booking.ends:
            begin = max(booking.starts, starts)
            changes[begin] = changes[begin] + booking.amounts
            if booking.ends < ends:
                changes[booking.ends] = changes[booking.ends] - booking.amounts
    used = Amounts()
    for moment in sorted(changes):
        used = used + changes[moment]
        yield moment, used


def peak(bookings: Sequence[Booking], starts: datetime, ends: datetime) -> Amounts:
    """The most of each amount that is promised at any instant of [starts, ends)."""
    if len(bookings) <= 1:  # the most frequent case in a large lab
        within = [b.amounts for b in bookings if b.starts < ends and starts < b.ends]
        return within[0] if within else Amounts()
    inside = [booking for booking in bookings if booking.starts < ends and starts < booking.ends]
    if all(booking.starts <= starts for booking in inside):
        return total(booking.amounts for booking in inside)  # no booking begins later
    used = [level for _, level in levels(inside, starts, ends)]
    return Amounts(max(u.cpus for u in used), max(u.memory_mb for u in used), max(u.disk_gb for u in used))


def total(amounts: Iterable[Amounts]) -> Amounts:
    """The sum. Adding plain numbers is faster, and a large lab has tens of thousands of claims."""
    cpus = memory_mb = disk_gb = 0
    for each in amounts:
        cpus += each.cpus
        memory_mb += each.memory_mb
        disk_gb += each.disk_gb
    return Amounts(cpus, memory_mb, disk_gb)


def first_shortage(
    bookings: Iterable[Booking], limits: Amounts, need: Amounts, starts: datetime, ends: datetime
) -> datetime | None:
    """The first instant of [starts, ends) at which ``need`` does not fit beside the bookings; None: it always fits."""
    return next((at for at, used in levels(bookings, starts, ends) if (limits - used).lacks(need)), None)
