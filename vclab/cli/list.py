"""``vclab list``: the reservations there are."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.context import lab_of
from vclab.cli.output import note, reservation_json, say_json, table
from vclab.cli.params import AsUser, Json
from vclab.cli.times import clock, utc_now
from vclab.model.errors import Refused
from vclab.model.reservations import ReservationView
from vclab.model.states import ReservationState

MOST = 100_000


def list_(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=MOST, help="With --all: the newest so many.")] = 1000,
    everyone: Annotated[bool, typer.Option("--everyone", help="Those of all users (operators).")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """List your reservations.

    It reads the database only, and so works while Temporal is down. One for later is shown with its start. One that
    failed is shown until its end, or until you dismiss it.

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
    found = lab.visible(ended=all_, everyone=everyone, limit=limit if all_ else None)
    if all_ and len(found) == limit:
        note(f"Only the newest {limit}; --limit shows more.")
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
                _state(v, actor.zone),
                v.computer,
                v.host,
                v.public_address,
                clock(v.ended_at or v.end, actor.zone),
            )
            for v in found
        ],
    )
    if not all_ and any(view.ending for view in found):
        note("`vclab show R` says why one has failed, and `vclab dismiss R` takes it off this list.")


def _state(view: ReservationView, zone: ZoneInfo) -> str:
    """The word; with how it ended, or when it starts."""
    if view.ending:
        return f"{view.word} ({view.ending})"
    if view.state is ReservationState.SCHEDULED or (view.preload_at and view.start > utc_now()):
        return f"{view.word} for {clock(view.start, zone)}"
    return view.word
