"""``vclab history``: who had which computer, which addresses and which revision, from when to when."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.output import note, say_json, table
from vclab.cli.params import AsUser, Json, OfComputer, OfUser
from vclab.cli.running import run
from vclab.cli.tables import Column
from vclab.cli.times import clock, parse_past, utc_now
from vclab.client.protocol import Client
from vclab.contract import history as stays
from vclab.contract.history import Addresses, Had, Stay
from vclab.contract.use_case import MOST_LINES

COLUMNS = (
    Column("COMPUTER"),
    Column("USER"),
    Column("RESERVATION", drop=2),
    Column("IMAGE", drop=5),
    Column("ADDRESSES", drop=3),
    Column("FROM", drop=1),
    Column("UNTIL", drop=4),
    Column("ENDING", drop=6),
)


def history(
    context: typer.Context,
    computer: OfComputer = "",
    user: OfUser = "",
    address: Annotated[
        str,
        typer.Option("--address", metavar="A", help="Who had this address.", show_default=False),
    ] = "",
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME", help="Who had it at this time.", show_default=False),
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST_LINES, metavar="N", help="Show at most N, the newest.")
    ] = 100,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Show who had which computer, addresses and image revision, from when to when, and how it ended (operators).

    It is kept as long as `retention.reservations` says. FROM: the computer was taken for the user. UNTIL: it was
    verified gone or clean.
    An address is private or public. A time without a date is its last occurrence.

    \b
    Examples:
      vclab history --address 203.0.113.17 --at 2026-01-31T18:30
      vclab history --computer vm07
      vclab history --user alice --json
    """
    asked = Had(computer=computer, user=user, address=address, limit=limit)
    newest, zone = run(_ask(client_of(context, as_user), asked, at))
    found = newest[::-1]
    if json:
        say_json(stays.listing.document(found))
    elif found:
        table(COLUMNS, [_row(stay, zone) for stay in found])
    else:
        note("Nobody, as far as is recorded.")
    if len(found) == limit:
        note(f"These are the newest {limit}; --limit shows more.")


async def _ask(client: Client, asked: Had, at: str) -> tuple[tuple[Stay, ...], ZoneInfo]:
    zone = await zone_for(client)
    moment = parse_past(at, zone, utc_now()) if at else None
    return await client.call(stays.listing, asked.model_copy(update={"at": moment})), zone


def _row(stay: Stay, zone: ZoneInfo) -> tuple[str, ...]:
    ended = f" {clock(stay.ended, zone)}" if stay.ended else ""
    return (
        stay.computer,
        stay.user or f"({stay.purpose})",
        stay.holder,
        f"{stay.image}/{stay.revision}" if stay.image else "",
        "; ".join(_addresses(each, zone, last=each is stay.addresses[-1]) for each in stay.addresses),
        clock(stay.from_, zone),
        clock(stay.until, zone) if stay.until else "still held",
        f"{stay.ending}{ended}" if stay.ending else "",
    )


def _addresses(span: Addresses, zone: ZoneInfo, last: bool) -> str:
    both = " ".join(dict.fromkeys(filter(None, (span.public, span.private))))
    return both if last or span.until is None else f"{both} (until {clock(span.until, zone)})"
