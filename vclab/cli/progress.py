"""Following reservations while they change: what is shown of them, on a terminal and in a pipe."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from vclab.cli.output import note
from vclab.cli.tables import printable
from vclab.cli.times import utc_now
from vclab.client.protocol import Client, Streaming
from vclab.contract import reservations
from vclab.contract.looks import CurrentStatus, Look
from vclab.contract.reservations import Named
from vclab.model.durations import format_duration
from vclab.model.errors import Unreachable
from vclab.model.states import ReservationState, Word, ending_words

if TYPE_CHECKING:
    from rich.text import Text

    from vclab.client.feed import Told

MOST_WATCHED = 20  #: reservations that a server tells of in one stream
QUIET = 5.0  #: seconds without an answer before that is said
POLL = 1.0  #: seconds between looks at one reservation


def sentence(seen: Look, now: datetime) -> str:
    """``Preparing (3/8): Copy the image's disk — about 20 s left``: where it stands, and how long that lasts."""
    if seen.waits_for_help:
        return _help(seen, now)
    lasts = "" if seen.ended else _lasts(seen, now)
    return f"{_headline(seen)} — {lasts}" if lasts else _headline(seen)


def _headline(seen: Look) -> str:
    """Where it stands, without any clock."""
    live = seen.now
    if seen.ended:
        return f"Ended: {ending_words(seen.ending)}" + (f"; {seen.reason}" if seen.reason else "")
    if seen.waits_for_help:
        return f"{Word.NEEDS_HELP}: {seen.remark}"
    if live is None or live.word is None:
        return f"{seen.word}: {seen.step_title}" if seen.step_title and not scheduled(seen) else seen.word
    # How near the end is goes by the clock, and a workflow's stands still: the store knows.
    word = seen.word if seen.word == Word.ENDING_SOON else live.word
    beside = f"; captured as {seen.capture}" if seen.capture and seen.ready and not live.step else ""
    return f"{word}: {live.waits_for}" if live.step else f"{word}; waits for {live.waits_for}{beside}"


def _lasts(seen: Look, now: datetime) -> str:
    """The time that is left until it is ready or until something ends, or else how long it has gone on."""
    live = seen.now
    if live is None or live.word is None:
        return ""
    spent = (now - live.since).total_seconds() if live.since else 0.0
    if live.step and live.remark:  # what the step itself says
        return live.remark
    if live.seconds_left:
        left = live.seconds_left - spent  # what the workflow says was so when the step began
        return f"about {format_duration(left)} left" if left >= 1 else f"for {format_duration(spent)}, unusually long"
    if scheduled(seen):
        return f"in {wait}" if (wait := _until(live.until, now)) else ""
    until = live.until or (seen.end if seen.ready else None)
    if until and live.then and not live.step:
        return _left(until, now)
    return f"for {format_duration(spent)}" if spent >= 1 else ""


def _left(until: datetime | None, now: datetime) -> str:
    return f"{left} left" if (left := _until(until, now)) else ""


def _until(moment: datetime | None, now: datetime) -> str:
    seconds = (moment - now).total_seconds() if moment else 0.0
    return format_duration(seconds) if seconds >= 1 else ""


def _help(seen: Look, now: datetime) -> str:
    """``Needs help: step 4, Power on: the host refuses — 2 h left for an operator; …``: the way out is named."""
    until = (seen.now.until if seen.now else None) or (seen.needs_help.until if seen.needs_help else None)
    left = _left(until, now)
    lasts = f" — {left} for an operator" if left else ""
    return f"{_headline(seen)}{lasts}; `vclab end {seen.id}` cancels it"


def scheduled(seen: Look) -> bool:
    """It waits for its time; nothing is done meanwhile."""
    return seen.state is ReservationState.SCHEDULED


def pause(seen: Sequence[Look], poll: float, now: datetime) -> float:
    """Seconds until the next look at these: many reservations are looked at less often, and those whose time has not
    come seldom, more often towards it."""
    shortest = max(poll, 0.2 * len(seen))
    if not all(scheduled(each) for each in seen):
        return shortest
    moments = [each.now.until if each.now and each.now.until else each.start for each in seen]
    return max(shortest, min(30.0, (min(moments, default=now) - now).total_seconds() / 10))


class Display(Protocol):
    """Where progress is shown."""

    def show(self, seen: Sequence[Look]) -> None:
        """Show the newest look at each."""

    def __enter__(self) -> "Display": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lines:
    """For pipes and logs: a line on stderr whenever something changes."""

    def __init__(self, write: Callable[[str], None] = note) -> None:
        self._write = write
        self._last: dict[str, str] = {}

    def show(self, seen: Sequence[Look]) -> None:
        """Print what differs from the last time, the running clock left out."""
        for each in seen:
            key = f"{_headline(each)} {each.end}"
            if self._last.get(each.id) != key:
                self._last[each.id] = key
                self._write(f"{each.id}  {sentence(each, utc_now())}")

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Screen:
    """For a terminal: one line a reservation, redrawn in place."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._seen: Sequence[Look] = ()
        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        # Redrawn between the looks too, so that the clocks run evenly.
        self._live = Live(console=console, get_renderable=self._lines, refresh_per_second=2, transient=True)

    def show(self, seen: Sequence[Look]) -> None:
        """Redraw."""
        self._seen = seen
        self._live.refresh()

    def _lines(self) -> "Text":
        from rich.text import Text

        now = utc_now()
        lines = "\n".join(printable(f"{each.id}  {sentence(each, now)}") for each in self._seen)
        return Text(lines, overflow="ellipsis", no_wrap=True)

    def __enter__(self) -> "Screen":
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def display() -> Display:
    """The display that fits stderr."""
    return Screen() if sys.stderr.isatty() else Lines()


async def follow(
    client: Client, ids: Sequence[str], done: Callable[[Look], bool], shown: Display, poll: float = POLL
) -> list[Look]:
    """Look at all until each is ``done``, showing every look; returns the last looks, in the same order.

    Workers and servers may restart meanwhile: the store's view is shown then, and a remark says so once.
    """
    if isinstance(client, Streaming) and len(ids) <= MOST_WATCHED:
        return await _follow_told(client, ids, done, shown, poll)
    last: dict[str, Look] = {}
    remarks = Remarks()
    while True:
        missing = [id for id in ids if id not in last or not done(last[id])]
        for seen in await asyncio.gather(*(_look_patiently(client, id, last.get(id)) for id in missing)):
            last[seen.id] = seen
        newest = [last[id] for id in ids]
        remarks.on([seen for seen in newest if not done(seen)])
        if all(done(seen) for seen in newest):
            return newest  # the caller says how it came out
        shown.show(newest)
        await asyncio.sleep(pause([seen for seen in newest if not done(seen)], poll, utc_now()))


async def _follow_told(
    server: Streaming, ids: Sequence[str], done: Callable[[Look], bool], shown: Display, poll: float
) -> list[Look]:
    """The same, of a server that tells each change when it comes."""
    from vclab.client.feed import events, paced

    last: dict[str, Look] = {}
    remarks = Remarks()
    async with aclosing(events(server, kinds=["reservation"], reservations=ids)) as told:
        async for heard in paced(told, poll):
            _hear(heard, last)
            if len(last) < len(ids):
                continue
            newest = [last[id] for id in ids]
            remarks.on([seen for seen in newest if not done(seen)])
            if all(done(seen) for seen in newest):
                return newest
            shown.show(newest)
    raise AssertionError("it is told for ever")


def _hear(heard: "Told | None", last: dict[str, Look]) -> None:
    """Keep the look that was told, or that there is no answer now."""
    if heard is None:
        return
    if heard.name == "look":
        seen = Look.model_validate(heard.data, extra="ignore")
        last[seen.id] = seen
    elif heard.name == "lost":
        silent = {"now": CurrentStatus.of(None, str(heard.data["why"]))}
        last.update({id: seen.model_copy(update=silent) for id, seen in last.items()})


async def _look_patiently(client: Client, id: str, last: Look | None) -> Look:
    """A look that outlasts a database that is away for a moment, if there was a look before."""
    try:
        return await client.call(reservations.look, Named(reservation=id))
    except Unreachable as error:
        if last is None:
            raise
        return last.model_copy(update={"now": CurrentStatus.of(None, str(error))})


class Remarks:
    """Says once that no worker is running or that there is no live answer, and once that it goes on again."""

    def __init__(self, write: Callable[[str], None] = note) -> None:
        self._write = write
        self._silent_since: float | None = None  #: by a clock that never jumps
        self._said = False

    def on(self, seen: Sequence[Look]) -> None:
        """Consider the reservations that are still waited for."""
        silent = [each.now for each in seen if each.now and each.now.why_not]
        if not silent:
            if self._said:
                self._write("It goes on again.")
            self._silent_since, self._said = None, False
            return
        now = time.monotonic()
        self._silent_since = now if self._silent_since is None else self._silent_since
        if not self._said and now - self._silent_since >= QUIET:
            self._said = True
            self._write(self._remark(silent[0]))

    @staticmethod
    def _remark(live: CurrentStatus) -> str:
        if live.word is None:
            return f"No live answer: {live.why_not}. What follows is from the database; still waiting."
        return f"No progress: {live.why_not} (`vclab status` shows the workers). Still waiting."
