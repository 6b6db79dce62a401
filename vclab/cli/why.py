"""``vclab why R``: what a reservation waits for, or why a request was refused."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import typer

from vclab.cli.client import client_of, zone_for
from vclab.cli.failed import print_evidence
from vclab.cli.needs_help import resolve_hint
from vclab.cli.output import fields, say, say_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.progress import sentence
from vclab.cli.running import run
from vclab.cli.times import clock, utc_now
from vclab.client.protocol import Client
from vclab.contract import reservations
from vclab.contract.reservations import Activity, Attempt, Candidate, Explained, Named, RefusedPlace
from vclab.model.durations import format_duration
from vclab.model.states import Word

_NAMED = 8  #: candidates that are named of those that lack the same

Pairs = list[tuple[str, str]]


def why(context: typer.Context, r: ReservationId, json: Json = False, as_user: AsUser = "") -> None:
    """Explain why a reservation is where it is, or why a request was refused.

    For a reservation: what it waits for, since when, until when, and what happens then; which attempts were made, why
    they failed, and when the next one is. While Temporal does not answer: what the database knows, and how old that is.
    For a refused request: what each host lacked, and the earliest time with room, as known then.

    \b
    Examples:
      vclab why 1f3k9
      vclab why 1f3k9 --json
    """
    found, zone = run(_ask(client_of(context, as_user), r))
    if json:
        say_json(reservations.why.document(found))
    elif isinstance(found, RefusedPlace):
        print_refused(found, zone)
    else:
        Explanation(found, zone).print()


async def _ask(client: Client, r: str) -> tuple[RefusedPlace | Explained, ZoneInfo]:
    return await client.call(reservations.why, Named(reservation=r)), await zone_for(client)


def print_refused(refused: RefusedPlace, zone: ZoneInfo) -> None:
    """A request that found no place."""
    now = utc_now()
    start = f", from {clock(refused.start, zone, now)} on" if refused.start else ""
    what = f"{refused.image} for {refused.user}, {format_duration(refused.seconds)}{start}"
    fields(
        [
            ("Request", f"{refused.id}: {what}"),
            ("Reason", refused.reason),
            ("Earliest", _ahead(refused.earliest, zone, now) or ("not known" if refused.candidates else "")),
            ("Refused", _ago(refused.at, zone, now)),
        ]
    )
    _print_candidates(refused.candidates)


def _print_candidates(candidates: Sequence[Candidate]) -> None:
    if candidates:
        say("")
    for names, lacks in _alike(candidates):
        say(f"{names}\n    " + "\n    ".join(lacks))


def _alike(candidates: Sequence[Candidate]) -> list[tuple[str, tuple[str, ...]]]:
    """Candidates that lack the same are named together: a large lab has hundreds."""
    of: dict[tuple[str, ...], list[str]] = {}
    for candidate in candidates:
        of.setdefault(candidate.lacks, []).append(candidate.name)
    more = {lacks: f" and {len(names) - _NAMED} more" * (len(names) > _NAMED) for lacks, names in of.items()}
    return [(", ".join(names[:_NAMED]) + more[lacks], lacks) for lacks, names in of.items()]


class Explanation:
    """Why a reservation is where it is, for people in their zone."""

    def __init__(self, found: Explained, zone: ZoneInfo) -> None:
        self._found = found
        self._zone = zone
        self._now = utc_now()

    def print(self) -> None:
        """The cause first; then what was seen, and what can be done."""
        found, helpless = self._found, self._found.waits_for_help
        pairs = [
            ("Reservation", f"{found.id}: {found.image} for {found.user}"),
            ("State", Word.NEEDS_HELP if helpless else sentence(found, self._now)),
            ("Reason", found.reason or "" if helpless else ""),
            *self._live(),
            *(pair for each in found.activities for pair in self._activity(each)),
            *((("Failed load", self._failed(n))) for n in range(len(found.failures))),
            ("Remark", "" if helpless or found.ended else found.reason or ""),
            ("Beware", found.suspect.text if found.suspect else ""),
        ]
        fields(pairs)
        if found.no_place:
            say(f"\nNo other place ({self._ago(found.no_place.at)}): {found.no_place.reason}")
            _print_candidates(found.no_place.candidates)
        if found.waits_for_help:
            self._print_help()

    def _live(self) -> Pairs:
        """What its workflow says, or else how old the store's knowledge is."""
        found, live = self._found, self._found.now
        if live and live.word:
            return [
                ("Waits for", live.waits_for or ""),
                ("Since", self._ago(live.since)),
                ("Until", self._ahead(live.until)),
                ("Then", live.then or ""),
                ("No progress", live.why_not or ""),
            ]
        if found.over:
            return []
        why_not = (live.why_not if live else None) or found.activities_not_asked or ""
        known = ("Known from", f"the database, {self._ago(found.known_at)}")
        return [("No live answer", why_not), known, *self._attempt(found.last_step)]

    def _activity(self, each: Activity) -> Pairs:
        state = f"attempt {each.attempt} runs" if each.runs else f"waits for attempt {each.attempt}"
        since = f", {self._ago(each.since)}" if each.runs and each.since else ""
        failed = f", {self._ago(each.failed_at)}" if each.failed_at else ""
        return [
            ("Activity", f"{each.name}: {state}{since}"),
            ("Progress", each.progress or "" if each.runs else ""),
            ("Last attempt", f"{each.last_failure}{failed}" if each.last_failure else ""),
            ("Next attempt", self._ahead(each.next_attempt)),
            ("Gives up", self._ahead(each.given_up)),
        ]

    def _attempt(self, attempt: Attempt | None) -> Pairs:
        """The newest step of the load, from the log."""
        if attempt is None:
            return []
        how = f"{attempt.outcome} {self._ago(attempt.ended)}" if attempt.ended else "not ended"
        detail = f": {attempt.detail}" if attempt.detail else ""
        step = f"{attempt.number}/{attempt.count} {attempt.title}, attempt {attempt.attempt}"
        return [("Last step", f"{step}, started {self._ago(attempt.started)}; {how}{detail}")]

    def _failed(self, number: int) -> str:
        failure = self._found.failures[number]
        return f"{failure.cause} ({failure.step} on {failure.host}, {self._ago(failure.at)})"

    def _print_help(self) -> None:
        if self._found.evidence is None:
            say(f"\nAn operator is asked for help; `vclab end {self._found.id}` cancels it")
            return
        say("")
        print_evidence(self._found.evidence)
        say(resolve_hint(self._found.id, bool(self._found.becomes)))

    def _ago(self, moment: datetime | None) -> str:
        return _ago(moment, self._zone, self._now)

    def _ahead(self, moment: datetime | None) -> str:
        return _ahead(moment, self._zone, self._now)


def _ago(moment: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    if moment is None:
        return ""
    seconds = (now - moment).total_seconds()
    return f"{clock(moment, zone, now)} ({format_duration(seconds)} ago)" if seconds >= 1 else "just now"


def _ahead(moment: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    if moment is None:
        return ""
    seconds = (moment - now).total_seconds()
    return clock(moment, zone, now) + (f" (in {format_duration(seconds)})" if seconds >= 1 else "")
