"""Following reservations while they change: what runs, what is waited for, and how that is shown."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from vclab.cli.context import Lab
from vclab.cli.output import note
from vclab.cli.times import utc_now
from vclab.model.durations import format_duration
from vclab.model.errors import NotFound, Unreachable
from vclab.model.messages import StatusView
from vclab.model.reservations import ReservationView
from vclab.model.states import OPEN_STATES, ReservationState, Word

if TYPE_CHECKING:
    from rich.text import Text

QUIET = 5.0  #: seconds without an answer before that is said
POLL = 1.0  #: seconds between looks at one reservation
ASK = 3.0  #: seconds to wait for Temporal before the store's view is taken, and for a worker to take up a task


@dataclass(frozen=True)
class Seen:
    """One look at a reservation: the store's view, and what its workflow tells if that could be read."""

    view: ReservationView
    status: StatusView | None = None
    why_not: str = ""  #: why that could not be read, or why nobody seems to work on it

    @property
    def ended(self) -> bool:
        """True once it is no longer the user's."""
        return self.view.state not in OPEN_STATES

    @property
    def needs_help(self) -> bool:
        """True while it waits for an operator."""
        return not self.ended and (self.status.word if self.status else self.view.word) == Word.NEEDS_HELP

    @property
    def settled(self) -> bool:
        """True once it is ready to connect to, or has ended."""
        return self.ended or self.view.state in (ReservationState.RESERVED, ReservationState.INUSE)


async def look(lab: Lab, reservation: str) -> Seen:
    """What is known now, after ``ASK`` seconds at the latest. Raises ``NotFound`` if the store has none of that id."""
    status = None
    try:
        status, why_not = await (await lab.reservations(ASK)).look(reservation, ASK)
    except (Unreachable, NotFound) as error:
        why_not = str(error)
    view = lab.reservation(reservation)
    return Seen(view, _at_step(status, view) if status else None, why_not)


def _at_step(status: StatusView, view: ReservationView) -> StatusView:
    """Between two steps of a load nobody runs one: the load log knows the last that began."""
    if status.step or not status.steps or not view.step:
        return status
    return replace(status, word=view.word, step=view.step, steps=view.steps, waits_for=view.step_title)


def sentence(seen: Seen, now: datetime) -> str:
    """``Preparing (3/8): Copy the image's disk — 12 s, about 20 s left``."""
    view, status = seen.view, seen.status
    if seen.ended:
        return f"Ended ({view.ending}): {view.reason}" if view.reason else f"Ended ({view.ending})"
    if seen.needs_help:
        return _help(seen, now)
    if status is None:
        return f"{view.word}: {view.step_title}" if view.step_title and not scheduled(seen) else view.word
    if scheduled(seen):
        left = (status.until - now).total_seconds() if status.until else 0.0
        soon = f" — in {format_duration(left)}" if left >= 1 else ""
        return f"{status.word}; waits for {status.waits_for}{soon}"
    # How near the end is goes by the clock, and a workflow's stands still: the view knows.
    word = view.word if view.word == Word.ENDING_SOON else status.word
    text = f"{word}: {status.waits_for}" if status.step else f"{word}; waits for {status.waits_for}"
    times = []
    spent = (now - status.since).total_seconds() if status.since else 0.0
    if spent >= 1:
        times.append(format_duration(spent))
    # A workflow's clock stands still between its tasks: what it said was left was so when the step began.
    left = status.seconds_left - spent
    if left >= 1:
        times.append(f"about {format_duration(left)} left")
    return f"{text} — {', '.join(times)}" if times else text


def _help(seen: Seen, now: datetime) -> str:
    """``Needs help: step 4, Power it on: host esx1 refuses — 12 min; …``: a fault of ours, so the way out is told."""
    since = (seen.status.since if seen.status else None) or seen.view.help_since or now
    until = (seen.status.until if seen.status else None) or seen.view.help_until
    spent, left = (now - since).total_seconds(), (until - now).total_seconds() if until else 0.0
    text = f"{Word.NEEDS_HELP}: {(seen.status.reason if seen.status else '') or seen.view.reason}"
    times = [format_duration(spent)] if spent >= 1 else []
    if left >= 1:
        times.append(f"an operator has {format_duration(left)} to mend it")
    return f"{text} — {', '.join(times)}; `vclab end {seen.view.id}` cancels it"


def scheduled(seen: Seen) -> bool:
    """It waits for its time; nothing is done meanwhile."""
    return seen.view.state is ReservationState.SCHEDULED


def pause(seen: Sequence[Seen], poll: float, now: datetime) -> float:
    """Seconds until the next look at these: many reservations are looked at less often, and those whose time has not
    come seldom, more often towards it."""
    shortest = max(poll, 0.2 * len(seen))
    if not all(scheduled(each) for each in seen):
        return shortest
    moments = [each.status.until if each.status and each.status.until else each.view.start for each in seen]
    return max(shortest, min(30.0, (min(moments, default=now) - now).total_seconds() / 10))


class Display(Protocol):
    """Where progress is shown."""

    def show(self, seen: Sequence[Seen]) -> None:
        """Show the newest look at each."""

    def __enter__(self) -> "Display": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lines:
    """For pipes and logs: a line on stderr whenever something changes."""

    def __init__(self, tell: Callable[[str], None] = note) -> None:
        self._tell = tell
        self._last: dict[str, str] = {}

    def show(self, seen: Sequence[Seen]) -> None:
        """Print what differs from the last time, the running clock left out."""
        now = utc_now()
        for each in seen:
            began = each.status.since if each.status else None
            key = sentence(each, began or now)
            if self._last.get(each.view.id) != key:
                self._last[each.view.id] = key
                self._tell(f"{each.view.id}  {sentence(each, now)}")

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

        self._seen: Sequence[Seen] = ()
        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        # Redrawn between the looks too, so that the clocks run evenly.
        self._live = Live(console=console, get_renderable=self._lines, refresh_per_second=2, transient=True)

    def show(self, seen: Sequence[Seen]) -> None:
        """Redraw."""
        self._seen = seen
        self._live.refresh()

    def _lines(self) -> "Text":
        from rich.text import Text

        now = utc_now()
        lines = "\n".join(f"{each.view.id}  {sentence(each, now)}" for each in self._seen)
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
    lab: Lab, reservations: Sequence[str], done: Callable[[Seen], bool], shown: Display, poll: float = POLL
) -> list[Seen]:
    """Look at all until each is ``done``, showing every look; returns the last looks, in the same order.

    Workers and servers may be restarted meanwhile: what the store says is shown then, which is said once.
    """
    last: dict[str, Seen] = {}
    remarks = Remarks()
    while True:
        missing = [r for r in reservations if r not in last or not done(last[r])]
        for seen in await asyncio.gather(*(_look_patiently(lab, r, last.get(r)) for r in missing)):
            last[seen.view.id] = seen
        newest = [last[r] for r in reservations]
        remarks.on([seen for seen in newest if not done(seen)])
        if all(done(seen) for seen in newest):
            return newest  # the caller tells how it came out
        shown.show(newest)
        await asyncio.sleep(pause([seen for seen in newest if not done(seen)], poll, utc_now()))


async def _look_patiently(lab: Lab, reservation: str, last: Seen | None) -> Seen:
    """A look that outlasts a database that is away for a moment, if there was a look before."""
    try:
        return await look(lab, reservation)
    except Unreachable as error:
        if last is None:
            raise
        return Seen(last.view, None, str(error))


class Remarks:
    """Says once that nobody works on it or tells of it, and once that somebody does again."""

    def __init__(self, tell: Callable[[str], None] = note) -> None:
        self._tell = tell
        self._silent_since: float | None = None  #: by a clock that never jumps
        self._said = False

    def on(self, seen: Sequence[Seen]) -> None:
        """Look at what was seen of the reservations that are still waited for."""
        silent = [each for each in seen if each.why_not]
        if not silent:
            if self._said:
                self._tell("It goes on again.")
            self._silent_since, self._said = None, False
            return
        now = time.monotonic()
        self._silent_since = now if self._silent_since is None else self._silent_since
        if not self._said and now - self._silent_since >= QUIET:
            self._said = True
            self._tell(self._remark(silent[0]))

    @staticmethod
    def _remark(seen: Seen) -> str:
        if seen.status is None:
            return f"No live answer ({seen.why_not}). What follows is the database's view; still waiting."
        return f"Nobody works on it: {seen.why_not} (`vclab status` tells). Still waiting."
