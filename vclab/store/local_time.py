"""Times in a user's time zone."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.orm import Session

from vclab.model.times import dated
from vclab.store.models import User


def for_user(session: Session, login: str, moment: datetime) -> str:
    """A time in the user's zone."""
    return shown(moment, zone_of(session, login))


def zone_of(session: Session, login: str) -> tzinfo:
    """The user's zone; UTC if there is none of that name."""
    user = session.get_one(User, login)
    try:
        return ZoneInfo(user.zone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def shown(moment: datetime, zone: tzinfo) -> str:
    """As in every message: ``2026-08-01 12:00 CEST``."""
    return dated(moment, zone)
