"""``vclab reboot R``: restart a computer."""

import asyncio
import uuid
from typing import Annotated

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.extend import workflow_gone
from vclab.cli.follow import Seen
from vclab.cli.output import reservation_json, say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.model.errors import Failed, NotFound
from vclab.model.messages import Reboot


def reboot(
    context: typer.Context,
    r: ReservationId,
    hard: Annotated[bool, typer.Option("--hard", help="By force at once, also if it is off.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Restart a computer that you have connected to.

    It is asked to restart; when that fails, or it is not back after 5 minutes, it is restarted by force.
    A failure never ends the reservation. `vclab show R` tells when it is back.

    \b
    Examples:
      vclab reboot 1f3k9
      vclab reboot 1f3k9 --hard
    """
    lab = lab_of(context, as_user)
    view = lab.reservation(r)
    if Seen(view).ended:
        raise Failed(f"{r} has ended ({view.ending})")
    asyncio.run(_reboot(lab, r, hard))
    if json:
        say_json(reservation_json(lab.reservation(r)))
    else:
        say(f"{r}  is being restarted; `vclab show {r}` tells when it is back")


async def _reboot(lab: Lab, reservation: str, hard: bool) -> None:
    message = Reboot(by=lab.actor.login, hard=hard, request_id=uuid.uuid4().hex)
    try:
        await (await lab.reservations()).reboot(reservation, message)
    except NotFound:
        raise workflow_gone(lab, reservation) from None
