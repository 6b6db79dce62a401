"""INSERT that answers conflicts, as the database in use has it."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

_INSERTS: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def dialect_of(session: Session) -> str:
    """``sqlite`` or ``postgresql``."""
    return session.get_bind().dialect.name


def insert(dialect: str, table: sa.Table) -> Any:
    """The dialect's own statement."""
    return _INSERTS[dialect](table)
