"""How psycopg reads and writes values that PostgreSQL knows and Python does not, and the other way round.

Apart from ``column_types``: an installation on SQLite need not import psycopg.
"""

from datetime import datetime

from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.string import StrDumperUnknown

from vclab.store.column_types import FOREVER

REPLACEMENT = "\ufffd"
"""Written for NUL, which PostgreSQL's text does not allow and people and computers send now and then."""


class TextDumper(StrDumperUnknown):
    """Writes U+FFFD for NUL: a text from outside must not make a record fail, which would be tried for ever."""

    def dump(self, obj: str) -> Buffer | None:
        """To PostgreSQL's text format."""
        return super().dump(obj.replace("\0", REPLACEMENT))


class InfinityLoader(TimestamptzLoader):
    """Loads "infinity", which Python's datetime does not know, as ``FOREVER``."""

    def load(self, data: Buffer) -> datetime:
        """From PostgreSQL's text format."""
        return FOREVER if bytes(data) == b"infinity" else super().load(data)
