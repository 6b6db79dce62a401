"""Tables and fields as lines of text. Ids and addresses never break: where a terminal is narrow, columns drop out."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

GAP = 2  #: blanks between two columns
INDENT = 4  #: of text that stands below its row
_CUT = 12  #: cells that a column keeps when it is cut
_FOLD = 24  #: cells that a folded column needs beside the others


class Fit(Enum):
    """What becomes of the cells of a column where there is no room for them."""

    WHOLE = auto()  #: never shortened: names, ids, addresses, times
    CUT = auto()  #: shortened with an ellipsis: notes, reasons
    FOLD = (
        auto()
    )  #: folded between words, or below its row: what must be read. Of a table's columns at most one, the last


@dataclass(frozen=True)
class Column:
    """One column. Where there is no room, the one with the highest ``drop`` is left out first; 0: never."""

    heading: str
    drop: int = 0
    fit: Fit = Fit.WHOLE
    right: bool = False


def cells(text: str) -> int:
    """How many cells of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """The text in at most ``width`` cells, with an ellipsis if it is longer."""
    if cells(text) <= width:
        return text
    kept = ""
    for character in text:
        if cells(kept) + _cells(character) >= width:
            break
        kept += character
    return f"{kept.rstrip()}…"


def fold(text: str, width: int) -> list[str]:
    """The text in lines of at most ``width`` cells, broken between words only. A longer word has a line of its own."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cells(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


@dataclass(frozen=True)
class Laid:
    """A table as it is printed."""

    lines: tuple[str, ...]
    dropped: tuple[str, ...] = ()  #: headings of the columns that say something, and for which there was no room


def lay_out(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int | None) -> Laid:
    """The table for a terminal of ``width`` cells; None: nothing is cut, folded or dropped."""
    body = [[printable(cell) for cell in row] for row in rows]
    if width is None:
        natural = _natural(columns, body)
        return Laid(tuple(_line(columns, natural, row) for row in _with_headings(columns, body)))
    below = bool(columns) and columns[-1].fit is Fit.FOLD and not _fits(columns, body, width)
    empty = {n for n, column in enumerate(columns) if column.drop and not any(row[n] for row in body)}
    beside = list(range(len(columns) - below))
    while not _fits([columns[n] for n in beside], _only(body, beside), width):
        least = max(beside, key=lambda n: (n in empty, columns[n].drop))
        if not columns[least].drop:
            break
        beside.remove(least)
    shown, cropped = [columns[n] for n in beside], _only(body, beside)
    widths = _widths(shown, cropped, width)
    lines = [_line(shown, widths, [column.heading for column in shown])]
    for row, whole in zip(cropped, body, strict=True):
        lines += _folded(shown, widths, row)
        lines += [f"{' ' * INDENT}{line}" for line in fold(whole[-1], width - INDENT) if line] if below else []
    shown_or_empty = {*beside, *empty}
    dropped = (c.heading for n, c in enumerate(columns[: len(columns) - below]) if n not in shown_or_empty)
    return Laid(tuple(lines), tuple(dropped))


def _with_headings(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    return [[column.heading for column in columns], *rows]


def _only(rows: Sequence[Sequence[str]], beside: Sequence[int]) -> list[list[str]]:
    return [[row[n] for n in beside] for row in rows]


def _natural(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column's longest cell."""
    return [max(map(cells, column)) for column in zip(*_with_headings(columns, rows), strict=True)]


def _least(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """The least width of each column."""
    least = _natural(columns, rows)
    for number, column in enumerate(columns):
        if column.fit is Fit.CUT:
            least[number] = min(least[number], max(cells(column.heading), _CUT))
        if column.fit is Fit.FOLD:
            words = (cells(word) for row in rows for word in row[number].split(" "))
            least[number] = min(least[number], max(_FOLD, *words, 0))
    return least


def _fits(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> bool:
    return sum(_least(columns, rows)) + GAP * (len(columns) - 1) <= width


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """What is left over goes to the columns that are cut or folded, from left to right."""
    natural, widths = _natural(columns, rows), _least(columns, rows)
    left = max(width - sum(widths) - GAP * (len(columns) - 1), 0)
    for number in range(len(columns)):
        more = min(natural[number] - widths[number], left)
        widths[number] += more
        left -= more
    return widths


def _folded(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str]) -> list[str]:
    """A row, with the further lines of a last cell that is folded."""
    if not columns or columns[-1].fit is not Fit.FOLD:
        return [_line(columns, widths, row)]
    first, *more = fold(row[-1], widths[-1])
    blank = " " * (sum(widths[:-1]) + GAP * (len(columns) - 1))
    return [_line(columns, widths, [*row[:-1], first]), *(f"{blank}{line}" for line in more)]


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str]) -> str:
    shown = []
    for column, width, cell in zip(columns, widths, row, strict=True):
        text = cut(cell, width)
        blank = " " * (width - cells(text))
        shown.append(f"{blank}{text}" if column.right else f"{text}{blank}")
    return (" " * GAP).join(shown).rstrip()


def printable(text: str) -> str:
    """One line, without what would act on a terminal, whatever somebody typed or a machine says."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def pairs_of(pairs: Iterable[tuple[str, str]], width: int | None) -> list[str]:
    """Names and values under each other, those without a value left out, folded between words where it is narrow."""
    shown = [(name, value) for name, value in pairs if value]
    margin = max((cells(name) for name, _ in shown), default=0) + GAP
    lines = []
    for name, value in shown:
        room = None if width is None or width - margin < _FOLD else width - margin
        first, *more = (
            value.split("\n") if room is None else [x for line in value.split("\n") for x in fold(line, room)]
        )
        lines += [f"{name:<{margin}}{first}", *(f"{' ' * margin}{line}" for line in more)]
    return lines
