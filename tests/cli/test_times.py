from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from vclab.cli.errors import Usage
from vclab.cli.times import clock, dated, iso, parse_length, parse_time, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2025, 11, 21, 10, 35, tzinfo=UTC)  # Friday, 11:35 in Berlin


def test_times_for_people_name_their_zone_and_get_longer_with_distance() -> None:
    assert clock(datetime(2025, 11, 21, 13, 5, tzinfo=UTC), BERLIN, NOW) == "14:05 CET"
    assert clock(datetime(2025, 11, 22, 13, 5, tzinfo=UTC), BERLIN, NOW) == "Sat 22 Nov 14:05 CET"
    assert clock(datetime(2026, 7, 1, 13, 5, tzinfo=UTC), BERLIN, NOW) == "Wed 1 Jul 2026 15:05 CEST"
    assert dated(NOW, BERLIN) == "Fri 21 Nov 2025 11:35 CET"


def test_times_for_programs_are_utc_without_fractions() -> None:
    assert iso(datetime(2025, 11, 21, 11, 35, 1, 5, tzinfo=BERLIN)) == "2025-11-21T10:35:01Z"
    assert iso(None) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("18:30", datetime(2025, 11, 21, 17, 30, tzinfo=UTC)),
        ("11:35", datetime(2025, 11, 22, 10, 35, tzinfo=UTC)),  # now is over: tomorrow
        ("9:05:30", datetime(2025, 11, 22, 8, 5, 30, tzinfo=UTC)),
        ("2025-11-22T18:30", datetime(2025, 11, 22, 17, 30, tzinfo=UTC)),
        ("2025-11-22 18:30Z", datetime(2025, 11, 22, 18, 30, tzinfo=UTC)),
        ("2025-11-22T18:30+09:00", datetime(2025, 11, 22, 9, 30, tzinfo=UTC)),
    ],
)
def test_times_as_people_type_them(typed: str, meant: datetime) -> None:
    assert parse_time(typed, BERLIN, NOW) == meant


def test_the_same_clock_time_tomorrow_across_daylight_saving() -> None:
    evening = datetime(2025, 10, 25, 18, 0, tzinfo=UTC)  # 20:00 CEST; the clocks go back that night
    assert parse_time("19:00", BERLIN, evening) == datetime(2025, 10, 26, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize("typed", ["", "soon", "25:00", "12:60", "١٢:٣٠", "2025-13-01T10:00", "9999-12-31T23:59-23:00"])
def test_what_is_not_a_time_is_refused(typed: str) -> None:
    with pytest.raises(Usage, match="is not a time"):
        parse_time(typed, BERLIN, NOW)


def test_a_dated_time_in_the_past_is_refused() -> None:
    with pytest.raises(Usage, match="is in the past"):
        parse_time("2025-11-21T11:35", BERLIN, NOW)


@pytest.mark.parametrize("typed", ["", "-1h", "0", "0h", "2", "1e9d", "99999999w", "two hours", "٣h", "h" * 5000])
def test_bad_durations(typed: str) -> None:
    with pytest.raises(Usage) as caught:
        parse_length(typed)
    assert len(str(caught.value)) < 300


def test_an_unknown_zone_is_utc() -> None:
    assert str(zone_of("Mars/Base")) == "UTC"
    assert str(zone_of("")) == "UTC"
    assert str(zone_of("../etc/passwd")) == "UTC"
