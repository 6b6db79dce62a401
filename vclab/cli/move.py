"""``vclab move R``: another start, before it has come."""

import asyncio
import uuid
from datetime import datetime
from typing import Annotated

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.extend import workflow_gone
from vclab.cli.follow import Seen
from vclab.cli.output import reservation_json, say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.times import clock, dated, parse_time, utc_now
from vclab.model.errors import Failed, NotFound
from vclab.model.messages import Move


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
    lab = lab_of(context, as_user)
    view = lab.reservation(r)
    if Seen(view).ended:
        raise Failed(f"{r} has ended ({view.ending}) and can't be moved")
    start = parse_time(at, lab.actor.zone, utc_now())
    asyncio.run(_move(lab, r, start))
    view = lab.reservation(r)
    if json:
        say_json(reservation_json(view))
    else:
        zone = lab.actor.zone
        say(f"{r}  starts {dated(view.start, zone)}, ends {clock(view.end, zone, view.start)}")


async def _move(lab: Lab, reservation: str, start: datetime) -> None:
    actor = lab.actor
    message = Move(start=start, by=actor.login, operator=actor.operator, request_id=uuid.uuid4().hex)
    try:
        await (await lab.reservations()).move(reservation, message)
    except NotFound:
        raise workflow_gone(lab, reservation) from None
