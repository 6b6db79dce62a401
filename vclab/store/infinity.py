"""PostgreSQL's "infinity", which Python's datetime does not know."""

from datetime import datetime

from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzLoader

from vclab.store.types import FOREVER


class InfinityLoader(TimestamptzLoader):
    """Loads "infinity" as ``FOREVER``."""

    def load(self, data: Buffer) -> datetime:
        """From PostgreSQL's text format."""
        return FOREVER if bytes(data) == b"infinity" else super().load(data)
