"""``vclab watch R``: follow one reservation to its end."""

from collections.abc import Sequence

import typer

from vclab.cli.client import client_of
from vclab.cli.output import note, say, say_json_line
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.progress import Lines, display, follow, sentence
from vclab.cli.running import run
from vclab.cli.times import utc_now
from vclab.client.protocol import Client
from vclab.contract import reservations
from vclab.contract.looks import Look
from vclab.contract.reservations import Named
from vclab.model.errors import Failed
from vclab.model.states import Ending


def watch(context: typer.Context, r: ReservationId, json: Json = False, as_user: AsUser = "") -> None:
    """Follow a reservation until it ends.

    It shows the time that is left: until the computer is ready, until a timeout, or until the end.
    Ctrl-C stops watching and changes nothing. The exit code is 1 if the reservation failed. While it needs an
    operator's help, watching goes on; `vclab end R` cancels the reservation.
    With --json: one JSON document a line, whenever something changes.

    \b
    Examples:
      vclab watch 1f3k9
      vclab watch 1f3k9 --json
    """
    try:
        last = run(_follow(client_of(context, as_user), r, json))
    except KeyboardInterrupt:
        note(f"\nNo longer watching; {r} goes on")
        raise
    if json:
        JsonLines().show([last])
    if last.ending is Ending.FAILED:
        raise Failed(f"{last.id} failed: {last.reason or 'no reason is recorded'}")
    if not json:
        say(f"{last.id}  {sentence(last, utc_now())}")


async def _follow(client: Client, r: str, json: bool) -> Look:
    found = await client.call(reservations.look, Named(reservation=r))
    with JsonLines() if json else display() as shown:
        (last,) = await follow(client, [found.id], lambda seen: seen.ended, shown)
    return last


class JsonLines(Lines):
    """For programs: a JSON document a line on stdout whenever something changes."""

    def show(self, seen: Sequence[Look]) -> None:
        """Print what differs, running clocks left out."""
        for each in seen:
            document = reservations.look.document(each)
            key = repr({**document, "now": {**(document["now"] or {}), "seconds_left": None}})
            if self._last.get(each.id) != key:
                self._last[each.id] = key
                say_json_line(document)
