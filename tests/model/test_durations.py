"""Durations as people write and read them."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vclab.model.durations import LONGEST, format_duration, parse_duration
from vclab.model.errors import Refused


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("45 min", 2700), ("1d", 86400), (" 1 hour 30 minutes ", 5400),
     ("1.5h", 5400), ("30s", 30), ("1w", 604800), ("2H", 7200), ("1 Day 2 Hrs", 93600), ("0h30m", 1800)],
)  # fmt: skip
def test_what_people_write(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "is empty"), ("  ", "is empty"), ("-1h", "negative"), ("- 5 min", "negative"), 
     ("0h", "positive"),
     ("0", "no unit"), ("90", "no unit"), ("1e3h", "not a duration"), ("h", "not a duration"), 
     ("2 parsecs", "not a duration"),
     ("1h1h", "not a duration"), ("1h and a bit", "not a duration"), ("nan", "not a duration"), 
     ("infh", "not a duration"),
     ("99999d", "10 years"), ("9" * 400 + "d", "10 years"), ("١h", "not a duration"), ("1,5h", "not a duration"),
     ("--5h", "negative"), ("1h -5m", "not a duration"), ("0x10h", "not a duration")],
)  # fmt: skip
def test_what_is_refused_with_a_hint(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        parse_duration(text)
    assert "write a duration like 2h, 90m, 1h30m" in str(refused.value)
    assert len(str(refused.value)) < 200


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with contextlib.suppress(Refused):
        assert 0 < parse_duration(text) <= LONGEST


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.1, "0.1 s"), (45, "45 s"), (59.6, "1 min"), (60, "1 min"), (89, "1 min"), (900, "15 min"),
     (5400, "1 h 30 min"), (86400, "1 d"), (90061, "1 d 1 h 1 min"), (-90, "-2 min"), (3599.9, "1 h")],
)  # fmt: skip
def test_what_people_read(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@settings(deadline=None)
@given(st.integers(1, LONGEST // 60))
def test_what_is_read_can_be_written(minutes: int) -> None:
    assert parse_duration(format_duration(minutes * 60)) == minutes * 60
