"""``vclab computer import FILE``: many lab machines at once, from a CSV file."""

import os
import stat
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from vclab.cli.asking import Asker, asker, typed_password
from vclab.cli.computer import app
from vclab.cli.errors import Usage
from vclab.cli.output import note, say_json, table
from vclab.cli.params import AsUser, Json
from vclab.cli.tables import Column, Fit
from vclab.contract import computer_import
from vclab.contract.computer_import import LARGEST, Line, Report, Table, not_imported
from vclab.contract.computer_table import read_table
from vclab.model.errors import Refused
from vclab.model.typed import quoted

COLUMNS = (
    Column("LINE", right=True),
    Column("COMPUTER"),
    Column("GROUP", drop=1),
    Column("WHAT"),
    Column("DETAILS", fit=Fit.FOLD),
)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV, UTF-8; its first line names the columns.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, ask the BMCs, write nothing.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Add lab machines (bare metal too) from a CSV file, or change what the file says of known ones.

    Columns are name; group or module; mac, public_mac, address, host_key; bmc, user, fingerprint, password; and the
    fields of the module's data. What is empty stays as it is. All lines are checked first, then all BMCs are logged in
    to that are new or were changed. If one line is wrong nothing is written; else all is, at once.

    One password is asked for, or read from standard input, for all BMCs without one in the column password; a file with
    that column must be readable by its owner alone (mode 600).

    \b
    Examples:
      vclab computer import rack-3.csv --dry-run
      vclab computer import rack-3.csv < password-file
    """
    ask, question = asker(context), _read(file)
    report = ask(computer_import.preview, question)
    if not report.wrong and report.passwords:
        whose = f"the BMCs' accounts ({report.passwords} BMCs)" if report.passwords > 1 else "the BMC's account"
        question = question.model_copy(update={"password": SecretStr(typed_password(whose))})
    refused = not_imported(report) if report.wrong else None
    if refused is None:
        report, refused = _done(ask, question, dry_run)
    if json:
        say_json(computer_import.preview.document(report))
    else:
        table(COLUMNS, map(_row, report.lines))
        note(_summary(report))
    if refused is not None:
        raise refused


def _done(ask: Asker, question: Table, dry_run: bool) -> tuple[Report, Refused | None]:
    """What became of it, or would; and the error that it ends with."""
    try:
        report = ask(computer_import.rehearse if dry_run else computer_import.write, question)
    except Refused as error:
        if "report" not in error.more:
            raise
        return Report.model_validate(error.more["report"]), error
    return report, not_imported(report) if report.wrong else None


def _read(file: str) -> Table:
    """The table. Raises ``Usage``, and ``Refused`` when others can read passwords in the file."""
    try:
        with Path(file).open("rb") as opened:
            mode, data = os.fstat(opened.fileno()).st_mode, opened.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise Usage(f"{quoted(file)} can't be read: {why}") from None
    found = read_table(data)
    if stat.S_ISREG(mode) and mode & 0o077 and any(row.password for row in found.rows):
        hint = f"chmod 600 {file}, or leave the column out: one password for all is asked for"
        raise Refused(f"there are passwords in {quoted(file)}, and others than its owner may read it", hint)
    return found


def _row(line: Line) -> tuple[str, ...]:
    if line.error is not None:
        details = "; ".join(filter(None, (line.error.message, line.error.hint)))
    else:
        details = ", ".join(line.changes)
    return str(line.line), line.name, line.group, str(line.what or "wrong"), details


def _summary(report: Report) -> str:
    number = f"{report.add} to add, {report.change} to change, {report.same} as they are"
    if report.written:
        return f"{report.add} added, {report.change} changed, {report.same} as they were."
    return f"{number}, {report.wrong} wrong." if report.wrong else f"{number}. Nothing was written."
