"""``vclab audit``: who asked for what, how that is known, and how it came out."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.output import note, say_json, say_json_line, table
from vclab.cli.params import AsUser, Json, OfUser
from vclab.cli.running import run
from vclab.cli.tables import Column, Fit
from vclab.cli.times import clock, parse_past, utc_now
from vclab.client.protocol import Client
from vclab.contract import audit as acts
from vclab.contract.audit import Asked, Intent
from vclab.contract.use_case import MOST_LINES
from vclab.model.errors import Invalid
from vclab.model.intents import Outcome

COLUMNS = (
    Column("WHEN"),
    Column("WHO"),
    Column("KNOWN BY", drop=3),
    Column("FROM", drop=4),
    Column("ACT"),
    Column("SUBJECT", drop=1),
    Column("FOR", drop=2),
    Column("OUTCOME"),
    Column("DETAIL", fit=Fit.FOLD),
)


def audit(
    context: typer.Context,
    user: OfUser = "",
    subject: Annotated[
        str,
        typer.Option("--subject", metavar="S", help="On this reservation or thing.", show_default=False),
    ] = "",
    address: Annotated[str, typer.Option("--address", metavar="A", help="From this address.", show_default=False)] = "",
    token: Annotated[
        str, typer.Option("--token", metavar="T", help="By the token or session of this id.", show_default=False)
    ] = "",
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="From then on.", show_default=False)] = "",
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Before then.", show_default=False)] = "",
    outcome: Annotated[
        Outcome | None, typer.Option("--outcome", help="Which came out like this.", show_default=False)
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="Export: one JSON document a line.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST_LINES, metavar="N", help="Show at most N, the newest.")
    ] = 100,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Show who asked for what, and how it came out (operators).

    Every act is recorded before it is carried out, and every attempt to do what one may not. Nobody can change that;
    it is deleted after `retention.audit` days. KNOWN BY says how the actor is known: token, session (of a browser),
    account (the local account), act_as (the setting), --as (the caller's claim); and FROM from which address.
    A time without a date is its last occurrence.

    \b
    Examples:
      vclab audit
      vclab audit --user alice --limit 20
      vclab audit --subject 1f3k9 --json
      vclab audit --outcome refused --since 08:00
      vclab audit --since 2026-11-01 --until 2026-12-01 --limit 100000 --lines
    """
    if json and lines:
        raise Invalid("--json and --lines exclude each other", "give one of them")
    asked = Asked(user=user, subject=subject, address=address, token=token, outcome=outcome, limit=limit)
    found, zone = run(_ask(client_of(context, as_user), asked, since, until))
    if lines:
        for document in acts.listing.document(found):
            say_json_line(document)
    elif json:
        say_json(acts.listing.document(found))
    elif found:
        table(COLUMNS, [_row(each, zone) for each in found])
    else:
        note("No acts, as far as is recorded.")
    if len(found) == limit:
        note(f"These are the newest {limit}; --limit shows more.")


async def _ask(client: Client, asked: Asked, since: str, until: str) -> tuple[tuple[Intent, ...], ZoneInfo]:
    zone, now = await zone_for(client), utc_now()
    said = {"since": since, "until": until}
    times = {name: parse_past(text, zone, now) for name, text in said.items() if text}
    return (await client.call(acts.listing, asked.model_copy(update=times)))[::-1], zone


def _row(intent: Intent, zone: ZoneInfo) -> tuple[str, ...]:
    known = f"{intent.authentication} {intent.token}" if intent.token else intent.authentication
    if intent.account and intent.account != intent.actor:
        known += f", {intent.account}"
    for_user = "" if intent.for_user == intent.actor else intent.for_user or ""
    said = ", ".join(f"{name} {value}" for name, value in intent.arguments.items() if value != intent.subject)
    detail = ": ".join(filter(None, (said, intent.detail or "")))
    return (
        clock(intent.at, zone),
        intent.actor,
        known,
        intent.address or "",
        intent.verb,
        intent.subject or "",
        for_user,
        intent.outcome,
        detail,
    )
