"""PostgreSQL's text knows no NUL, and people and computers send one now and then."""

from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown

REPLACEMENT = "\ufffd"


class TextDumper(StrDumperUnknown):
    """Writes U+FFFD for NUL: a text from outside must not make a record fail, which would be tried for ever."""

    def dump(self, obj: str) -> Buffer | None:
        """To PostgreSQL's text format."""
        return super().dump(obj.replace("\0", REPLACEMENT))
