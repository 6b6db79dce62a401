"""``vclab end R``: give a computer back."""

import asyncio
import uuid

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.extend import workflow_gone
from vclab.cli.follow import Seen
from vclab.cli.output import reservation_json, say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.ssh import forget_known_hosts
from vclab.cli.times import clock
from vclab.model.errors import Failed, NotFound
from vclab.model.messages import End
from vclab.model.reservations import ReservationView


def end(context: typer.Context, r: ReservationId, json: Json = False, as_user: AsUser = "") -> None:
    """End a reservation now.

    Also while it is being prepared. Ending it twice is harmless.

    \b
    Examples:
      vclab end 1f3k9
      vclab --as olga end 1f3k9      (an operator ends anybody's)
    """
    lab = lab_of(context, as_user)
    view = lab.reservation(r)
    already = Seen(view).ended
    if not already:
        view = asyncio.run(_end(lab, r))
    forget_known_hosts(r)
    if json:
        say_json(reservation_json(view))
    elif already:
        when = f", {clock(view.ended_at, lab.actor.zone)}" if view.ended_at else ""
        say(f"{r}  has ended already ({view.ending}{when})")
    else:
        say(f"{r}  Ended ({view.ending})")


async def _end(lab: Lab, reservation: str) -> ReservationView:
    message = End(by=lab.actor.login, request_id=uuid.uuid4().hex)
    try:
        await (await lab.reservations()).end(reservation, message)
    except NotFound:
        trouble = workflow_gone(lab, reservation)
        if not isinstance(trouble, Failed):
            raise trouble from None
    return lab.reservation(reservation)
