"""``vclab move R``: another start, before it has come."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.output import say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.running import run
from vclab.cli.times import clock, dated, parse_time, utc_now
from vclab.client.protocol import Client
from vclab.contract import acts
from vclab.contract.views import Reservation


def move(
    context: typer.Context,
    r: ReservationId,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="The new start: 10:00, 2026-12-01T10:00.")],
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Move a reservation that has not started to another time.

    It stays as long as it is. A time without a date is its next occurrence in your zone.

    \b
    Examples:
      vclab move 1f3k9 --at 14:00
      vclab move 1f3k9 --at "2026-12-01 10:00"
    """
    view, zone = run(_move(client_of(context, as_user), r, at))
    if json:
        say_json(acts.reschedule.document(view))
    else:
        say(f"{view.id}  starts {dated(view.start, zone)}, ends {clock(view.end, zone, view.start)}")


async def _move(client: Client, r: str, at: str) -> tuple[Reservation, ZoneInfo]:
    zone = await zone_for(client)
    question = acts.Reschedule(reservation=r, start=parse_time(at, zone, utc_now()))
    return await client.call(acts.reschedule, question), zone
