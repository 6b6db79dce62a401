"""``vclab extend R``: keep a computer longer."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.errors import Usage
from vclab.cli.output import say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.running import run
from vclab.cli.times import dated, parse_length, parse_time, utc_now
from vclab.client.protocol import Client
from vclab.contract import acts
from vclab.contract.views import Reservation


def extend(
    context: typer.Context,
    r: ReservationId,
    by: Annotated[
        str, typer.Option("--by", metavar="DURATION", help="How much longer: 1h, 30m.", show_default=False)
    ] = "",
    to: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The new end: 18:30, 2026-01-31T18:30.", show_default=False)
    ] = "",
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Keep a computer longer.

    A refusal names the latest end that is possible. A time without a date is its next occurrence in your zone.

    \b
    Examples:
      vclab extend 1f3k9 --by 1h
      vclab extend 1f3k9 --to 18:30
    """
    if bool(by) == bool(to):
        raise Usage("give either --by 1h or --to 18:30")
    view, zone = run(_extend(client_of(context, as_user), r, by, to))
    if json:
        say_json(acts.extend.document(view))
    else:
        say(f"{view.id}  ends {dated(view.end, zone)}")


async def _extend(client: Client, r: str, by: str, to: str) -> tuple[Reservation, ZoneInfo]:
    zone = await zone_for(client)
    question = acts.Extend(
        reservation=r,
        by=parse_length(by) if by else None,
        to=parse_time(to, zone, utc_now()) if to else None,
    )
    return await client.call(acts.extend, question), zone
