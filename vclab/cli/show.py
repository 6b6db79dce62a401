"""``vclab show R``: all that is known of one reservation."""

import asyncio
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.follow import Seen, look, sentence
from vclab.cli.needs_help import trouble_json
from vclab.cli.output import JsonValue, fields, note, reservation_json, say, say_json, status_json, table
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.times import clock, iso, utc_now
from vclab.model.durations import format_duration
from vclab.model.reservations import ReservationView
from vclab.model.states import ReservationState

if TYPE_CHECKING:
    from vclab.store.load_log import Attempt


def show(context: typer.Context, r: ReservationId, json: Json = False, as_user: AsUser = "") -> None:
    """Show one reservation.

    Where it is, what runs, what it waits for, until when, and what happens then.

    \b
    Examples:
      vclab show 1f3k9
      vclab show 1f3k9 --json
    """
    lab = lab_of(context, as_user)
    view = lab.reservation(r)
    seen = Seen(view)
    if not seen.ended:
        seen = asyncio.run(look(lab, r))
    events = lab.records.events(r)
    if json:
        history: list[JsonValue] = [
            {"at": iso(e.at), "who": e.who, "what": e.what, "detail": e.detail or None} for e in events
        ]
        document = {**seen_json(seen), "history": history}
        if lab.actor.operator:
            document["load"] = [_attempt_json(one) for one in lab.records.load(r)]
            document["failures"] = [trouble_json(trouble) for trouble in lab.records.troubles(r)]
        say_json(document)
        return
    describe(seen, lab.actor.zone)
    if seen.needs_help:
        note(f"`vclab end {r}` cancels it" + ("; `vclab needs-help` shows the evidence" if lab.actor.operator else ""))
    if not seen.ended:
        _warn(lab, view)
    if events:
        say("")
        rows = [(clock(e.at, lab.actor.zone), e.who, e.what, e.detail) for e in events]
        table(("WHEN", "WHO", "WHAT", "DETAIL"), rows)


def _warn(lab: Lab, view: ReservationView) -> None:
    """What is known to be wrong with what it is made of."""
    suspects = [each for each in lab.records.suspects(view.image) if each.revision == view.revision]
    rests = [rest for rest in lab.records.resting() if (rest.endpoint, rest.host) == (view.endpoint, view.host)]
    texts = [each.text() for each in suspects]
    texts += [f"{rest.host} {rest.text(lambda at: clock(at, lab.actor.zone))}" for rest in rests]
    for text in texts:
        say(f"Beware: {text}")


def _attempt_json(one: "Attempt") -> JsonValue:
    return {
        "step": one.name,
        "number": one.number,
        "generation": one.generation,
        "run": one.run,
        "attempt": one.attempt,
        "started": iso(one.started_at),
        "ended": iso(one.ended_at),
        "outcome": one.outcome or None,
        "detail": one.detail or None,
    }


def seen_json(seen: Seen) -> dict[str, JsonValue]:
    """A reservation for programs, with what its workflow says ``now``; null once it has ended."""
    return {**reservation_json(seen.view), "now": None if seen.ended else status_json(seen.status, seen.why_not)}


def describe(seen: Seen, zone: ZoneInfo) -> None:
    """Print a reservation for people."""
    view, status, now = seen.view, seen.status, utc_now()
    pairs = [
        ("Reservation", view.id),
        ("State", sentence(seen, now) if seen.ended or view.state is ReservationState.NEW else view.word),
        ("User", view.user),
        ("Image", f"{view.image}, revision {view.revision}"),
        ("Computer", f"{view.computer} on {view.host}" if view.host else view.computer),
        ("Address", view.public_address),
        ("Handed out", view.handover),
        ("Host key", view.host_key),
        ("Open to", ", ".join(view.remote_addresses) if view.access_open else ""),
        ("Start", clock(view.start, zone, now)),
        ("Prepared from", clock(view.preload_at, zone, now) if view.preload_at and not seen.ended else ""),
        ("Ended" if view.ended_at else "End", clock(view.ended_at or view.end, zone, now)),
        ("Dismissed", clock(view.dismissed_at, zone, now) if view.dismissed_at else ""),
    ]
    if status:
        since = f", since {clock(status.since, zone, now)}" if status.since else ""
        pairs += [
            ("Waits for", f"{status.waits_for}{since}" if status.waits_for else ""),
            ("Until", clock(status.until, zone, now) if status.until else ""),
            ("Then", status.then),
            ("Time left", f"about {format_duration(status.seconds_left)}" if status.seconds_left > 0 else ""),
            ("Nobody works", seen.why_not),
        ]
    elif not seen.ended:
        pairs.append(("No live answer", f"{seen.why_not}; the above is the database's view"))
    reason = (status.reason if status else "") or view.reason
    fields([*pairs, ("Reason" if seen.ended else "Remark", reason)])
