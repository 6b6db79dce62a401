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
from typing import TYPE_CHECKING

from vclab.cli.tables import Column, Fit, lay_out, pairs_of
from vclab.cli.times import iso

if TYPE_CHECKING:
    from vclab.model.messages import StatusView
    from vclab.model.reservations import ReservationView

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
    print(text, flush=True)


def note(text: str) -> None:
    """A remark that is not the result, on stderr."""
    print(text, file=sys.stderr, flush=True)


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


def reservation_json(view: "ReservationView") -> dict[str, JsonValue]:
    """A reservation for programs. Keys are stable: they are added to, never renamed. Secrets are never among them."""
    return {
        "id": view.id,
        "user": view.user,
        "image": view.image,
        "revision": view.revision,
        "state": str(view.state),
        "word": view.word,
        "ending": str(view.ending) if view.ending else None,
        "computer": view.computer or None,
        "generation": view.generation or None,
        "host": view.host or None,
        "endpoint": view.endpoint or None,
        "address": view.public_address or None,
        "has_guest": view.has_guest,
        "handover": view.handover or None,
        "host_key": view.host_key or None,
        "remote_addresses": list(view.remote_addresses),
        "access_open": view.access_open,
        "connected": view.connected,
        "created": iso(view.created),
        "start": iso(view.start),
        "preload_at": iso(view.preload_at),
        "end": iso(view.end),
        "ended_at": iso(view.ended_at),
        "dismissed_at": iso(view.dismissed_at),
        "step": view.step,
        "steps": view.steps,
        "step_title": view.step_title or None,
        "reason": view.reason or None,
        "needs_help": None
        if view.help_since is None
        else {"since": iso(view.help_since), "until": iso(view.help_until)},
    }


def status_json(status: "StatusView | None", why_not: str = "") -> dict[str, JsonValue]:
    """What runs and what is waited for, all null when that could not be read. ``answered`` is false then, and also when
    nobody seems to work on it; ``why_not`` says which."""
    return {
        "answered": status is not None and not why_not,
        "why_not": why_not or None,
        "waits_for": status.waits_for or None if status else None,
        "since": iso(status.since) if status else None,
        "until": iso(status.until) if status else None,
        "then": status.then or None if status else None,
        "seconds_left": status.seconds_left or None if status else None,
        "remark": status.reason or None if status else None,
    }
