from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from vclab.cli.errors import Usage
from vclab.cli.times import clock, dated, parse_length, parse_time, zone_of
from vclab.contract.views import iso

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2025, 11, 21, 10, 35, tzinfo=UTC)  # Friday, 11:35 in Berlin


def test_times_for_people_name_their_zone_and_get_longer_with_distance() -> None:
    assert clock(datetime(2025, 11, 21, 13, 5, tzinfo=UTC), BERLIN, NOW) == "14:05 CET"
    assert clock(datetime(2025, 11, 22, 13, 5, tzinfo=UTC), BERLIN, NOW) == "2025-11-22 14:05 CET"
    assert clock(datetime(2026, 7, 1, 13, 5, tzinfo=UTC), BERLIN, NOW) == "2026-07-01 15:05 CEST"
    assert dated(NOW, BERLIN) == "2025-11-21 11:35 CET"


def test_times_for_programs_are_utc_without_fractions() -> None:
    assert iso(datetime(2025, 11, 21, 11, 35, 1, 5, tzinfo=BERLIN)) == "2025-11-21T10:35:01Z"


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


@pytest.mark.parametrize(
    "typed", ["", "soon", "25:00", "12:60", "١٢:٣٠", "2025-13-01T10:00", "9999-12-31T23:59-23:00", "9999-12-31T23:30Z"]
)
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


KOLKATA, LORD_HOWE = ZoneInfo("Asia/Kolkata"), ZoneInfo("Australia/Lord_Howe")


@pytest.mark.parametrize(
    ("typed", "zone", "now", "meant"),
    [
        # The clocks are put forward at 02:00 on 28 March 2027: 10:00 comes an hour sooner, 02:30 not before Monday.
        ("10:00", BERLIN, "2027-03-27T20:00", "2027-03-28T08:00"),
        ("02:30", BERLIN, "2027-03-27T20:00", "2027-03-29T00:30"),
        ("2027-03-28 03:00", BERLIN, "2027-03-27T20:00", "2027-03-28T01:00"),
        # They are put back at 03:00 on 31 October 2027: 02:30 comes twice, and means the first that is still to come.
        ("10:00", BERLIN, "2027-10-30T20:00", "2027-10-31T09:00"),
        ("02:30", BERLIN, "2027-10-30T20:00", "2027-10-31T00:30"),
        ("2027-10-31 02:30", BERLIN, "2027-10-30T20:00", "2027-10-31T00:30"),
        ("02:30", BERLIN, "2027-10-31T00:45", "2027-10-31T01:30"),
        ("2027-10-31 02:30", BERLIN, "2027-10-31T00:45", "2027-10-31T01:30"),
        ("2027-10-31T02:30+01:00", BERLIN, "2027-10-30T20:00", "2027-10-31T01:30"),
        # Half an hour off, and a change of half an hour.
        ("10:00", KOLKATA, "2027-10-31T04:00", "2027-10-31T04:30"),
        ("10:00", KOLKATA, "2027-10-31T04:30", "2027-11-01T04:30"),
        ("2027-10-31 10:00", KOLKATA, "2027-10-31T04:00", "2027-10-31T04:30"),
        ("02:15", LORD_HOWE, "2027-10-02T10:00", "2027-10-03T15:15"),
        ("2027-04-04 01:45", LORD_HOWE, "2027-04-03T00:00", "2027-04-03T14:45"),
    ],
)
def test_times_where_the_clocks_change(typed: str, zone: ZoneInfo, now: str, meant: str) -> None:
    moments = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, meant)]
    assert parse_time(typed, zone, moments[0]) == moments[1]


@pytest.mark.parametrize(
    ("typed", "zone", "gap", "instead"),
    [
        ("2027-03-28T02:30", BERLIN, "1 h", "2027-03-28 03:00 CEST"),
        ("2027-03-28 02:00", BERLIN, "1 h", "2027-03-28 03:00 CEST"),
        ("2027-10-03 02:15", LORD_HOWE, "30 min", "2027-10-03 02:30 +11"),
    ],
)
def test_a_time_that_is_skipped_is_refused_with_the_next_one(
    typed: str, zone: ZoneInfo, gap: str, instead: str
) -> None:
    with pytest.raises(Usage) as refused:
        parse_time(typed, zone, NOW)
    text = str(refused.value)
    assert f"go forward by {gap}; the next time is {instead}" in text
    assert str(zone) in text


def test_a_time_that_comes_twice_is_shown_with_its_offset() -> None:
    first, second = (datetime(2027, 10, 31, hour, 30, tzinfo=UTC) for hour in (0, 1))
    assert dated(first, BERLIN) == "2027-10-31 02:30 CEST (UTC+02:00)"
    assert dated(second, BERLIN) == "2027-10-31 02:30 CET (UTC+01:00)"
    assert dated(datetime(2027, 10, 31, 2, 30, tzinfo=UTC), BERLIN) == "2027-10-31 03:30 CET"
