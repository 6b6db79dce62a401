"""The one place where errors become one line on stderr and an exit code. Never a traceback."""

import os
import sys
import traceback
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from vclab.model.errors import (
    Failed,
    Invalid,
    NotFound,
    NotYet,
    Refused,
    TooMany,
    Unauthenticated,
    Unreachable,
    VclabError,
)
from vclab.model.wrong_values import complaint

if TYPE_CHECKING:
    from vclab.cli.output import JsonValue

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
Exit codes, and the codes of errors with --json:
  0    done
  1    failed: the reservation failed or has ended; internal: a fault in vclab
  2    invalid: the command was not understood
  3    refused: not possible; forbidden: not allowed; unauthenticated: log in; not_yet, too_many: try later
  4    not_found: no such image, user or reservation
  5    unreachable, busy: the server, Temporal, the database or the workers don't answer
  130  interrupted: stopped by Ctrl-C
With --json, a command that fails prints {"error": {"code", "message", "hint"}}.
connect passes on the exit code of ssh."""


Usage = Invalid
"""The command was written in a way that can't be understood."""

_CODES: tuple[tuple[type[BaseException], Code], ...] = (
    (Invalid, Code.USAGE),
    (Failed, Code.FAILED),
    (NotFound, Code.NOT_FOUND),
    (Unreachable, Code.UNREACHABLE),
    (Refused, Code.REFUSED),
    (Unauthenticated, Code.REFUSED),
    (TooMany, Code.REFUSED),
    (NotYet, Code.REFUSED),
    (KeyboardInterrupt, Code.INTERRUPTED),
    (BrokenPipeError, Code.BROKEN_PIPE),
)


@dataclass(frozen=True)
class Problem:
    """An error as people and programs are told it. ``code`` is stable."""

    code: str
    message: str
    hint: str = ""

    @classmethod
    def of_code(cls, exit_code: int) -> "Problem":
        """What is known of a command that has said more on stderr."""
        return _BY_EXIT_CODE.get(exit_code, cls("failed", "the command failed", "stderr tells why"))

    def text(self) -> str:
        """One line."""
        if not self.hint:
            return one_line(self.message)
        if self.message.endswith("?"):
            return one_line(f"{self.message} {self.hint[:1].upper()}{self.hint[1:]}")
        return one_line(f"{self.message}; {self.hint}")

    def json(self) -> "dict[str, JsonValue]":
        """The document that ``--json`` prints."""
        return {"error": self.fields()}

    def fields(self) -> "dict[str, JsonValue]":
        """Code, message and hint, for a document that tells of more than the error."""
        return {"code": self.code, "message": one_line(self.message), "hint": one_line(self.hint) or None}


_BY_EXIT_CODE: dict[int, Problem] = {
    Code.USAGE: Problem("invalid", "the command was not understood", "stderr tells why"),
    Code.REFUSED: Problem("refused", "the command was refused", "stderr tells why"),
    Code.NOT_FOUND: Problem("not_found", "something was not found", "stderr tells what"),
    Code.UNREACHABLE: Problem("unreachable", "a part does not answer", "`vclab status` tells which"),
    Code.INTERRUPTED: Problem("interrupted", "stopped by Ctrl-C"),
}


def code_of(error: BaseException) -> int:
    """The exit code for an error."""
    if _is_database(error):
        return Code.UNREACHABLE
    own = getattr(error, "exit_code", None)  # Typer's
    if isinstance(own, int):
        return own
    return next((code for kind, code in _CODES if isinstance(error, kind)), Code.FAILED)


def problem_of(error: BaseException) -> Problem:
    """What to tell of an error."""
    if _is_database(error):
        cause = getattr(error, "orig", None) or error
        return Problem(
            "unreachable", f"the database does not answer: {_first_line(cause)}", "`vclab status` tells more"
        )
    if isinstance(error, VclabError):
        return Problem(error.code, error.message or type(error).__name__, error.hint)
    if hasattr(error, "format_message"):
        return _typers_problem(error)
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return Problem("failed", f"{error.strerror or error}{where}")
    what = f"{type(error).__name__}: {_first_line(error)}"
    return Problem("internal", f"a fault in vclab: {what}", "VCLAB_TRACEBACK=1 shows where, please report it")


def text_of(error: BaseException) -> str:
    """What to say of an error, in one line."""
    return problem_of(error).text()


def report(error: BaseException, verb: str = "") -> int:
    """Print ``vclab: verb: what failed: why; what to do`` to stderr, and return the exit code."""
    if os.environ.get("VCLAB_TRACEBACK") == "1":
        traceback.print_exception(error)
    from vclab.cli.output import note  # not imported above, as in ``problem_of``

    note(f"vclab: {verb}: {text_of(error)}" if verb else f"vclab: {text_of(error)}")
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


def _typers_problem(error: Any) -> Problem:
    """What Typer says of a command that it does not understand."""
    where = getattr(getattr(error, "ctx", None), "command_path", "vclab")
    return Problem("invalid", _bad_value(error) or str(error.format_message()).rstrip("."), f"see `{where} --help`")


def _bad_value(error: Any) -> str:
    """What is wrong with an option's value, in other words than pydantic's."""
    details = getattr(error.__cause__, "errors", None)
    parameter = getattr(error, "param", None)
    if details is None or parameter is None:
        return ""
    name = parameter.opts[-1] if parameter.param_type_name == "option" else parameter.metavar or parameter.name
    return f"{name} {complaint(details()[0])}"


def _is_database(error: BaseException) -> bool:
    # Not imported here: `vclab --help` must not wait for SQLAlchemy.
    sqlalchemy = sys.modules.get("sqlalchemy.exc")
    return sqlalchemy is not None and isinstance(error, sqlalchemy.SQLAlchemyError)
