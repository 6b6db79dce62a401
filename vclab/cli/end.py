"""``vclab end R…``: give computers back."""

from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.errors import code_of, problem_of, report
from vclab.cli.output import JsonValue, say, say_json
from vclab.cli.params import AsUser, Json, ReservationIds
from vclab.cli.running import run
from vclab.cli.ssh import forget_known_hosts
from vclab.cli.times import clock
from vclab.client.protocol import Client
from vclab.contract import acts
from vclab.contract.acts import Ended
from vclab.contract.reservations import Named
from vclab.model.errors import VclabError
from vclab.model.states import ending_words


def end(context: typer.Context, r: ReservationIds, json: Json = False, as_user: AsUser = "") -> None:
    """End reservations now.

    Also while they are being prepared. Ending one twice is harmless. Of several, each is reported, and the exit code
    is that of the first failure. With --json: an object, or a list when several ids are given.

    \b
    Examples:
      vclab end 1f3k9
      vclab end 1f3k9 2m7qa
      vclab --as olga end 1f3k9      (an operator ends anybody's)
    """
    outcomes, zone = run(_end_all(client_of(context, as_user), r))
    errors = [outcome for outcome in outcomes if isinstance(outcome, VclabError)]
    if errors and len(r) == 1:
        raise errors[0]
    if json:
        documents = [_document(name, outcome) for name, outcome in zip(r, outcomes, strict=True)]
        say_json(documents if len(r) > 1 else documents[0])
    for name, outcome in zip(r, outcomes, strict=True):
        if isinstance(outcome, VclabError):
            report(outcome, f"end {name}")
        elif not json:
            say(f"{outcome.id}  {_how(outcome, zone)}")
    raise typer.Exit(code_of(errors[0]) if errors else 0)


async def _end_all(client: Client, names: list[str]) -> tuple[list[Ended | VclabError], ZoneInfo]:
    """Each of them, one after the other: a refusal of one does not keep the others."""
    return [await _end(client, name) for name in names], await zone_for(client)


async def _end(client: Client, name: str) -> Ended | VclabError:
    try:
        view = await client.call(acts.end, Named(reservation=name))
    except VclabError as error:
        return error
    forget_known_hosts(view.id)
    return view


def _document(name: str, outcome: Ended | VclabError) -> JsonValue:
    if isinstance(outcome, VclabError):
        return {"id": name, "error": problem_of(outcome).fields()}
    document: JsonValue = acts.end.document(outcome)
    return document


def _how(view: Ended, zone: ZoneInfo) -> str:
    if not view.already:
        return f"Ended: {ending_words(view.ending)}"
    when = f", {clock(view.ended_at, zone)}" if view.ended_at else ""
    return f"has ended already: {ending_words(view.ending)}{when}"
