"""``vclab watch R``: follow one reservation to its end."""

import asyncio
from collections.abc import Sequence

import typer

from vclab.cli.context import lab_of
from vclab.cli.follow import Lines, Seen, display, follow, sentence
from vclab.cli.output import note, say, say_json_line
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.show import seen_json
from vclab.cli.times import utc_now
from vclab.model.errors import Failed
from vclab.model.states import Ending


def watch(context: typer.Context, r: ReservationId, json: Json = False, as_user: AsUser = "") -> None:
    """Follow a reservation until it ends.

    Ctrl-C stops watching and changes nothing.
    The exit code is 1 when it failed. One that needs an operator's help is followed on; `vclab end R` cancels it.
    With --json, one JSON document a line, whenever something changes.

    \b
    Examples:
      vclab watch 1f3k9
      vclab watch 1f3k9 --json
    """
    lab = lab_of(context, as_user)
    lab.reservation(r)
    try:
        with JsonLines() if json else display() as shown:
            (last,) = asyncio.run(follow(lab, [r], lambda seen: seen.ended, shown))
    except KeyboardInterrupt:
        note(f"\nNo longer watching; {r} goes on")
        raise
    if json:
        JsonLines().show([last])
    if last.view.ending is Ending.FAILED:
        raise Failed(f"{r} failed: {last.view.reason or 'no reason is recorded'}")
    if not json:
        say(f"{r}  {sentence(last, utc_now())}")


class JsonLines(Lines):
    """For programs: a JSON document a line on stdout whenever something changes."""

    def show(self, seen: Sequence[Seen]) -> None:
        """Print what differs, running clocks left out."""
        for each in seen:
            document = seen_json(each)
            now = document["now"]
            key = repr({**document, "now": {**now, "seconds_left": None} if isinstance(now, dict) else now})
            if self._last.get(each.view.id) != key:
                self._last[each.view.id] = key
                say_json_line(document)
