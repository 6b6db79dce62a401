"""``vclab reserve IMAGE``: get a computer with an image."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.errors import Code, code_of, problem_of, report
from vclab.cli.output import JsonValue, note, say, say_json
from vclab.cli.params import AsUser, ImageName, Json
from vclab.cli.progress import display, follow
from vclab.cli.running import run
from vclab.cli.times import clock, dated, parse_length, parse_time, utc_now
from vclab.client.protocol import Client
from vclab.contract import acts, reservations
from vclab.contract.looks import Look
from vclab.contract.use_case import Nothing
from vclab.contract.views import Reservation
from vclab.model.errors import Failed, Refused, VclabError
from vclab.model.ids import new_id
from vclab.model.states import Ending, ReservationState, ending_words

MOST = 100
"""Reservations at once."""


def reserve(
    context: typer.Context,
    image: ImageName,
    for_: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long: 2h, 90m, 1h30m.")] = "2h",
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, max=MOST, help="How many at once.")] = 1,
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME", help="The start: 10:00, 2026-12-01T10:00. Else now.", show_default=False),
    ] = "",
    revision: Annotated[
        int | None,
        typer.Option("--revision", metavar="N", min=1, help="One for tests (operators).", show_default=False),
    ] = None,
    dedicated: Annotated[
        bool, typer.Option("--dedicated", help="A full copy of the image's disk, which shares nothing: a longer load.")
    ] = False,
    imaging: Annotated[bool, typer.Option("--imaging", help="`vclab capture` may make an image of it.")] = False,
    capture_at_end: Annotated[
        bool,
        typer.Option(
            "--capture-at-end",
            help="With --imaging: have it captured at its end, if it was not before; kept for 30 days.",
        ),
    ] = False,
    wait: Annotated[
        bool | None,
        typer.Option(
            "--wait/--no-wait",
            help="Wait until it is ready, or return once it has a place. Default: wait, with --at return.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Reserve a computer with an image.

    Ctrl-C while waiting leaves the reservation running.
    One that needs an operator's help is waited for too, and the reason is shown. The exit code is 0 when it is ready
    then, and 1 when it ends as failed. `vclab end R` cancels it.
    With --at it lasts from then on, and is prepared before. A time without a date is its next occurrence in your zone.
    Progress goes to stderr; with --json, stdout gets one document at the end: an object, or a list with --count.
    For a refused one, its key `refused` tells what each candidate lacked, and the earliest time that would fit.

    \b
    Examples:
      vclab reserve debian-12
      vclab reserve debian-12 --for 1h --no-wait
      vclab reserve debian-12 --for 90m --json
      vclab reserve debian-12 --dedicated
      vclab reserve debian-12 --imaging --capture-at-end
      vclab reserve debian-12 --at 10:00 --for 2h
      vclab reserve debian-12 --at "2026-12-01 10:00" --for 2h
      vclab why R                                 (R: the id that a refusal names)
      vclab --as olga reserve debian-12 --count 10
      vclab --as olga reserve debian-12 --revision 3
    """
    tries = [Try(new_id()) for _ in range(count)]
    client, seconds = client_of(context, as_user), parse_length(for_)
    try:
        options = {"revision": revision or 0, "dedicated": dedicated, "imaging": imaging}
        options |= {"capture_at_end": capture_at_end}
        wanted = acts.Reserve(reservation="", image=image, seconds=seconds, **options)
        zone = run(_reserve(client, tries, wanted, at, not at if wait is None else wait))
    except KeyboardInterrupt:
        _interrupted(tries)
        raise typer.Exit(Code.INTERRUPTED) from None
    only = tries[0].error if count == 1 else None
    if only and not isinstance(only, Refused):  # `vclab why` shows more about a refusal, and needs its id
        raise only
    if json:
        documents = [each.document() for each in tries]
        say_json(documents if count > 1 else documents[0])
    for each in tries:
        if each.error:
            report(each.error, f"reserve {each.id}")
        elif each.seen and not json:
            say(_placed(each.seen, zone))
    if not json:
        _advise([each.seen for each in tries if each.seen and not each.error], zone)
    raise typer.Exit(next((code_of(each.error) for each in tries if each.error), 0))


@dataclass
class Try:
    """One reservation that is being made."""

    id: str
    sent: bool = False
    placed: Reservation | None = None
    seen: Look | None = None
    error: VclabError | None = None
    refused: JsonValue = None  #: what each candidate lacked

    def document(self) -> JsonValue:
        """It for programs."""
        view = self.seen or self.placed
        shown = Reservation(**{name: getattr(view, name) for name in Reservation.model_fields}) if view else None
        document: dict[str, JsonValue] = acts.reserve.document(shown) if shown else {"id": self.id}
        if self.error:
            document["error"] = problem_of(self.error).fields()
            document["refused"] = self.refused
        return document


async def _reserve(client: Client, tries: list[Try], wanted: acts.Reserve, at: str, wait: bool) -> ZoneInfo:
    """Reserve all, and wait until they are ready if wanted. The zone in which the caller reads times."""
    zone = await zone_for(client)
    start = parse_time(at, zone, utc_now()) if at else None
    await _warn(client, wanted.image)
    await asyncio.gather(*(_place(client, each, wanted.model_copy(update={"start": start})) for each in tries))
    placed = {each.id: each for each in tries if each.placed}
    for seen in await _seen(client, list(placed), wait):
        placed[seen.id].seen, placed[seen.id].error = seen, _why_over(seen)
    return zone


async def _warn(client: Client, name: str) -> None:
    """Say that the image may be to blame before somebody waits for it in vain."""
    for offer in await client.call(reservations.images, Nothing()):
        if offer.name == name and offer.suspect:
            note(f"Beware: {offer.suspect.text}")


async def _place(client: Client, each: Try, wanted: acts.Reserve) -> None:
    question = wanted.model_copy(update={"reservation": each.id})
    each.sent = True
    try:
        each.placed = await client.call(acts.reserve, question)
    except Refused as error:
        each.error, each.refused = error, await _candidates(client, each.id)
    except VclabError as error:
        each.error = error


async def _candidates(client: Client, id: str) -> JsonValue:
    """What each candidate lacked, and the earliest time that would fit, if that is recorded."""
    try:
        answer = await client.call(reservations.why, reservations.Named(reservation=id))
    except VclabError:
        return None
    document: JsonValue = reservations.why.document(answer)
    return document


async def _seen(client: Client, ids: Sequence[str], wait: bool) -> Sequence[Look]:
    if wait and ids:
        with display() as shown:
            return await follow(client, ids, lambda seen: seen.settled, shown)
    looks = (client.call(reservations.look, reservations.Named(reservation=id)) for id in ids)
    return await asyncio.gather(*looks)


def _why_over(seen: Look) -> VclabError | None:
    if seen.ending is Ending.FAILED:
        return Failed(f"{seen.id} failed: {seen.reason or 'no reason is recorded'}")
    return Failed(f"{seen.id} has ended meanwhile: {ending_words(seen.ending)}") if seen.ended else None


def _interrupted(tries: list[Try]) -> None:
    for each in tries:
        if each.sent and not each.error:
            note(f"\n{each.id} goes on without you: `vclab watch {each.id}` follows it, `vclab end {each.id}` ends it")
    if not any(each.sent for each in tries):
        note("\nNothing was reserved.")


def _placed(view: Look, zone: ZoneInfo) -> str:
    if view.state is ReservationState.SCHEDULED:
        times = f"{dated(view.start, zone)} to {clock(view.end, zone, view.start)}"
        return f"{view.id}  {view.word}: {view.image}, {times}"
    return f"{view.id}  {view.word}: {view.image} on {where(view)}, until {clock(view.end, zone)}"


def _advise(seen: Sequence[Look], zone: ZoneInfo) -> None:
    """What to do next: once, with the first one's id for an example."""
    if not seen:
        return
    first = seen[0]
    if first.state is ReservationState.SCHEDULED:
        note(f"`vclab move {first.id} --at TIME` moves it, `vclab end {first.id}` cancels it")
    elif not first.settled:
        note(f"`vclab watch {first.id}` follows it, `vclab end {first.id}` ends it")
    else:
        until = first.now.until if first.now else None
        by = f" by {clock(until, zone)}" if until else ""
        note(f"Connect{by}: vclab connect {first.id}")


def where(view: Reservation) -> str:
    """``vm03 (203.0.113.21)``."""
    return f"{view.computer or ''} ({view.address})" if view.address else view.computer or ""
