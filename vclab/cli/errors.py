"""The one place where errors become one line on stderr and an exit code. Never a traceback."""

import os
import sys
import traceback
from enum import IntEnum

from vclab.model.errors import Failed, Invalid, NotFound, NotYet, Refused, Unreachable, VclabError

LONGEST = 2000  #: characters of a message; a refusal that names many hosts is long, garbage input must not be


class Code(IntEnum):
    """Exit codes; ``vclab --help`` documents them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    UNREACHABLE = 5
    INTERRUPTED = 130
    BROKEN_PIPE = 141


CODES_HELP = """\b
Exit codes:
  0    done
  1    failed: the reservation failed or has ended, or vclab did
  2    the command was not understood
  3    refused: not allowed, not possible, or not yet
  4    not found: no such image, user or reservation
  5    unreachable: Temporal, the database or the workers don't answer
  130  stopped by Ctrl-C
  connect passes on the exit code of ssh"""


Usage = Invalid
"""The command was written in a way that can't be understood."""

_CODES: tuple[tuple[type[BaseException], Code], ...] = (
    (Invalid, Code.USAGE),
    (Failed, Code.FAILED),
    (NotFound, Code.NOT_FOUND),
    (Unreachable, Code.UNREACHABLE),
    (Refused, Code.REFUSED),
    (NotYet, Code.REFUSED),
    (KeyboardInterrupt, Code.INTERRUPTED),
    (BrokenPipeError, Code.BROKEN_PIPE),
)


def code_of(error: BaseException) -> int:
    """The exit code for an error."""
    if _is_database(error):
        return Code.UNREACHABLE
    own = getattr(error, "exit_code", None)  # Typer's
    if isinstance(own, int):
        return own
    return next((code for kind, code in _CODES if isinstance(error, kind)), Code.FAILED)


def text_of(error: BaseException) -> str:
    """What to say of an error, in one line."""
    if _is_database(error):
        cause = getattr(error, "orig", None) or error
        return one_line(f"the database does not answer: {_first_line(cause)}; `vclab status` tells more")
    if isinstance(error, VclabError):
        return one_line(str(error) or type(error).__name__)
    message = getattr(error, "format_message", None)  # Typer's
    if message is not None:
        where = getattr(getattr(error, "ctx", None), "command_path", "vclab")
        text = str(message()).rstrip(".")
        return one_line(f"{text} See `{where} --help`" if text.endswith("?") else f"{text}; see `{where} --help`")
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return one_line(f"{error.strerror or error}{where}")
    what = f"{type(error).__name__}: {_first_line(error)}"
    return one_line(f"a fault in vclab: {what}; VCLAB_TRACEBACK=1 shows where, please report it")


def report(error: BaseException, verb: str = "") -> int:
    """Print ``vclab: verb: what failed: why; what to do`` to stderr, and return the exit code."""
    if os.environ.get("VCLAB_TRACEBACK") == "1":
        traceback.print_exception(error)
    print(f"vclab: {verb}: {text_of(error)}" if verb else f"vclab: {text_of(error)}", file=sys.stderr, flush=True)
    return code_of(error)


def one_line(text: str) -> str:
    """``text`` without line breaks, control characters and excess length: it may hold what somebody typed."""
    flat = " ".join(text.split())
    safe = "".join(c if c.isprintable() else repr(c)[1:-1] for c in flat)
    return safe if len(safe) <= LONGEST else safe[: LONGEST - 1] + "…"


def quoted(typed: str) -> str:
    """What somebody typed, safe and short enough for a message."""
    return repr(typed if len(typed) <= 60 else typed[:57] + "…")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _is_database(error: BaseException) -> bool:
    # Not imported here: `vclab --help` must not wait for SQLAlchemy.
    sqlalchemy = sys.modules.get("sqlalchemy.exc")
    return sqlalchemy is not None and isinstance(error, sqlalchemy.SQLAlchemyError)
