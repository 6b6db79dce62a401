"""Many lab machines at once, from a table: all lines are checked, then all BMCs asked, then all is written, or nothing.

``computer_table`` reads a CSV file. ``preview`` checks the lines, and says how many passwords are needed; ``rehearse``
asks the BMCs too; ``write`` does the same again, and writes.
"""

from typing import Self

from pydantic import Field, SecretStr

from vclab.contract.lab_machines import What
from vclab.contract.use_case import Question, act, needs, post, read
from vclab.contract.views import View
from vclab.model.access import Permission
from vclab.model.errors import Refused, VclabError

MOST_LINES = 10_000
"""Lines of one table."""

LARGEST = 16 * 2**20
"""Bytes of its file."""
LARGEST_TABLE = 4 * LARGEST
"""And of its lines as JSON, where each one names its columns."""

_NAMED = 5  #: lines that an error names


class Row(Question):
    """A line of the table. ``values``: by column, without what is empty and without the password."""

    line: int  #: of the file, where it begins
    values: dict[str, str] = Field(default_factory=dict)
    password: SecretStr | None = None  #: of its BMC's user
    problem: str = ""  #: why it can't be read


class Table(Question):
    """The lines, and the password of all BMCs that have none in the table."""

    rows: tuple[Row, ...]
    password: SecretStr | None = None
    columns: tuple[str, ...] = ()  #: of its heading; one that means nothing is refused, although no line has a value


class LineError(View):
    """What is wrong with a line. ``code``: as those of other errors."""

    code: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: VclabError) -> Self:
        """An error, for programs."""
        return cls(code=error.code, message=error.message, hint=error.hint)


class Line(View):
    """What becomes of a line."""

    line: int
    name: str
    what: What | None  #: null: it is wrong
    group: str
    changes: tuple[str, ...]  #: of a known computer, in words
    error: LineError | None


class Report(View):
    """What becomes of a table."""

    lines: tuple[Line, ...]
    add: int
    change: int
    same: int
    wrong: int
    passwords: int  #: BMCs that will be logged in to, and whose password is not in the table
    written: bool


def not_imported(report: Report) -> Refused:
    """Lines are wrong, and nothing was written. Whoever catches it finds the ``Report`` in ``more``."""
    wrong = [str(each.line) for each in report.lines if each.error is not None]
    names = f"{', '.join(wrong[:_NAMED])}{' …' if len(wrong) > _NAMED else ''}"
    which = f"line {names} is" if len(wrong) == 1 else f"{len(wrong)} of {len(report.lines)} lines ({names}) are"
    return Refused(f"{which} wrong; nothing was written", more={"report": report.model_dump(mode="json")})


preview = read(
    "computer_import.preview",
    needs(Permission.KEEP),
    Table,
    Report,
    post("/computer-imports/preview"),
    "Check all lines, and ask nobody.",
    largest=LARGEST_TABLE,
)


rehearse = read(
    "computer_import.rehearse",
    needs(Permission.KEEP),
    Table,
    Report,
    post("/computer-imports/rehearse"),
    "Check all lines, and ask the BMCs of those that would be written, if no line is wrong.",
    long=True,
    largest=LARGEST_TABLE,
)


write = act(
    "computer_import.write",
    needs(Permission.KEEP),
    Table,
    Report,
    post("/computer-imports"),
    "Add and change all, or nothing. A refusal has the report in `more`.",
    long=True,
    largest=LARGEST_TABLE,
)
