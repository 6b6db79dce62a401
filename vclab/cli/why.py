"""``vclab why R``: what a reservation waits for, or why a request was refused."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.follow import ASK, Seen, look, sentence
from vclab.cli.image import failure_json, suspect_json
from vclab.cli.needs_help import tell_evidence, trouble_json
from vclab.cli.output import JsonValue, fields, say, say_json, status_json
from vclab.cli.params import AsUser, Json, ReservationId
from vclab.cli.times import clock, iso, utc_now
from vclab.model.durations import format_duration
from vclab.model.errors import NotFound, Unreachable
from vclab.model.ids import is_id
from vclab.model.reservations import Candidate, FailedStep, RefusedRequest
from vclab.model.states import ReservationState

if TYPE_CHECKING:
    from vclab.model.health import Failure, Suspect
    from vclab.store.load_log import Attempt
    from vclab.temporal.pending_activities import PendingActivity

OVER = (ReservationState.COMPLETE, ReservationState.FAILED)
"""Nothing runs any more: the computer is taken back too."""

_NAMED = 8  #: candidates that are named of those that lack the same


@dataclass(frozen=True)
class _Life:
    """All that is known of why a reservation is where it is."""

    seen: Seen
    doing: "Sequence[PendingActivity]" = ()
    attempt: "Attempt | None" = None  #: of the load, from the database
    failures: "Sequence[Failure]" = ()
    known_at: datetime | None = None  #: the age of what the database says
    not_asked: str = ""  #: why the server did not tell what is tried
    suspect: "Suspect | None" = None  #: its revision
    troubles: Sequence[FailedStep] = ()  #: with their evidence: for operators


def why(context: typer.Context, r: ReservationId, json: Json = False, as_user: AsUser = "") -> None:
    """Tell why a reservation is where it is, or why a request was refused.

    What it waits for, since when, until when, and what happens then; what is tried, how often, why it failed and when
    it is tried again; and when nobody works on it. When Temporal does not answer, what the database knows, and how old
    that is. For a request that was refused: each candidate with what it lacked, and the earliest time that would fit,
    by what was promised then.

    \b
    Examples:
      vclab why 1f3k9
      vclab why 1f3k9 --json
    """
    lab = lab_of(context, as_user)
    refused = _refused(lab, r)
    if refused is not None:
        if json:
            say_json(refused_json(refused))
        else:
            _tell_refused(lab, refused)
        return
    life = _life(lab, r)
    if json:
        say_json(_json(life))
    else:
        _tell(lab, life)


def _refused(lab: Lab, r: str) -> RefusedRequest | None:
    """The actor's refused request of that id, or anybody's for an operator; None if it is no such id."""
    if not is_id(r) or lab.records.view(r) is not None:
        return None
    found = lab.records.refused(r)
    return found if found and (lab.actor.operator or found.user == lab.actor.login) else None


def _life(lab: Lab, r: str) -> _Life:
    if any(computer.name == r for computer in lab.records.computers()):
        raise NotFound(f"{r} is a computer, and no reservation; `vclab computer show {r}` tells why it is where it is")
    view = lab.reservation(r)  # raises NotFound, also for other people's
    seen, not_asked = Seen(view), ""
    doing: Sequence[PendingActivity] = ()
    if view.state not in OVER:
        seen, doing, not_asked = asyncio.run(_ask(lab, r))
    attempt, failures = lab.records.last_attempt(r), lab.records.failures(r)
    suspects = {each.revision: each for each in lab.records.suspects(view.image)}
    troubles = lab.records.troubles(r) if lab.actor.operator else ()
    moments = [event.at for event in lab.records.events(r)[-1:]]
    if attempt is not None:
        moments.append(attempt.ended_at or attempt.started_at)
    known_at = max(moments, default=view.created)
    return _Life(seen, doing, attempt, failures, known_at, not_asked, suspects.get(view.revision), troubles)


async def _ask(lab: Lab, r: str) -> "tuple[Seen, list[PendingActivity], str]":
    from vclab.temporal.pending_activities import pending_activities

    seen = await look(lab, r)
    try:
        client = await lab.client(ASK)
        async with asyncio.timeout(ASK):
            return seen, await pending_activities(client, r), ""
    except (Unreachable, NotFound) as error:
        return seen, [], str(error)
    except TimeoutError:
        return seen, [], "the Temporal server does not answer"


# --- for people -----------------------------------------------------------------------------------------------------


def _tell(lab: Lab, life: _Life) -> None:
    seen, now = life.seen, utc_now()
    status, view = seen.status, seen.view
    pairs = [("Reservation", f"{view.id}: {view.image} for {view.user}"), ("State", sentence(seen, now))]
    if status:
        pairs += [
            ("Waits for", status.waits_for),
            ("Since", _ago(lab, status.since, now)),
            ("Until", _ahead(lab, status.until, now)),
            ("Then", status.then),
            ("Nobody works", seen.why_not),
        ]
    elif not seen.ended or view.state not in OVER:
        pairs += [("No live answer", seen.why_not), ("Known from", f"the database, {_ago(lab, life.known_at, now)}")]
        pairs += _attempt(lab, life.attempt, now)
    for each in life.doing:
        pairs += _doing(lab, each, now)
    for failure in life.failures:
        place = f"on {failure.host}, {_ago(lab, failure.at, now)}"
        pairs.append(("Failed load", f"{failure.step} {place}: {failure.cause}"))
    reason = (status.reason if status else "") or view.reason
    pairs += [("Reason" if seen.ended else "Remark", reason), ("Beware", life.suspect.text() if life.suspect else "")]
    fields(pairs)
    if seen.needs_help and not life.troubles:
        say(f"An operator is asked for help; `vclab end {view.id}` cancels it")
    if seen.needs_help and life.troubles:
        say("")
        tell_evidence(life.troubles[-1])
        say(f"`vclab resolve {view.id} retry` goes on from this step; or `elsewhere`, or `give-up`")


def _doing(lab: Lab, each: "PendingActivity", now: datetime) -> list[tuple[str, str]]:
    state = f"attempt {each.attempt} runs" if each.runs else f"waits for attempt {each.attempt}"
    since = f", {_ago(lab, each.since, now)}" if each.runs and each.since else ""
    failed = f", {_ago(lab, each.failed_at, now)}" if each.failed_at else ""
    return [
        ("Activity", f"{each.name}: {state}{since}"),
        ("Progress", each.progress if each.runs else ""),
        ("Last attempt", f"{each.last_failure}{failed}" if each.last_failure else ""),
        ("Next attempt", _ahead(lab, each.next_attempt, now)),
        ("Given up", _ahead(lab, each.given_up, now)),
    ]


def _attempt(lab: Lab, attempt: "Attempt | None", now: datetime) -> list[tuple[str, str]]:
    """The newest step of the load, from the log."""
    if attempt is None:
        return []
    how = f"{attempt.outcome} {_ago(lab, attempt.ended_at, now)}" if attempt.ended_at else "it had not ended"
    detail = f": {attempt.detail}" if attempt.detail else ""
    step = f"{attempt.number}/{attempt.count} {attempt.title}, attempt {attempt.attempt}"
    return [("Last step", f"{step}, begun {_ago(lab, attempt.started_at, now)}; {how}{detail}")]


def _tell_refused(lab: Lab, refused: RefusedRequest) -> None:
    refusal, now = refused.refusal, utc_now()
    start = f", from {clock(refused.start, lab.zone, now)} on" if refused.start else ""
    fields(
        [
            ("Request", f"{refused.id}: {refused.image} for {refused.user}, {format_duration(refused.seconds)}{start}"),
            ("Refused", _ago(lab, refused.at, now)),
            ("Reason", refusal.reason),
            ("Earliest", _ahead(lab, refusal.earliest, now) or ("not known" if refusal.candidates else "")),
        ]
    )
    if refusal.candidates:
        say("")
        for names, lacks in _alike(refusal.candidates):
            say(f"{names}\n    " + "\n    ".join(lacks))


def _alike(candidates: Sequence[Candidate]) -> list[tuple[str, tuple[str, ...]]]:
    """Candidates that lack the same are told together: a large lab has hundreds."""
    of: dict[tuple[str, ...], list[str]] = {}
    for candidate in candidates:
        of.setdefault(candidate.lacks, []).append(candidate.name)
    more = {lacks: f" and {len(names) - _NAMED} more" * (len(names) > _NAMED) for lacks, names in of.items()}
    return [(", ".join(names[:_NAMED]) + more[lacks], lacks) for lacks, names in of.items()]


def _ago(lab: Lab, moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return ""
    seconds = (now - moment).total_seconds()
    return f"{clock(moment, lab.zone, now)} ({format_duration(seconds)} ago)" if seconds >= 1 else "just now"


def _ahead(lab: Lab, moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return ""
    seconds = (moment - now).total_seconds()
    return clock(moment, lab.zone, now) + (f" (in {format_duration(seconds)})" if seconds >= 1 else "")


# --- for programs ---------------------------------------------------------------------------------------------------


def refused_json(refused: RefusedRequest) -> dict[str, JsonValue]:
    """A refused request for programs."""
    candidates: list[JsonValue] = [{"name": c.name, "lacks": list(c.lacks)} for c in refused.refusal.candidates]
    return {
        "id": refused.id,
        "kind": "refused",
        "user": refused.user,
        "image": refused.image,
        "seconds": refused.seconds,
        "start": iso(refused.start),
        "at": iso(refused.at),
        "reason": refused.refusal.reason,
        "earliest": iso(refused.refusal.earliest),
        "candidates": candidates,
    }


def _json(life: _Life) -> dict[str, JsonValue]:
    view, status = life.seen.view, life.seen.status
    activities: list[JsonValue] = [_plain(asdict(each)) for each in life.doing]
    failures: list[JsonValue] = [failure_json(failure) for failure in life.failures]
    return {
        "id": view.id,
        "kind": "reservation",
        "state": str(view.state),
        "word": status.word if status else view.word,
        "ending": str(view.ending) if view.ending else None,
        "reason": (status.reason if status else "") or view.reason or None,
        "now": status_json(status, life.seen.why_not),
        "known_at": iso(life.known_at),
        "last_step": _plain(asdict(life.attempt)) if life.attempt else None,
        "activities": activities,
        "activities_not_asked": life.not_asked or None,
        "failures": failures,
        "suspect": suspect_json(life.suspect),
        "evidence": trouble_json(life.troubles[-1]) if life.troubles else None,
    }


def _plain(values: dict[str, object]) -> dict[str, JsonValue]:
    """Times as text, and nothing instead of empty texts."""
    plain: dict[str, JsonValue] = {}
    for name, value in values.items():
        if isinstance(value, datetime):
            plain[name] = iso(value)
        elif isinstance(value, (bool, int)):
            plain[name] = value
        else:
            plain[name] = str(value) if value else None
    return plain
