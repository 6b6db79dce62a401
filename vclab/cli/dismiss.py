"""``vclab dismiss R``: take a reservation that failed off the list."""

import typer

from vclab.cli.client import client_of
from vclab.cli.output import say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.running import run
from vclab.contract import acts
from vclab.contract.reservations import Named


def dismiss(context: typer.Context, r: ReservationId, json: Json = False, as_user: AsUser = "") -> None:
    """Take a reservation that failed off `vclab list`.

    Otherwise the list shows it until its end. `vclab list --all` and `vclab show` always show it. Dismissing it twice
    is harmless.

    \b
    Examples:
      vclab dismiss 1f3k9
      vclab --as olga dismiss 1f3k9      (an operator dismisses anybody's)
    """
    view = run(client_of(context, as_user).call(acts.dismiss, Named(reservation=r)))
    if json:
        say_json(acts.dismiss.document(view))
    else:
        say(f"{view.id}  is off the list; `vclab show {view.id}` still shows it")
