"""The rules of reserving."""

from datetime import UTC, datetime, timedelta

import pytest

from vclab.model.rules import Limits, latest_end, why_not_another, why_not_duration
from vclab.settings import LimitSettings, Settings

LIMITS = Limits(**LimitSettings().model_dump())
NOW = datetime(2026, 8, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("seconds", [900, 4 * 3600])
def test_what_is_allowed(seconds: float) -> None:
    assert why_not_duration(LIMITS, seconds, operator=False) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(899, "shortest reservation is 15 min, not 15 min"), (60, "shortest reservation is 15 min, not 1 min"),
     (14401, "at most 4 h at first"), (0, "must be positive"), (-5, "must be positive"),
     (float("nan"), "must be positive"), (1e9, "730 d")],
)  # fmt: skip
def test_what_is_refused(seconds: float, text: str) -> None:
    assert text in why_not_duration(LIMITS, seconds, operator=False)


def test_operators() -> None:
    assert why_not_duration(LIMITS, 1, operator=True) == why_not_duration(LIMITS, 30 * 86400, operator=True) == ""
    assert "730 d" in why_not_duration(LIMITS, 1e9, operator=True)
    assert why_not_another(LIMITS, "olga", ["a", "b"], operator=True) == ""


def test_at_once() -> None:
    assert why_not_another(LIMITS, "alice", [], operator=False) == ""
    assert "alice has 1 of at most 1 reservations at one time (a); end one first" in why_not_another(
        LIMITS, "alice", ["a"], operator=False
    )


def test_the_latest_end_is_the_nearest_limit() -> None:
    assert latest_end(LIMITS, NOW, NOW + HOUR, NOW, operator=False) == (NOW + 2 * HOUR, "1 h at a time")
    assert latest_end(LIMITS, NOW, NOW + 5.5 * HOUR, NOW, operator=False) == (NOW + 6 * HOUR, "6 h in all")
    assert latest_end(LIMITS, NOW, NOW + HOUR, NOW, operator=True)[0] == NOW + timedelta(days=730)


def test_the_settings_become_rules() -> None:
    settings = Settings.model_construct(installation="x")
    rules = settings.rules()
    assert (rules.installation, rules.limits, rules.turnaround) == ("x", LIMITS, settings.claims.turnaround)
    assert rules.waits.notices == settings.waits.notices
