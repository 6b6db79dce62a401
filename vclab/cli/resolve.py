"""``vclab resolve R HOW``: let a load that needs help go on, or give it up."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.output import say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.running import run
from vclab.cli.times import clock
from vclab.client.protocol import Client
from vclab.contract import acts
from vclab.contract.views import Reservation
from vclab.model.messages import How

_DONE = {
    How.RETRY: "goes on from the step that failed",
    How.ELSEWHERE: "is tried in another place",
    How.GIVE_UP: "is given up",
}


def _hows(incomplete: str) -> list[str]:
    return [how for how in How if how.startswith(incomplete)]


def resolve(
    context: typer.Context,
    r: ReservationId,
    how: Annotated[
        str,
        typer.Argument(metavar="HOW", help="retry, elsewhere or give-up.", autocompletion=_hows, show_default=False),
    ],
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Go on with a load or capture that needs help (operators).

    retry goes on from the step that failed and keeps the steps before it. elsewhere removes what was made and loads it
    in another place. give-up ends the reservation as failed. The user gets back the time that was lost.

    Of a capture retry and give-up: what it has made is deleted then. One that goes on beside its reservation can be
    given up at any time.

    \b
    Examples:
      vclab needs-help
      vclab resolve 1f3k9 retry
      vclab resolve 1f3k9 elsewhere --json
    """
    view, zone = run(_resolve(client_of(context, as_user), r, how))
    if json:
        say_json(acts.resolve.document(view))
        return
    until = "" if view.ended else f"; it ends {clock(view.end, zone)}"
    say(f"{view.id}  {_DONE[How(how)]}{until}")


async def _resolve(client: Client, r: str, how: str) -> tuple[Reservation, ZoneInfo]:
    return await client.call(acts.resolve, acts.Resolve(reservation=r, how=how)), await zone_for(client)
