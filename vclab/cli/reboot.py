"""``vclab reboot R``: restart a computer."""

from typing import Annotated

import typer

from vclab.cli.client import client_of
from vclab.cli.output import say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.running import run
from vclab.contract import acts


def reboot(
    context: typer.Context,
    r: ReservationId,
    hard: Annotated[bool, typer.Option("--hard", help="By force at once, also when it is off.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Restart a computer that you have connected to.

    Its operating system is asked to restart. When that fails, or takes more than 5 minutes, it is restarted by force.
    A failure never ends the reservation. `vclab show R` tells when it is back.

    \b
    Examples:
      vclab reboot 1f3k9
      vclab reboot 1f3k9 --hard
    """
    view = run(client_of(context, as_user).call(acts.reboot, acts.Reboot(reservation=r, hard=hard)))
    if json:
        say_json(acts.reboot.document(view))
    else:
        say(f"{view.id}  is being restarted; `vclab show {view.id}` tells when it is back")
