"""Many lab machines at once, from a table: all lines are checked, then all BMCs asked, then all is written, or nothing.

``preview`` checks the lines, and says how many passwords are needed; ``rehearse`` asks
the BMCs too; ``write`` does the same again, and writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import SecretStr
from sqlalchemy.orm import Session

from vclab.contract import computer_import as contract
from vclab.contract.computer_import import MOST_LINES, Line, LineError, Report, Row, Table, not_imported
from vclab.contract.lab_machines import LabMachine, What
from vclab.model.errors import Invalid, VclabError
from vclab.model.typed import near, quoted
from vclab.provisioning import registry
from vclab.service import lab_machines, power
from vclab.service.endpoints import refuse_without_secrets
from vclab.service.lab_machines import Present, Wanted
from vclab.service.power import Attempt, Tried
from vclab.service.use_case import Call, does

_MACHINE = {"name": "name", "group": "group", "module": "module", "mac": "private_mac", "public_mac": "public_mac"}
_MACHINE |= {each: each for each in ("address", "host_key", "bmc", "fingerprint")}
"""Columns that are fields of ``LabMachine``, and which."""


_USER, _PASSWORD = "user", "password"


@does(contract.preview)
async def preview(call: Call, question: Table) -> Report:
    return (await _planned(call, question)).report()


@does(contract.rehearse)
async def rehearse(call: Call, question: Table) -> Report:
    planned = await _planned(call, question)
    if not planned.errors:
        planned, _ = await _tried(call, question, planned)
    return planned.report()


@does(contract.write)
async def write(call: Call, question: Table) -> Report:
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
    """Raises ``Refused``, with the report, when a line is wrong."""
    if planned.errors:
        raise not_imported(planned.report())
    return planned


async def _planned(call: Call, question: Table) -> Planned:
    if not 0 < len(question.rows) <= MOST_LINES:
        raise Invalid(f"a table has 1 to {MOST_LINES} lines, not {len(question.rows)}")
    _check_columns(question)
    kept = lab_machines.kept_by(call)
    planned = await call.backend.read(lambda session: _plan(Present.of(session), question.rows, kept))
    if any(each.address and power.has_password(each.address) for each in planned.wanted.values()):
        refuse_without_secrets(call)
    return planned


def _check_columns(question: Table) -> None:
    """Raises ``Invalid`` for one that means nothing."""
    data = (field for kind in registry.KINDS for field in kind.computer_data.known())
    can_be = dict.fromkeys((*_MACHINE, _USER, _PASSWORD, *data))
    for name in dict.fromkeys((*question.columns, *(name for row in question.rows for name in row.values))):
        if name not in can_be:
            raise Invalid(f"there is no column {quoted(name)}{near(name, can_be)}", f"columns are {', '.join(can_be)}")


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
