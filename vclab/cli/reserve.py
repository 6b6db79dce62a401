"""``vclab reserve IMAGE``: get a computer with an image."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.errors import Code, code_of, report, text_of
from vclab.cli.follow import Seen, display, follow, look
from vclab.cli.output import JsonValue, note, reservation_json, say, say_json
from vclab.cli.params import AsUser, ImageName, Json
from vclab.cli.times import clock, dated, parse_length, parse_time, utc_now
from vclab.cli.why import refused_json
from vclab.model.errors import Failed, Refused, Unreachable, VclabError
from vclab.model.ids import new_id
from vclab.model.messages import Placement
from vclab.model.reservations import ReservationView, ReserveRequest
from vclab.model.rules import why_not_duration, why_not_start
from vclab.model.states import Ending, ReservationState

PATIENCE = 60.0  #: seconds in which a server or worker that is restarting may come back


def reserve(
    context: typer.Context,
    image: ImageName,
    for_: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long: 2h, 90m, 1h30m.")] = "2h",
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, max=100, help="So many at once.")] = 1,
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME", help="The start: 10:00, 2026-12-01T10:00. Else now.", show_default=False),
    ] = "",
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            help="Wait until it is ready, or return once placed. Default: wait, with --at return.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Reserve a computer with an image.

    Ctrl-C while waiting leaves the reservation running.
    One that needs an operator's help is waited for too, and why is shown: the exit code is 0 when it is mended and
    ready, 1 when it ends as failed. `vclab end R` cancels it.
    With --at it lasts from then on, and is prepared before. A time without a date is its next occurrence in your zone.
    Progress goes to stderr; with --json, stdout gets one document at the end: an object, or a list with --count.
    Of one that is refused it tells in `refused` what each candidate lacked, and the earliest time that would fit.

    \b
    Examples:
      vclab reserve debian-12
      vclab reserve debian-12 --for 1h --no-wait
      vclab reserve debian-12 --for 90m --json
      vclab reserve debian-12 --at 10:00 --for 2h
      vclab reserve debian-12 --at "2026-12-01 10:00" --for 2h
      vclab why R                                 (R: the id that a refusal names)
      vclab --as olga reserve debian-12 --count 10
    """
    lab = lab_of(context, as_user)
    _warn(lab, image)
    start = parse_time(at, lab.actor.zone, utc_now()) if at else None
    asked = [_request(lab, image, parse_length(for_), start) for _ in range(count)]
    tries = [Try(request) for request in asked]
    try:
        asyncio.run(_reserve(lab, tries, start is None if wait is None else wait))
    except KeyboardInterrupt:
        _interrupted(tries)
        raise typer.Exit(Code.INTERRUPTED) from None
    only = tries[0].error if count == 1 else None
    if only and not isinstance(only, Refused):  # `vclab why` tells more of a refusal: that needs the id
        raise only
    if json:
        documents = [_json(lab, each) for each in tries]
        say_json(documents[0] if count == 1 else documents)
    for each in tries:
        if each.error:
            report(each.error, f"reserve {each.request.id}")
        elif not json:
            _tell(lab, each)
    if not json:
        _advise(lab, tries)
    raise typer.Exit(next((code_of(each.error) for each in tries if each.error), 0))


@dataclass
class Try:
    """One reservation that is being made."""

    request: ReserveRequest
    sent: bool = False
    placement: Placement | None = None
    seen: Seen | None = None
    error: Exception | None = None


def _request(lab: Lab, image: str, seconds: float, start: datetime | None) -> ReserveRequest:
    """All that can be checked without touching anything is checked here."""
    limits, actor = lab.settings.rules(lab.actor.user.affiliation).limits, lab.actor
    why_not = why_not_duration(limits, seconds, actor.operator)
    if start is not None:
        why_not = why_not or why_not_start(limits, start, seconds, utc_now())
    if why_not:
        raise Refused(why_not)
    return ReserveRequest(
        id=new_id(),
        user=actor.login,
        image=lab.image(image).name,
        seconds=seconds,
        operator=actor.operator,
        start=start,
    )


def _warn(lab: Lab, name: str) -> None:
    """Say that the image may be to blame before somebody waits for it in vain."""
    revision = lab.image(name).revision
    for suspect in lab.records.suspects(name):
        if suspect.revision == revision:
            note(f"Beware: {suspect.text()}")


async def _reserve(lab: Lab, tries: list[Try], wait: bool) -> None:
    await lab.client()
    await asyncio.gather(*(_ask_for_place(lab, each) for each in tries))
    placed = {each.request.id: each for each in tries if each.placement}
    if not placed:
        return
    if wait:
        with display() as shown:
            newest = await follow(lab, list(placed), lambda seen: seen.settled, shown)
    else:
        newest = await asyncio.gather(*(look(lab, reservation) for reservation in placed))
    for seen in newest:
        each = placed[seen.view.id]
        each.seen = seen
        if seen.view.ending is Ending.FAILED:
            each.error = Failed(f"{seen.view.id} failed: {seen.view.reason or 'no reason is recorded'}")
        elif seen.ended:
            each.error = Failed(f"{seen.view.id} has ended meanwhile ({seen.view.ending})")


async def _ask_for_place(lab: Lab, each: Try) -> None:
    """Ask for a place. Asking again with the same id is harmless, so a restart in between is outlasted."""
    deadline = time.monotonic() + PATIENCE
    reservations = await lab.reservations()
    while each.placement is None and each.error is None:
        each.sent = True
        left = deadline - time.monotonic()
        try:
            each.placement = await reservations.reserve(each.request, timeout=max(left, 1.0))
        except Unreachable as error:
            if time.monotonic() < deadline:
                await asyncio.sleep(1)
                continue
            each.error = Unreachable(
                f"{error}; {each.request.id} may still be placed when they are back: `vclab list` shows it then"
            )
        except VclabError as error:
            each.error = error


def _interrupted(tries: list[Try]) -> None:
    for each in tries:
        name = each.request.id
        if each.sent and not each.error:
            note(f"\n{name} goes on without you: `vclab watch {name}` follows it, `vclab end {name}` ends it")
    if not any(each.sent for each in tries):
        note("\nNothing was reserved.")


def _json(lab: Lab, each: Try) -> dict[str, JsonValue]:
    view = each.seen.view if each.seen else lab.records.view(each.request.id)
    document: dict[str, JsonValue] = reservation_json(view) if view else {"id": each.request.id}
    if each.error:
        document["error"] = {"code": code_of(each.error), "message": text_of(each.error)}
        refused = None if view else lab.records.refused(each.request.id)
        document["refused"] = refused_json(refused) if refused else None
    return document


def _tell(lab: Lab, each: Try) -> None:
    assert each.seen is not None
    view, zone = each.seen.view, lab.actor.zone
    if view.state is ReservationState.SCHEDULED:
        say(f"{view.id}  {view.word}: {view.image}, {dated(view.start, zone)} to {clock(view.end, zone, view.start)}")
        return
    say(f"{view.id}  {view.word}: {view.image} on {where(view)}, until {clock(view.end, zone)}")


def _advise(lab: Lab, tries: list[Try]) -> None:
    """What to do next: once, with the first one's id for an example."""
    seen = next((each.seen for each in tries if each.seen and not each.error), None)
    if seen is None:
        return
    name = seen.view.id
    if seen.view.state is ReservationState.SCHEDULED:
        note(f"`vclab move {name} --at TIME` moves it, `vclab end {name}` gives it up")
        return
    if not seen.settled:
        note(f"`vclab watch {name}` follows it, `vclab end {name}` ends it")
        return
    until = seen.status.until if seen.status else None
    by = f" by {clock(until, lab.actor.zone)}" if until else ""
    note(f"Connect{by}: vclab connect {name}")


def where(view: ReservationView) -> str:
    """``vm03 (203.0.113.21)``."""
    return f"{view.computer} ({view.public_address})" if view.public_address else view.computer
