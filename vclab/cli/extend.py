"""``vclab extend R``: keep a computer longer."""

import asyncio
import uuid
from datetime import datetime, timedelta
from typing import Annotated

import typer

from vclab.cli.context import Actor, Lab, lab_of
from vclab.cli.errors import Usage
from vclab.cli.follow import Seen
from vclab.cli.output import reservation_json, say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.times import dated, parse_length, parse_time, utc_now
from vclab.model.errors import Failed, NotFound, Unreachable
from vclab.model.messages import Done, Extend
from vclab.model.reservations import ReservationView


def extend(
    context: typer.Context,
    r: ReservationId,
    by: Annotated[
        str, typer.Option("--by", metavar="DURATION", help="So much longer: 1h, 30m.", show_default=False)
    ] = "",
    to: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The new end: 18:30, 2026-01-31T18:30.", show_default=False)
    ] = "",
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Keep a computer longer.

    A refusal names the latest end that is possible. A time without a date is its next occurrence in your zone.

    \b
    Examples:
      vclab extend 1f3k9 --by 1h
      vclab extend 1f3k9 --to 18:30
    """
    if bool(by) == bool(to):
        raise Usage("give either --by 1h or --to 18:30")
    lab = lab_of(context, as_user)
    view = lab.reservation(r)
    if Seen(view).ended:
        raise Failed(f"{r} has ended ({view.ending}) and can't be extended")
    end = new_end(view, by, to, lab.actor)
    done = asyncio.run(_extend(lab, r, end))
    if json:
        say_json(reservation_json(lab.reservation(r)))
    else:
        say(f"{r}  ends {dated(done.end, lab.actor.zone)}")


def new_end(view: ReservationView, by: str, to: str, actor: Actor) -> datetime:
    """The end that is asked for, absolute: a repeat of the same message changes nothing."""
    if to:
        moment = parse_time(to, actor.zone, utc_now())
        # Programs are told whole seconds: the end that they read back is the end as it is.
        return view.end if moment == view.end.replace(microsecond=0) else moment
    try:
        return view.end + timedelta(seconds=parse_length(by))
    except OverflowError:
        raise Usage(f"nothing lasts that long: {by}") from None


async def _extend(lab: Lab, reservation: str, end: datetime) -> Done:
    actor = lab.actor
    message = Extend(end=end, by=actor.login, operator=actor.operator, request_id=uuid.uuid4().hex)
    try:
        return await (await lab.reservations()).extend(reservation, message)
    except NotFound:
        raise workflow_gone(lab, reservation) from None


def workflow_gone(lab: Lab, reservation: str) -> Exception:
    """What it means that Temporal knows no such running workflow."""
    view = lab.reservation(reservation)
    if Seen(view).ended:
        return Failed(f"{reservation} has ended ({view.ending})")
    return Unreachable(f"{reservation}'s workflow is gone; the reconciler takes its computer back (`vclab status`)")
