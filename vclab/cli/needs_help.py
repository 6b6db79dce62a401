"""``vclab needs-help``: the loads that wait for an operator, each with what could be seen of it."""

from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.failed import print_evidence, print_failed_load, step_name
from vclab.cli.output import fields, note, say, say_json
from vclab.cli.params import AsUser, Json
from vclab.cli.running import run
from vclab.cli.times import clock, utc_now
from vclab.client.protocol import Client
from vclab.contract import reservations
from vclab.contract.reservations import FailedComputer, WaitingReservation
from vclab.contract.use_case import Nothing
from vclab.model.durations import format_duration

Found = tuple[WaitingReservation | FailedComputer, ...]


def needs_help(context: typer.Context, json: Json = False, as_user: AsUser = "") -> None:
    """List the reservations and computers that need an operator's help (operators).

    A reservation is listed when its load failed on two hosts, or on one while no other host has room, or when its
    capture failed, also after its end. It is shown with
    the cause, the failed step and the evidence: the machine's power, what its endpoint says, its console's last lines.
    `vclab resolve` lets it go on; its user can end it at any time. Computers whose background load failed come last.

    \b
    Examples:
      vclab needs-help
      vclab needs-help --json
    """
    found, zone = run(_ask(client_of(context, as_user)))
    if json:
        say_json(reservations.needs_help.document(found))
        return
    if not found:
        note("Nothing needs help.")
    for number, each in enumerate(found):
        if number:
            say("")
        if isinstance(each, FailedComputer):
            print_failed_load(each.failure, zone)
        else:
            _print(each, zone)


async def _ask(client: Client) -> tuple[Found, ZoneInfo]:
    return await client.call(reservations.needs_help, Nothing()), await zone_for(client)


def _print(waiting: WaitingReservation, zone: ZoneInfo) -> None:
    step, now = waiting.failure, utc_now()
    since = waiting.needs_help.since if waiting.needs_help else step.at
    until = waiting.needs_help.until if waiting.needs_help else None
    what = "the capture is given up" if waiting.becomes else "it fails"
    fails = f"; {what} at {clock(until, zone, now)}" if until else ""
    waited = format_duration(max(1.0, (now - since).total_seconds()))
    fields(
        [
            ("Reservation", f"{waiting.id}: {waiting.image}, revision {waiting.revision}, for {waiting.user}"),
            ("Being captured as", waiting.becomes or ""),
            ("Cause", step.cause),
            ("Failed", step_name(step)),
            ("Machine", f"{step.computer} on {step.host}, power {step.power}"),
            ("Elsewhere", waiting.no_other_place or ""),
            ("Waits", f"since {clock(since, zone, now)} ({waited}){fails}"),
        ]
    )
    print_evidence(step)
    say(resolve_hint(waiting.id, bool(waiting.becomes)))


def resolve_hint(reservation: str, captured: bool = False) -> str:
    """What an operator can do. What is ``captured`` can't go on elsewhere."""
    others = "or `give-up`" if captured else "or `elsewhere`, or `give-up`"
    return f"`vclab resolve {reservation} retry` goes on from this step; {others}"
