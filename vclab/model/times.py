"""Times as people read them, the same in every message: ``2026-08-01 12:00 CEST``. Today's go without the date."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name; UTC when this machine does not know it."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def clock(moment: datetime, zone: tzinfo, now: datetime | None = None) -> str:
    """``12:00 CEST`` today, ``2026-08-01 12:00 CEST`` on another day."""
    local, today = moment.astimezone(zone), (now or datetime.now(UTC)).astimezone(zone)
    return f"{local:%H:%M %Z}" if local.date() == today.date() else dated(moment, zone)


def dated(moment: datetime, zone: tzinfo) -> str:
    """Always with the date. With the offset from UTC too when the clock shows this time twice.

    At the calendar's edge, where not every zone has a date for it, in the zone in which it was given.
    """
    try:
        local = moment.astimezone(zone)
    except OverflowError:
        return f"{moment:%Y-%m-%d %H:%M %Z}"
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    offset = f" (UTC{local.isoformat()[-6:]})" if twice else ""
    return f"{local:%Y-%m-%d %H:%M %Z}{offset}"
