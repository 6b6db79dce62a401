"""``vclab dismiss R``: take a reservation that failed off the list."""

import asyncio

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.output import reservation_json, say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.model.errors import Refused
from vclab.model.messages import Dismiss
from vclab.model.states import Ending


def dismiss(context: typer.Context, r: ReservationId, json: Json = False, as_user: AsUser = "") -> None:
    """Take a reservation that failed off `vclab list`.

    Else it is shown there until its end. `vclab list --all` and `vclab show` tell of it for good. Dismissing it twice
    is harmless.

    \b
    Examples:
      vclab dismiss 1f3k9
      vclab --as olga dismiss 1f3k9      (an operator dismisses anybody's)
    """
    lab = lab_of(context, as_user)
    view = lab.reservation(r)
    if view.ending is None:
        raise Refused(f"{r} has not failed: it is {view.word}; `vclab end {r}` ends it")
    if view.ending is not Ending.FAILED:
        raise Refused(f"{r} has not failed: it has ended ({view.ending}), and is not on the list")
    if view.dismissed_at is None:
        asyncio.run(_dismiss(lab, Dismiss(r, lab.actor.login)))
    if json:
        say_json(reservation_json(lab.reservation(r)))
    else:
        say(f"{r}  is off the list; `vclab show {r}` tells of it")


async def _dismiss(lab: Lab, message: Dismiss) -> None:
    await (await lab.reservations()).dismiss(message)
