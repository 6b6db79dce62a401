"""``vclab list``: the reservations there are."""

from typing import Annotated

import typer

from vclab.cli.context import lab_of
from vclab.cli.output import note, reservation_json, say_json, table
from vclab.cli.params import AsUser, Json
from vclab.cli.times import clock
from vclab.model.errors import Refused


def list_(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    everyone: Annotated[bool, typer.Option("--everyone", help="Those of all users (operators).")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """List your reservations.

    It reads the database only, and so works while Temporal is down.

    \b
    Examples:
      vclab list
      vclab list --all --json
      vclab --as olga list --everyone
    """
    lab = lab_of(context, as_user)
    actor = lab.actor
    if everyone and not actor.operator:
        raise Refused(f"--everyone is for operators, and {actor.login} is none")
    found = lab.visible(ended=all_, everyone=everyone)
    if json:
        say_json([reservation_json(view) for view in found])
        return
    if not found:
        note("No reservations." if all_ else "No reservations now; --all lists those that have ended.")
        return
    headings = ("ID", *(("USER",) if everyone else ()), "IMAGE", "STATE", "COMPUTER", "HOST", "ADDRESS", "END")
    table(
        headings,
        [
            (
                v.id,
                *((v.user,) if everyone else ()),
                v.image,
                f"{v.word} ({v.ending})" if v.ending else v.word,
                v.computer,
                v.host,
                v.public_address,
                clock(v.ended_at or v.end, actor.zone),
            )
            for v in found
        ],
    )
