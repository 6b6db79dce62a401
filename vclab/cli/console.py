"""``vclab computer console NAME``: what comes on the serial console of a computer, through its BMC."""

import asyncio
from typing import Annotated

import typer

from vclab.cli.client import client_of
from vclab.cli.errors import Usage
from vclab.cli.output import note, say, say_json
from vclab.cli.params import AsUser, ComputerName, Json
from vclab.cli.running import run
from vclab.client.protocol import Client
from vclab.contract import power
from vclab.contract.power import Heard, Seen, Switch
from vclab.contract.retiring import Named
from vclab.model.power import PowerVerb

LISTENS = 5.0
"""Seconds, without --follow."""
FOLLOWS = 3600.0
"""Seconds at most: whoever still wants more follows again."""
POLL = 1.0


def console(
    context: typer.Context,
    name: ComputerName,
    lines: Annotated[int, typer.Option("--lines", min=1, max=300, help="Show so many lines, the last ones.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", help="Show lines as they come, until Ctrl-C.")] = False,
    take: Annotated[bool, typer.Option("--take", help="End the session of whoever listens already.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Listen to the serial console of a computer, over LAN by its BMC (IPMI).

    Without --follow it listens for five seconds: a BMC tells what comes, and few keep what came before. Nothing is
    typed there.

    \b
    Examples:
      vclab computer console metal01
      vclab computer console metal01 --follow
      vclab computer console metal01 --take --lines 100
    """
    if follow and json:
        raise Usage("--follow prints lines as they come, and no JSON", "use one of them")
    client = client_of(context, as_user)
    asked = Switch(name=name, verb=PowerVerb.CONSOLE, listen_seconds=FOLLOWS if follow else LISTENS, take=take)
    if not follow:
        seen = run(client.call(power.switch, asked))
        if json:
            say_json(power.switch.document(seen))
        else:
            _show(seen, lines)
        return
    try:
        run(_followed(client, asked))
    except KeyboardInterrupt:
        run(client.call(power.hang_up, Named(name=name)))
        raise


def _show(seen: Seen, most: int) -> None:
    for line in seen.lines[-most:]:
        say(line)
    if not seen.lines:
        note(f"Nothing came on the console of {seen.computer} within {LISTENS:g} s.")


async def _followed(client: Client, asked: Switch) -> None:
    """Until it ends. Lines that are not whole yet are waited for."""
    listening = asyncio.ensure_future(client.call(power.switch, asked))
    note(f"Listening to the console of {asked.name}; Ctrl-C ends it.")
    shown = 0
    try:
        while not listening.done():
            await asyncio.wait([listening], timeout=POLL)
            if not listening.done():
                shown = _news(await client.call(power.heard, Named(name=asked.name)), shown)
        listening.result()
    finally:
        listening.cancel()


def _news(heard: Heard, shown: int) -> int:
    """Print what is new; how many lines have come until then."""
    new = heard.count - shown
    if new > len(heard.lines):
        note(f"{new - len(heard.lines)} lines left out")
    for line in heard.lines[-new:] if new > 0 else ():
        say(line)
    return max(heard.count, shown)
