"""Many lab machines at once, from a table: all lines are checked, then all BMCs asked, then all is written, or nothing.

``rows_of`` reads a CSV file. ``preview`` checks the lines, and says how many passwords are needed; ``rehearse`` asks
the BMCs too; ``write`` does the same again, and writes.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Self

from pydantic import Field, SecretStr
from sqlalchemy.orm import Session

from vclab.model.errors import Invalid, Refused, VclabError
from vclab.provisioning import registry
from vclab.service import lab_machines, power
from vclab.service.endpoints import refuse_without_secrets
from vclab.service.finding import near, quoted
from vclab.service.lab_machines import LabMachine, Present, Wanted, What
from vclab.service.power import Attempt, Tried
from vclab.service.use_case import Call, Question, Rule, act, read
from vclab.service.views import View

MOST_LINES = 10_000
"""Lines of one table."""
LARGEST = 16 * 2**20
"""Bytes of its file."""
_NAMED = 5  #: lines that an error names

_MACHINE = {"name": "name", "group": "group", "module": "module", "mac": "private_mac", "public_mac": "public_mac"}
_MACHINE |= {each: each for each in ("address", "host_key", "bmc", "fingerprint")}
"""Columns that are fields of ``LabMachine``, and which."""
_USER, _PASSWORD = "user", "password"


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


class NotImported(Refused):
    """Lines are wrong, and nothing was written."""

    def __init__(self, report: Report) -> None:
        wrong = [str(each.line) for each in report.lines if each.error is not None]
        names = f"{', '.join(wrong[:_NAMED])}{' …' if len(wrong) > _NAMED else ''}"
        which = f"line {names} is" if len(wrong) == 1 else f"{len(wrong)} of {len(report.lines)} lines ({names}) are"
        super().__init__(f"{which} wrong; nothing was written")
        self.report = report


@read(Rule.KEEPERS)
async def preview(call: Call, question: Table) -> Report:
    """Check all lines, and ask nobody."""
    return (await _planned(call, question)).report()


@read(Rule.KEEPERS)
async def rehearse(call: Call, question: Table) -> Report:
    """Check all lines, and ask the BMCs of those that would be written, if no line is wrong."""
    planned = await _planned(call, question)
    if not planned.errors:
        planned, _ = await _tried(call, question, planned)
    return planned.report()


@act(Rule.KEEPERS)
async def write(call: Call, question: Table) -> Report:
    """Add and change all, or nothing. Raises ``NotImported``, which has the report."""
    planned, found = await _tried(call, question, _right(await _planned(call, question)))
    _right(planned)
    kept = lab_machines.kept_by(call)

    def change(session: Session) -> None:
        again = _right(_plan(Present.of(session), question.rows, kept))
        lab_machines.put(session, again.wanted.values())

    await power.written(call, found, change)
    return planned.report(written=True)


# Checked.


@dataclass(frozen=True)
class Planned:
    """What is to be done, by line, and why some lines can't be."""

    rows: Sequence[Row]
    wanted: Mapping[int, Wanted]
    errors: Mapping[int, VclabError]

    def report(self, written: bool = False) -> Report:
        """For people and programs."""
        lines = tuple(self._line(row) for row in self.rows)
        number = {what: sum(each.what is what for each in lines) for what in (*What, None)}
        return Report(
            lines=lines,
            add=number[What.ADD],
            change=number[What.CHANGE],
            same=number[What.SAME],
            wrong=number[None],
            passwords=sum(self._needs_password(row) for row in self.rows),
            written=written,
        )

    def _line(self, row: Row) -> Line:
        error, wanted = self.errors.get(row.line), self.wanted.get(row.line)
        return Line(
            line=row.line,
            name=row.values.get("name", ""),
            what=wanted.what if wanted and not error else None,
            group=wanted.entry.endpoint if wanted else row.values.get("group", ""),
            changes=wanted.changes if wanted else (),
            error=LineError.of(error) if error else None,
        )

    def _needs_password(self, row: Row) -> bool:
        address = self.wanted[row.line].address if row.line in self.wanted else None
        return row.password is None and address is not None and power.has_password(address)


def _right(planned: Planned) -> Planned:
    """Raises ``NotImported`` when a line is wrong."""
    if planned.errors:
        raise NotImported(planned.report())
    return planned


async def _planned(call: Call, question: Table) -> Planned:
    if not 0 < len(question.rows) <= MOST_LINES:
        raise Invalid(f"a table has 1 to {MOST_LINES} lines, not {len(question.rows)}")
    kept = lab_machines.kept_by(call)
    planned = await call.backend.read(lambda session: _plan(Present.of(session), question.rows, kept))
    if any(each.address and power.has_password(each.address) for each in planned.wanted.values()):
        refuse_without_secrets(call)
    return planned


def _plan(present: Present, rows: Sequence[Row], kept: lab_machines.Kept) -> Planned:
    wanted, errors = dict[int, Wanted](), dict[int, VclabError]()
    lines = dict[str, int]()
    for row in rows:
        try:
            made = lab_machines.plan(present, _question(row), kept)
            if (first := lines.setdefault(made.name, row.line)) != row.line:
                raise Invalid(f"{made.name} is on line {first} already")
            wanted[row.line] = made
        except VclabError as error:
            errors[row.line] = error

    def shown(name: str) -> str:
        return f"{name} (line {lines[name]})" if name in lines else name

    for name, clash in lab_machines.clashes(present, list(wanted.values()), shown).items():
        errors[lines[name]] = clash
    return Planned(rows, wanted, errors)


def _question(row: Row) -> LabMachine:
    """The line as it is asked for one by one. Raises ``Invalid``."""
    if row.problem:
        raise Invalid(row.problem)
    values = dict(row.values)
    if "name" not in values:
        raise Invalid("it has no name")
    if user := values.pop(_USER, ""):
        values["bmc"] = _with_user(values.get("bmc", ""), user)
    machine = {_MACHINE[column]: values.pop(column) for column in _MACHINE if column in values}
    return LabMachine(**machine, password=row.password, data=values)


def _with_user(bmc: str, user: str) -> str:
    """``ipmi://10.9.0.11`` with its user. Raises ``Invalid``."""
    scheme, separator, rest = bmc.partition("://")
    if not separator:
        raise Invalid(f"the user {quoted(user)} has no BMC", "write it like ipmi://10.9.0.11")
    if "@" in rest:
        raise Invalid("its BMC's user is given twice", "leave it out of the address, or out of the column user")
    return f"{scheme}://{user}@{rest}"


# Asked.


async def _tried(call: Call, question: Table, planned: Planned) -> tuple[Planned, list[Tried]]:
    """Ask all BMCs that are new or were changed; what does not answer is an error of its line."""
    attempts, errors = dict[str, Attempt](), dict[int, VclabError]()
    lines = {each.name: line for line, each in planned.wanted.items()}
    for row in planned.rows:
        try:
            attempts |= _attempt(row, planned.wanted[row.line], question.password)
        except Invalid as error:
            errors[row.line] = error
    if errors:
        return Planned(planned.rows, planned.wanted, errors), []
    answers = await power.try_all(call, list(attempts.values()), "in the column fingerprint:")
    found = [each for each in answers.values() if isinstance(each, Tried)]
    errors = {lines[name]: each for name, each in answers.items() if isinstance(each, VclabError)}
    return Planned(planned.rows, planned.wanted, errors), found


def _attempt(row: Row, wanted: Wanted, password: SecretStr | None) -> dict[str, Attempt]:
    if wanted.address is None:
        return {}
    question = _question(row).model_copy(update={"password": row.password or password})
    return {wanted.name: power.attempt_of(wanted.name, wanted.entry.endpoint, wanted.address, question)}


# The file.


def rows_of(data: bytes) -> tuple[Row, ...]:
    """The lines of a CSV file: UTF-8, separated by commas, semicolons or tabs; the first line names the columns. Empty
    lines are left out. Raises ``Invalid`` when the file as a whole can't be read."""
    lines = _lines(_text(data))
    columns = _columns(next(lines, (0, []))[1])
    rows = tuple(_row(line, columns, cells) for line, cells in lines if any(cells))
    if not 0 < len(rows) <= MOST_LINES:
        raise Invalid(f"the file has {len(rows) or 'no'} lines below its heading; 1 to {MOST_LINES} can be read")
    return rows


def _text(data: bytes) -> str:
    if len(data) > LARGEST:
        raise Invalid(f"the file has more than {LARGEST >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Invalid(f"the file is not UTF-8 (line {line})", "save it as CSV, UTF-8") from None


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each line with its number. Raises ``Invalid`` where quotes don't fit together."""
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Invalid(f"line {number} can't be read: {error}", "look at its quotes") from None
        yield number, [cell.strip() for cell in cells]


def _columns(heading: Sequence[str]) -> list[str]:
    """Raises ``Invalid`` for a column that means nothing, and when there is none of names."""
    columns = [name.lower().replace(" ", "_") for name in heading]
    columns = ["mac" if name == "private_mac" else name for name in columns]
    data = (field for kind in registry.KINDS for field in kind.computer_data.known())
    can_be = dict.fromkeys((*_MACHINE, _USER, _PASSWORD, *data))
    for name in filter(None, columns):
        if name not in can_be:
            raise Invalid(f"there is no column {quoted(name)}{near(name, can_be)}", f"columns are {', '.join(can_be)}")
        if columns.count(name) > 1:
            raise Invalid(f"there are two columns {name}")
    if "name" not in columns:
        raise Invalid("the first line of the file does not name its columns", "one of them is name")
    return columns


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    values = {name: value for name, value in zip_longest(columns, cells, fillvalue="") if value}
    problem = f"{quoted(values.pop(''))} is in no column of the heading" if "" in values else ""
    password = values.pop(_PASSWORD, None)
    return Row(line=line, values=values, password=SecretStr(password) if password else None, problem=problem)
