"""``vclab show R``: all that is known of one reservation."""

from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.events import tell
from vclab.cli.output import fields, say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.progress import sentence
from vclab.cli.running import run
from vclab.cli.times import clock, utc_now
from vclab.client.protocol import Client
from vclab.contract import reservations
from vclab.contract.looks import CurrentStatus, Look
from vclab.contract.reservations import Named, Shown
from vclab.model.durations import format_duration
from vclab.model.states import ReservationState, Word


def show(context: typer.Context, r: ReservationId, json: Json = False, as_user: AsUser = "") -> None:
    """Show one reservation.

    Where it is, what runs, what it waits for, until when, and what happens then; and what was done to it, by whom.

    \b
    Examples:
      vclab show 1f3k9
      vclab show 1f3k9 --json
    """
    shown, zone = run(_ask(client_of(context, as_user), r))
    if json:
        say_json(reservations.show.document(shown))
        return
    describe(shown, zone)
    if shown.waits_for_help:
        more = "; `vclab needs-help` shows the evidence" if shown.failures else ""
        say(f"`vclab end {shown.id}` cancels it{more}")
    if shown.history:
        say("")
        tell(shown.history, zone)


async def _ask(client: Client, r: str) -> tuple[Shown, ZoneInfo]:
    return await client.call(reservations.show, Named(reservation=r)), await zone_for(client)


def describe(shown: Shown, zone: ZoneInfo) -> None:
    """Print a reservation for people."""
    pairs = _known(shown, zone)
    if shown.now and shown.now.word:
        pairs += _live(shown, shown.now, zone)
    elif not shown.ended:
        pairs.append(("No live answer", f"{shown.now.why_not if shown.now else ''}; this is from the database"))
    name = "Reason" if shown.ended or shown.waits_for_help else "Remark"
    fields([*pairs, (name, shown.remark or ""), *_warnings(shown, zone)])


def _known(view: Look, zone: ZoneInfo) -> list[tuple[str, str]]:
    """What the store knows."""
    now = utc_now()
    moving = view.ended or (view.state is ReservationState.NEW and not view.waits_for_help)
    state = sentence(view, now) if moving else Word.NEEDS_HELP if view.waits_for_help else view.word
    return [
        ("Reservation", view.id),
        ("State", state),
        ("User", view.user),
        ("Image", f"{view.image}, revision {view.revision}"),
        ("Disk", "a full copy of the image's" if view.dedicated else ""),
        ("Computer", f"{view.computer} on {view.host}" if view.host else view.computer or ""),
        ("Address", view.address or ""),
        ("Handed out", view.handover or ""),
        ("Imaging", _imaging(view)),
        ("Being captured as", view.capture or view.becomes or ""),
        ("Host key", view.host_key or ""),
        ("", "host key unverified (first contact)" if view.host_key and not view.host_key_verified else ""),
        ("Open to", ", ".join(view.remote_addresses) if view.access_open else ""),
        ("Start", clock(view.start, zone, now)),
        ("Prepared from", clock(view.preload_at, zone, now) if view.preload_at and not view.ended else ""),
        ("Ended" if view.ended_at else "End", clock(view.ended_at or view.end, zone, now)),
        ("Dismissed", clock(view.dismissed_at, zone, now) if view.dismissed_at else ""),
    ]


def _imaging(view: Look) -> str:
    at_end = view.capture_at_end and not view.ended
    return "it is captured at its end, if it was not before" if at_end else "it may be captured" * view.imaging


def _live(view: Look, live: CurrentStatus, zone: ZoneInfo) -> list[tuple[str, str]]:
    """What its workflow says."""
    now = utc_now()
    since = f", since {clock(live.since, zone, now)}" if live.since else ""
    spent = (now - live.since).total_seconds() if live.since else 0.0
    left = (live.seconds_left or 0.0) - spent
    return [
        ("Waits for", f"{live.waits_for}{since}" if live.waits_for else ""),
        ("Until", clock(live.until, zone, now) if live.until else ""),
        ("Then", live.then or ""),
        ("Ready in", f"about {format_duration(left)}" if left >= 1 and not view.waits_for_help else ""),
        ("No progress", live.why_not or ""),
    ]


def _warnings(shown: Shown, zone: ZoneInfo) -> list[tuple[str, str]]:
    """What is known to be wrong with what it is made of."""
    if shown.ended:
        return []
    rest = shown.resting
    texts = [shown.suspect.text] if shown.suspect else []
    texts += [f"{rest.host} {rest.text(lambda at: clock(at, zone))}"] if rest else []
    return [("Beware", text) for text in texts]
