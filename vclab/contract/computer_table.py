"""A table of lab machines, as a CSV file. What its columns mean is not known here: whoever imports it says that."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from pydantic import SecretStr

from vclab.contract.computer_import import LARGEST, MOST_LINES, Row, Table
from vclab.model.errors import Invalid
from vclab.model.typed import quoted


def read_table(data: bytes) -> Table:
    """A CSV file: UTF-8, separated by commas, semicolons or tabs; the first line names the columns. Empty
    lines are left out. Raises ``Invalid`` when the file as a whole can't be read."""
    lines = _lines(_text(data))
    columns = _columns(next(lines, (0, []))[1])
    rows = tuple(_row(line, columns, cells) for line, cells in lines if any(cells))
    if not 0 < len(rows) <= MOST_LINES:
        raise Invalid(f"the file has {len(rows) or 'no'} lines below its heading; 1 to {MOST_LINES} can be read")
    return Table(rows=rows, columns=tuple(filter(None, columns)))


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
    """Raises ``Invalid`` when one is there twice, and when there is none of names."""
    columns = [name.lower().replace(" ", "_") for name in heading]
    columns = ["mac" if name == "private_mac" else name for name in columns]
    for name in filter(None, columns):
        if columns.count(name) > 1:
            raise Invalid(f"there are two columns {name}")
    if "name" not in columns:
        raise Invalid("the first line of the file does not name its columns", "one of them is name")
    return columns


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    values = {name: value for name, value in zip_longest(columns, cells, fillvalue="") if value}
    problem = f"{quoted(values.pop(''))} is in no column of the heading" if "" in values else ""
    password = values.pop("password", None)
    return Row(line=line, values=values, password=SecretStr(password) if password else None, problem=problem)
