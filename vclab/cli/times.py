"""Times for people: in their zone, with its name; and what people type for a time."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from vclab.cli.errors import Usage, quoted
from vclab.model.durations import parse_duration
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
    """Always with the date: for a time that was typed without one."""
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M} {local.tzname()}"


def parse_time(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A time as people type it, in UTC: ``18:30`` is its next occurrence in ``zone``; else ISO 8601.

    Raises ``Usage`` for what is not a time, and for a dated time in the past.
    """
    found = _CLOCK.fullmatch(text.strip())
    try:
        if found:
            return _next(int(found[1]), int(found[2]), int(found[3] or 0), zone, now)
        moment = datetime.fromisoformat(text.strip())
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Usage(f"{quoted(text)} is not a time; write 18:30 or 2026-01-31T18:30, with +01:00 for a zone") from None
    if moment <= now:
        raise Usage(f"{dated(moment, zone)} is in the past")
    return moment


def _next(hour: int, minute: int, second: int, zone: ZoneInfo, now: datetime) -> datetime:
    today = now.astimezone(zone)
    moment = today.replace(hour=hour, minute=minute, second=second, microsecond=0, fold=0)
    if moment.astimezone(UTC) <= now:
        moment += timedelta(days=1)  # the same clock time tomorrow, whatever daylight saving does
    return moment.astimezone(UTC)


def parse_length(text: str) -> float:
    """Seconds of ``2h``, ``90m``, ``1h30m``. Raises ``Usage`` for what can't be a length of time."""
    try:
        return parse_duration(text)
    except Refused as error:
        raise Usage(str(error)) from None
