"""The sums that claims and placement go by."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from vclab.model.inventory import Amounts
from vclab.placement import Booking, first_shortage, levels, peak

NOW = datetime(2026, 8, 1, tzinfo=UTC)


def at(hour: int) -> datetime:
    return NOW + timedelta(hours=hour)


def test_levels_change_where_bookings_begin_and_end() -> None:
    bookings = [Booking(at(0), at(4), Amounts(1)), Booking(at(2), at(3), Amounts(2)), Booking(at(8), at(9), Amounts(9))]
    assert list(levels(bookings, at(1), at(6))) == [
        (at(1), Amounts(1)),
        (at(2), Amounts(3)),
        (at(3), Amounts(1)),
        (at(4), Amounts()),
    ]


def test_nothing_is_promised_when_there_is_no_booking() -> None:
    assert peak([], at(0), at(1)) == Amounts()
    assert first_shortage([], Amounts(1), Amounts(1), at(0), at(1)) is None
    assert first_shortage([], Amounts(1), Amounts(2), at(0), at(1)) == at(0)


spans = st.tuples(st.integers(0, 20), st.integers(1, 9), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))


@settings(deadline=None)
@given(
    spans=st.lists(spans, max_size=12), start=st.integers(0, 20), length=st.integers(1, 12), limit=st.integers(0, 12)
)
def test_peak_and_shortage_are_what_looking_at_each_hour_finds(
    spans: list[tuple[int, int, int, int, int]], start: int, length: int, limit: int
) -> None:
    bookings = [Booking(at(s), at(s + n), Amounts(c, m, d)) for s, n, c, m, d in spans]
    by_hour = {
        hour: sum((b.amounts for b in bookings if b.starts <= at(hour) < b.ends), Amounts())
        for hour in range(start, start + length)
    }
    highest = peak(bookings, at(start), at(start + length))
    assert highest.cpus == max(used.cpus for used in by_hour.values())
    assert highest.memory_mb == max(used.memory_mb for used in by_hour.values())
    assert highest.disk_gb == max(used.disk_gb for used in by_hour.values())
    short = [at(hour) for hour, used in by_hour.items() if used.cpus + 1 > limit]
    found = first_shortage(bookings, Amounts(limit, 99, 99), Amounts(1), at(start), at(start + length))
    assert found == (short[0] if short else None)
