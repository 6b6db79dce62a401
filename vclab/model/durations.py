"""Durations as people write and read them."""

import math
import re

from vclab.model.errors import Refused

HINT = "write a duration like 2h, 90m, 1h30m, 45 min or 1d"
LONGEST = 10 * 365 * 86400  #: seconds; anything longer is a slip of the finger

_UNITS = {
    "s": 1,
    "sec": 1,
    "secs": 1,
    "second": 1,
    "seconds": 1,
    "m": 60,
    "min": 60,
    "mins": 60,
    "minute": 60,
    "minutes": 60,
    "h": 3600,
    "hr": 3600,
    "hrs": 3600,
    "hour": 3600,
    "hours": 3600,
    "d": 86400,
    "day": 86400,
    "days": 86400,
    "w": 7 * 86400,
    "week": 7 * 86400,
    "weeks": 7 * 86400,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.ASCII)
_SHOWN = ((86400, "d"), (3600, "h"), (60, "min"))


def parse_duration(text: str) -> float:
    """Seconds of "2h", "90m", "1h30m", "45 min", "1d". Raises ``Refused`` with a hint for anything else."""
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    words = text.strip().lower()
    if not words:
        raise Refused("the duration is empty", HINT)
    if words.startswith("-"):
        raise Refused(f"a duration can't be negative ({shown!r})", HINT)
    if re.fullmatch(r"\d+(\.\d+)?", words, re.ASCII):
        raise Refused(f"{shown!r} has no unit", HINT)
    seconds = _sum(words)
    if seconds is None:
        raise Refused(f"{shown!r} is not a duration", HINT)
    if seconds <= 0:
        raise Refused(f"a duration must be positive ({shown!r})", HINT)
    if not math.isfinite(seconds) or seconds > LONGEST:
        raise Refused(f"{shown!r} is longer than any reservation can be (10 years)", HINT)
    return seconds


def _sum(words: str) -> float | None:
    """The sum of all parts in seconds; None when something else stands there, or a unit twice."""
    at, total, seen = 0, 0.0, set[int]()
    while at < len(words):
        part = _PART.match(words, at)
        unit = _UNITS.get(part[2]) if part else None
        if part is None or unit is None or unit in seen:
            return None
        seen.add(unit)
        total += float(part[1]) * unit
        at = part.end()
    return total


def format_duration(seconds: float) -> str:
    """Seconds for people: "1 h 30 min", "2 d", "45 s"; whole minutes from one minute on, rounded."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if seconds < 59.5:
        return f"{seconds:.0f} s" if seconds >= 1 or seconds == 0 else f"{seconds:.1f} s"
    left = round(seconds / 60) * 60
    parts = []
    for unit, name in _SHOWN:
        amount, left = divmod(left, unit)
        if amount:
            parts.append(f"{amount} {name}")
    return " ".join(parts)
