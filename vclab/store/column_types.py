"""Column types that mean the same on both databases."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect
from sqlalchemy.types import TypeDecorator

FOREVER = datetime.max.replace(tzinfo=UTC)
"""An open end: "infinity" on PostgreSQL. It sorts after every other time on both databases."""


def utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ``ValueError`` for a time without a zone, which is ambiguous."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment if moment == FOREVER else moment.astimezone(UTC)


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC, with microseconds. SQLite keeps it as text of fixed width, which sorts like the time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """To the database."""
        if value is None:
            return None
        moment = utc(value)
        if dialect.name == "sqlite":
            return moment.replace(tzinfo=None)
        return "infinity" if moment == FOREVER else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
