"""``vclab audit``: who asked for what, how that is known, and how it came out."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.output import note, say_json, table
from vclab.cli.params import AsUser, Json, OfUser
from vclab.cli.running import run
from vclab.cli.tables import Column, Fit
from vclab.cli.times import clock
from vclab.client.protocol import Client
from vclab.contract import audit as acts
from vclab.contract.audit import Asked, Intent
from vclab.contract.use_case import MOST_LINES

COLUMNS = (
    Column("WHEN"),
    Column("WHO"),
    Column("KNOWN BY", drop=3),
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
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=MOST_LINES, metavar="N", help="Show at most N, the newest.")
    ] = 100,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Show who asked for what, and how it came out (operators).

    Every act is recorded before it is carried out, and kept for good. KNOWN BY says how the actor is known: account
    (the local account of the management node), token, session, emergency.

    \b
    Examples:
      vclab audit
      vclab audit --user alice --limit 20
      vclab audit --subject 1f3k9 --json
    """
    asked = Asked(user=user, subject=subject, limit=limit)
    found, zone = run(_ask(client_of(context, as_user), asked))
    if json:
        say_json(acts.listing.document(found))
    elif found:
        table(COLUMNS, [_row(each, zone) for each in found])
    else:
        note("No acts, as far as is recorded.")
    if len(found) == limit:
        note(f"These are the newest {limit}; --limit shows more.")


async def _ask(client: Client, asked: Asked) -> tuple[tuple[Intent, ...], ZoneInfo]:
    return (await client.call(acts.listing, asked))[::-1], await zone_for(client)


def _row(intent: Intent, zone: ZoneInfo) -> tuple[str, ...]:
    known = intent.authentication
    if intent.account and intent.account != intent.actor:
        known += f", {intent.account}"
    for_user = "" if intent.for_user == intent.actor else intent.for_user or ""
    said = ", ".join(f"{name} {value}" for name, value in intent.arguments.items() if value != intent.subject)
    detail = ": ".join(filter(None, (said, intent.detail or "")))
    return (
        clock(intent.at, zone),
        intent.actor,
        known,
        intent.verb,
        intent.subject or "",
        for_user,
        intent.outcome,
        detail,
    )
