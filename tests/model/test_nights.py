"""The night of the settings: over midnight, in a zone, when clocks are changed."""

from datetime import UTC, datetime

import pytest

from vclab.model.nights import parse_night


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-07-01T19:59", False),
        ("2026-07-01T20:00", True),  # 22:00 in Berlin
        ("2026-07-02T03:59", True),
        ("2026-07-02T04:00", False),
        ("2026-12-01T20:30", False),  # winter: 21:30
        ("2026-12-01T21:00", True),
        ("2026-10-25T00:30", True),  # 2:30, for the first time
        ("2026-10-25T01:30", True),  # 2:30 again
    ],
)
def test_a_night_goes_by_the_clock_on_the_wall(moment: str, inside: bool) -> None:
    assert parse_night("22:00-06:00 Europe/Berlin").has(at(moment)) is inside


def test_one_within_a_day_is_in_utc_unless_said() -> None:
    night = parse_night("01:00-05:30")
    assert [night.has(at(f"2026-01-01T{clock}")) for clock in ("00:59", "01:00", "05:29", "05:30")] == [
        False,
        True,
        True,
        False,
    ]
    assert str(night) == "01:00-05:30 UTC"


@pytest.mark.parametrize(
    "text", ["", "22-6", "22:00", "25:00-06:00", "22:00-06:00 Mars/Olympus", "22:00-06:00 ../etc/passwd", "06:00-06:00"]
)
def test_what_is_no_night_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be like|no time at all"):
        parse_night(text)
