"""Times as people type them, in their zone, and lengths of time."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from vclab.cli.errors import Usage
from vclab.model.durations import format_duration, parse_duration
from vclab.model.errors import Refused
from vclab.model.times import clock, dated, zone_of
from vclab.model.typed import quoted

__all__ = ["clock", "dated", "occurrences", "parse_length", "parse_past", "parse_time", "utc_now", "zone_of"]

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)

TIME_HINT = "write 18:30 or 2026-01-31T18:30, with +01:00 for a zone"


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def parse_time(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A time as people type it, in UTC: ``18:30`` is its next occurrence in ``zone``; else ISO 8601.

    Where the clocks are put back, a time that comes twice means the first that is still to come. Raises ``Usage`` for
    what is not a time, for a dated time in the past, and for one that is skipped where the clocks are put forward.
    """
    found = _CLOCK.fullmatch(text.strip())
    try:
        if found:
            return _next(int(found[1]), int(found[2]), int(found[3] or 0), zone, now)
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo:
            times = [moment.astimezone(UTC)]
        else:
            times = occurrences(moment, zone) or [_refuse_skipped(moment, zone)]
        times[-1].astimezone(zone)  # so near the calendar's edge that it can't be shown: no time that anybody means
    except (ValueError, OverflowError):
        raise Usage(f"{quoted(text)} is not a time", TIME_HINT) from None
    to_come = [each for each in times if each > now]
    if not to_come:
        raise Usage(f"{dated(times[-1], zone)} is in the past")
    return to_come[0]


def _next(hour: int, minute: int, second: int, zone: ZoneInfo, now: datetime) -> datetime:
    """The next time at which the clock of the zone shows this, whatever daylight saving does; some days it may not."""
    today = now.astimezone(zone).replace(hour=hour, minute=minute, second=second, microsecond=0, tzinfo=None)
    days = (today + timedelta(days=ahead) for ahead in range(4))
    return next(moment for day in days for moment in occurrences(day, zone) if moment > now)


def occurrences(shown: datetime, zone: ZoneInfo) -> list[datetime]:
    """When the clock of the zone shows this, in UTC: once, twice where it is put back, or never."""
    moments = {shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in moments if moment.astimezone(zone).replace(tzinfo=None) == shown)


def _refuse_skipped(shown: datetime, zone: ZoneInfo) -> datetime:
    """Raises ``Usage`` with the first time after the gap that a skipped time is in."""
    before, after = (shown.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    moment = shown.replace(tzinfo=UTC, second=0, microsecond=0) - after  # by the later offset: still before the gap
    while moment.astimezone(zone).utcoffset() == before:
        moment += timedelta(minutes=1)
    raise Usage(
        f"{shown:%Y-%m-%d %H:%M} does not exist in {zone}: clocks go forward by "
        f"{format_duration((after - before).total_seconds())}",
        f"the next time is {dated(moment, zone)}",
    )


def parse_past(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A moment that has been, in UTC: ``18:30`` is its last occurrence in ``zone``; else ISO 8601.

    Where the clocks are put back, a time that comes twice means the last that has been. Raises ``Usage``.
    """
    try:
        if found := _CLOCK.fullmatch(text.strip()):
            hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
            today = now.astimezone(zone).replace(hour=hour, minute=minute, second=second, microsecond=0, tzinfo=None)
            days = (today - timedelta(days=ago) for ago in range(4))
            return next(at for day in days for at in reversed(occurrences(day, zone)) if at <= now)
        moment = datetime.fromisoformat(text.strip())
        there = [] if moment.tzinfo else [at for at in occurrences(moment, zone) if at <= now]
        moment = there[-1] if there else (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Usage(f"{quoted(text)} is not a time", TIME_HINT) from None
    if moment > now:
        raise Usage(f"{dated(moment, zone)} is in the future")
    return moment


def parse_length(text: str) -> float:
    """Seconds of ``2h``, ``90m``, ``1h30m``. Raises ``Usage`` for what can't be a length of time."""
    try:
        return parse_duration(text)
    except Refused as error:
        raise Usage(error.message, error.hint) from None
