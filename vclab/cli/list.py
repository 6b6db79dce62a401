"""``vclab list``: the reservations there are."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from enum import StrEnum
from types import TracebackType
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.output import note, say, say_json, say_json_line, table, terminal_width
from vclab.cli.params import AsUser, Json
from vclab.cli.running import run
from vclab.cli.tables import Column, Fit, lay_out
from vclab.cli.times import clock, utc_now
from vclab.client.protocol import Client, Streaming
from vclab.contract import reservations
from vclab.contract.reservations import Which
from vclab.contract.use_case import MOST_LINES
from vclab.contract.views import Reservation
from vclab.model.errors import Invalid, Unreachable
from vclab.model.states import ReservationState

POLL = 1.0  #: seconds between two looks of --watch
TOGETHER = 0.1  #: seconds: what changes within is looked at once
STILL = 10.0  #: seconds after which it is looked in any case: some words change by the clock


class Form(StrEnum):
    """What is shown of each."""

    NAME = "name"
    WIDE = "wide"


def list_(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST_LINES, metavar="N", help="With --all: show at most N, the newest.")
    ] = 1000,
    everyone: Annotated[bool, typer.Option("--everyone", help="Those of all users (operators).")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show changes until Ctrl-C.")] = False,
    form: Annotated[
        Form | None,
        typer.Option("--output", "-o", help="name: ids only, for scripts; wide: all columns.", show_default=False),
    ] = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """List your reservations.

    This reads only the database, so it works while Temporal is down. A scheduled reservation is listed with its start,
    a failed one until its end or until you dismiss it.
    --watch redraws the list until Ctrl-C. In a pipe the list is printed again when it changes, with --json on one line.
    A narrow terminal shows fewer columns; -o wide and a pipe show all.

    \b
    Examples:
      vclab list
      vclab list --watch
      vclab list --all --json
      vclab list -o name
      vclab --as olga list --everyone
    """
    if json and form:
        raise Invalid("--json and --output exclude each other", "give one of them")
    asked = Which(everyone=everyone, ended=all_, limit=limit if all_ else MOST_LINES)
    client = client_of(context, as_user)
    if watch:
        with suppress(KeyboardInterrupt):  # it is how watching ends
            run(_watch(client, asked, form, json))
        return
    found, zone = run(_ask(client, asked, times=not json and form is not Form.NAME))
    if all_ and len(found) == limit:
        note(f"These are the newest {limit}; --limit shows more.")
    if json:
        say_json(reservations.listing.document(found))
    elif not found:
        note("No reservations." if all_ else "No reservations now; --all lists those that have ended.")
    else:
        _print(found, zone, everyone, form)
    if not (all_ or json or form) and any(each.ending for each in found):
        note("`vclab show R` says why a reservation failed, and `vclab dismiss R` takes it off this list.")


Found = tuple[Reservation, ...]


async def _ask(client: Client, asked: Which, times: bool) -> tuple[Found, ZoneInfo]:
    """``times``: are shown, in the caller's zone. To ask for that is one more way to the server and back."""
    return await _found(client, asked), await zone_for(client) if times else ZoneInfo("UTC")


async def _found(client: Client, asked: Which) -> Found:
    """Oldest first: a terminal shows the end of what is long."""
    return (await client.call(reservations.listing, asked))[::-1]


def _print(found: Found, zone: ZoneInfo, everyone: bool, form: Form | None) -> None:
    if form is Form.NAME:
        say("\n".join(each.id for each in found))
    else:
        table(*_table(found, zone, everyone, form), whole=form is Form.WIDE)


Shown = tuple[Column, Callable[[Reservation], str]]


def _table(found: Found, zone: ZoneInfo, everyone: bool, form: Form | None) -> tuple[list[Column], list[list[str]]]:
    shown = _shown(zone, everyone, any(map(_ahead, found)), form is Form.WIDE)
    return [column for column, _ in shown], [[cell(each) for _, cell in shown] for each in found]


def _shown(zone: ZoneInfo, everyone: bool, ahead: bool, wide: bool) -> list[Shown]:
    """The columns, in order. Where there is no room, those with the highest number drop out first."""
    shown: dict[Shown, bool] = {
        (Column("ID"), lambda v: v.id): True,
        (Column("USER", 1), lambda v: v.user): everyone or wide,
        (Column("IMAGE", 6), lambda v: v.image): True,
        (Column("REVISION", right=True), lambda v: str(v.revision)): wide,
        (Column("STATE", fit=Fit.CUT), _state): True,
        (Column("CREATED"), lambda v: clock(v.created, zone)): wide,
        (Column("START", 2), lambda v: clock(v.start, zone)): ahead or wide,
        (Column("COMPUTER", 4), lambda v: v.computer or ""): True,
        (Column("HOST", 7), lambda v: v.host or ""): True,
        (Column("ENDPOINT"), lambda v: v.endpoint or ""): wide,
        (Column("ADDRESS", 3), lambda v: v.address or ""): True,
        (Column("END", 5), lambda v: clock(v.ended_at or v.end, zone)): True,
    }
    return [column for column, wanted in shown.items() if wanted]


def _ahead(view: Reservation) -> bool:
    """Its start is still to come."""
    later = view.state is ReservationState.SCHEDULED or view.preload_at is not None
    return later and not view.ended and view.start > utc_now()


def _state(view: Reservation) -> str:
    """The word, and how it ended."""
    return f"{view.word} ({view.ending})" if view.ending else view.word


# --- until Ctrl-C ---------------------------------------------------------------------------------------------------


async def _watch(client: Client, asked: Which, form: Form | None, json: bool) -> None:
    """Show the list whenever it changes. A database that is away for a moment is waited for."""
    found, zone = await _ask(client, asked, times=not json and form is not Form.NAME)
    if sys.stdout.isatty() and not json:
        with Redrawn(zone, asked.everyone, form) as redrawn:
            await _each(client, asked, found, redrawn.show)
    show = _print_line if json else lambda found: _print(found, zone, asked.everyone, form)
    await _each(client, asked, found, _when_new(show))


async def _each(client: Client, asked: Which, found: Found, show: Callable[[Found], None]) -> None:
    """Show what each look finds, the first one too; it never returns."""
    show(found)
    async for _ in _ticks(client):
        with suppress(Unreachable):
            found = await _found(client, asked)
        show(found)


async def _ticks(client: Client) -> AsyncIterator[None]:
    """When to look again: a server tells that something has changed; else every second."""
    if not isinstance(client, Streaming):
        while True:
            await asyncio.sleep(POLL)
            yield
    from vclab.client.feed import events, paced

    changed, looked = True, time.monotonic()
    async with aclosing(events(client, kinds=["reservation"])) as told:
        async for heard in paced(told, TOGETHER):
            changed, since = changed or heard is not None, time.monotonic() - looked
            if since > STILL or (changed and (heard is None or since > POLL)):
                changed, looked = False, time.monotonic()
                yield


def _when_new(show: Callable[[Found], None]) -> Callable[[Found], None]:
    shown: list[Found] = []

    def show_new(found: Found) -> None:
        if [found] != shown:
            shown[:] = [found]
            show(found)

    return show_new


def _print_line(found: Found) -> None:
    say_json_line(reservations.listing.document(found))


class Redrawn:
    """For a terminal: the table, redrawn in place, in the width that the terminal has by then."""

    def __init__(self, zone: ZoneInfo, everyone: bool, form: Form | None) -> None:
        from rich.console import Console
        from rich.live import Live

        self._zone, self._everyone, self._form = zone, everyone, form
        self._live = Live(console=Console(highlight=False, markup=False, emoji=False), auto_refresh=False)

    def show(self, found: Found) -> None:
        """Redraw."""
        from rich.text import Text

        self._live.update(Text(self._text(found), no_wrap=True, overflow="crop"), refresh=True)

    def _text(self, found: Found) -> str:
        if self._form is Form.NAME or not found:
            return "\n".join(each.id for each in found) or "No reservations now."
        columns, rows = _table(found, self._zone, self._everyone, self._form)
        return "\n".join(lay_out(columns, rows, None if self._form else terminal_width()).lines)

    def __enter__(self) -> "Redrawn":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
