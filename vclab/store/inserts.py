"""INSERT that answers conflicts, as the database in use has it."""

from importlib import import_module
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session


def dialect_of(session: Session) -> str:
    """``sqlite`` or ``postgresql``."""
    return session.get_bind().dialect.name


def insert(dialect: str, table: sa.Table) -> Any:
    """Its ``insert``. The dialect is imported only here: the one that is not in use would cost each command 50 ms."""
    return import_module(f"sqlalchemy.dialects.{dialect}").insert(table)
