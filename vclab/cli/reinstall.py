"""``vclab reinstall R``: bring a computer back to its image."""

import sys
from typing import Annotated

import typer

from vclab.cli.asking import confirm
from vclab.cli.client import client_of
from vclab.cli.output import say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.running import run
from vclab.contract import acts
from vclab.model.errors import Refused


def reinstall(
    context: typer.Context,
    r: ReservationId,
    revision: Annotated[
        int | None,
        typer.Option("--revision", metavar="N", min=1, help="Else the one in production.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Bring a computer that you use back to its image. All that is on it is lost, and the clock goes on.

    It is removed and made anew in the same place, and opened to the same addresses again; its host key is another one.
    If its load fails, another place is tried, or an operator's help is asked for. `vclab watch R` tells how far it is.

    \b
    Examples:
      vclab reinstall 1f3k9
      vclab reinstall 1f3k9 --yes --json
      vclab --as olga reinstall 1f3k9 --revision 4
    """
    if not yes:
        _confirm(r)
    view = run(client_of(context, as_user).call(acts.reinstall, acts.Reinstall(reservation=r, revision=revision)))
    if json:
        say_json(acts.reinstall.document(view))
    else:
        say(f"{view.id}  is being reinstalled; `vclab watch {view.id}` tells how far it is")


def _confirm(r: str) -> None:
    """Raises ``Refused``."""
    if not sys.stdin.isatty():
        raise Refused(f"all that is on the computer of {r} would be lost", "confirm it by --yes")
    question = f"All that is on the computer of {r} will be lost. Go on?"
    confirm(question, "it was not confirmed", "nothing was changed")
