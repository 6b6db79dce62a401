"""Times for people: in their zone, with its name; and what people type for a time."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vclab.cli.errors import Usage, quoted
from vclab.model.durations import format_duration, parse_duration
from vclab.model.errors import Refused

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name; UTC when this machine does not know it."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime | None) -> str | None:
    """For programs: ISO 8601 in UTC with whole seconds, e.g. ``2025-11-21T10:35:00Z``."""
    if moment is None:
        return None
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def clock(moment: datetime, zone: ZoneInfo, now: datetime | None = None) -> str:
    """For people: ``14:05 CET`` today, ``Fri 22 Nov 14:05 CET`` on another day, with the year in another year."""
    local, today = moment.astimezone(zone), (now or utc_now()).astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M} {local.tzname()}"
    year = f" {local:%Y}" if local.year != today.year else ""
    return f"{local:%a} {local.day} {local:%b}{year} {local:%H:%M} {local.tzname()}"


def dated(moment: datetime, zone: ZoneInfo) -> str:
    """Always with the date: for a time that was typed without one. With the offset when the clock shows it twice."""
    local = moment.astimezone(zone)
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    offset = f" (UTC{local.isoformat()[-6:]})" if twice else ""
    return f"{local:%a} {local.day} {local:%b %Y %H:%M} {local.tzname()}{offset}"


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
        raise Usage(f"{quoted(text)} is not a time; write 18:30 or 2026-01-31T18:30, with +01:00 for a zone") from None
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
        f"{shown:%H:%M} does not come on {shown:%a} {shown.day} {shown:%b %Y} in {zone}: the clocks are put forward by "
        f"{format_duration((after - before).total_seconds())}; the next time that comes is {dated(moment, zone)}"
    )


def parse_length(text: str) -> float:
    """Seconds of ``2h``, ``90m``, ``1h30m``. Raises ``Usage`` for what can't be a length of time."""
    try:
        return parse_duration(text)
    except Refused as error:
        raise Usage(str(error)) from None
