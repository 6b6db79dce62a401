"""What is printed: tables for people, JSON for programs. Results go to stdout, remarks and progress to stderr."""

import codecs
import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from vclab.cli.tables import Column, Fit, lay_out, pairs_of, printable

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | dict[str, "JsonValue"]

_PLAIN = {"—": "-", "–": "-", "…": "...", "→": "->", "×": "x", "✓": "ok", "✗": "no", "─": "-", "━": "-", "│": "|"}


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What a stream that can't encode a character gets instead of it."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(_PLAIN.get(c, "?") for c in error.object[error.start : error.end]), error.end


codecs.register_error("vclab.plain", _plain)


def prepare_streams() -> None:
    """Make stdout and stderr write whatever comes, on every locale; if they are closed (``>&-``), to nowhere."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 (open until the end)
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="vclab.plain")


def say(text: str) -> None:
    """A result, on stdout."""
    print(_safe(text), flush=True)


def note(text: str) -> None:
    """A remark that is not the result, on stderr."""
    print(_safe(text), file=sys.stderr, flush=True)


def _safe(text: str) -> str:
    """Without what would act on the terminal: machines, endpoints and people choose parts of what is printed."""
    return "\n".join(printable(line) for line in text.split("\n"))


@dataclass
class Printed:
    """What a command has printed of JSON: one that fails prints its error unless a document tells of it already."""

    documents: int = 0
    lines: int = 0

    def reset(self) -> None:
        """A new command begins."""
        self.documents = self.lines = 0


printed = Printed()


def say_json(value: JsonValue) -> None:
    """One JSON document, in ASCII, so that no locale can spoil it."""
    print(json.dumps(value, indent=2), flush=True)
    printed.documents += 1


def say_json_line(value: JsonValue) -> None:
    """One JSON document on one line: an element of a stream. An error may still follow it."""
    print(json.dumps(value), flush=True)
    printed.lines += 1


_LONG = ("DETAIL", "LAST CHECK", "NOTE", "NOTES", "REASON", "TITLE", "WHY")
"""Headings of columns that may be cut, of those that say nothing else."""


def table(
    headings: Sequence[str | Column], rows: Iterable[Sequence[str]], right: Sequence[str] = (), whole: bool = False
) -> None:
    """A table on stdout. In a pipe, and if it is to be ``whole``, nothing is cut, folded or left out.

    Of columns that are only headings, the last is left out first where there is no room, the first never.
    """
    columns = [_column(number, heading, right) for number, heading in enumerate(headings)]
    laid = lay_out(columns, rows, None if whole else terminal_width())
    say("\n".join(laid.lines))
    if laid.dropped and sys.stderr.isatty():
        note(f"The terminal is too narrow for {', '.join(laid.dropped)}.")


def _column(number: int, heading: str | Column, right: Sequence[str]) -> Column:
    if isinstance(heading, Column):
        return heading
    return Column(heading, number, Fit.CUT if heading in _LONG else Fit.WHOLE, heading in right)


def fields(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values under each other, those without a value left out."""
    say("\n".join(pairs_of(pairs, terminal_width())))


def terminal_width() -> int | None:
    """The cells of a line on stdout; None in a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
