"""``vclab resolve R HOW``: let a load that needs help go on, or give it up."""

import asyncio
import uuid
from typing import Annotated

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.errors import Usage, quoted
from vclab.cli.extend import workflow_gone
from vclab.cli.follow import Seen
from vclab.cli.needs_help import must_be_operator
from vclab.cli.output import reservation_json, say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.times import clock
from vclab.model.errors import Failed, NotFound
from vclab.model.messages import Done, How, Resolve

_SAID = {
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
    """Go on with a load that needs help (operators).

    retry goes on from the step that failed, with what is done already; elsewhere removes what was made and loads it in
    another place; give-up ends the reservation as failed. The user gets back the time that was waited.

    \b
    Examples:
      vclab needs-help
      vclab resolve 1f3k9 retry
      vclab resolve 1f3k9 elsewhere --json
    """
    if how not in list(How):
        raise Usage(f"{quoted(how)} is no way to go on; say {', '.join(How)}")
    lab = lab_of(context, as_user)
    must_be_operator(lab, "resolve is for operators")
    view = lab.reservation(r)
    if Seen(view).ended:
        raise Failed(f"{r} has ended ({view.ending})")
    done = asyncio.run(_resolve(lab, r, How(how)))
    if json:
        say_json(reservation_json(lab.reservation(r)))
        return
    until = "" if done.ending else f"; it ends {clock(done.end, lab.actor.zone)}"
    say(f"{r}  {_SAID[How(how)]}{until}")


async def _resolve(lab: Lab, reservation: str, how: How) -> Done:
    message = Resolve(by=lab.actor.login, how=how, request_id=uuid.uuid4().hex)
    try:
        return await (await lab.reservations()).resolve(reservation, message)
    except NotFound:
        raise workflow_gone(lab, reservation) from None
