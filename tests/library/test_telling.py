"""How far work on a disk is, for people."""

import pytest

from tests.provisioning.bench import FakeContext
from vclab.library import telling

GIB = 1 << 30


def test_bytes_and_the_time_left_are_told_when_they_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    context = FakeContext()
    told = telling.telling(context, lambda percent: f"copied {percent} % (reading back)", 50, 100)
    told(0, 8 * GIB)
    now += 1
    told(GIB, 8 * GIB)
    now += 29
    told(2 * GIB, 8 * GIB)
    told(8 * GIB, 8 * GIB)
    assert context.told == [
        "copied 50 % (reading back)",
        "copied 56 % (reading back)",
        "copied 62 % (reading back), 2.0 of 8.0 GiB at 68 MiB/s, about 2 min left",
        "copied 100 % (reading back)",
    ]


def test_what_another_attempt_has_done_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    measure = telling.Measure()
    assert measure.words(0, 0) == "" and measure.words(6 * GIB, 8 * GIB) == ""
    now += 32
    assert measure.words(7 * GIB, 8 * GIB) == ", 7.0 of 8.0 GiB at 32 MiB/s, about 32 s left"
