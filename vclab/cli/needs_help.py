"""``vclab needs-help``: the loads that wait for an operator, each with what could be seen of it."""

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.output import JsonValue, fields, note, reservation_json, say, say_json
from vclab.cli.params import AsUser, Json
from vclab.cli.times import clock, iso, utc_now
from vclab.model.durations import format_duration
from vclab.model.errors import Refused
from vclab.model.reservations import FailedStep, ReservationView


def needs_help(context: typer.Context, json: Json = False, as_user: AsUser = "") -> None:
    """List the reservations and computers that wait for an operator's help.

    A load has failed for good, and one other place did not do or was not to be had. Each is shown with the step, the
    cause, and the evidence: the machine's power, what its endpoint says of it, and its own last lines.
    `vclab resolve` lets one go on; its user can end it at any time. Then come the computers that could not be loaded
    while nobody waited for them.

    \b
    Examples:
      vclab needs-help
      vclab needs-help --json
    """
    lab = lab_of(context, as_user)
    must_be_operator(lab, "needs-help lists what is for operators to mend")
    found, failed = lab.records.waiting_for_help(), lab.records.failed_loads()
    if json:
        waiting: list[JsonValue] = [
            {"kind": "reservation", **reservation_json(view), "failure": trouble_json(trouble)}
            for view, trouble in found
        ]
        computers: list[JsonValue] = [
            {"kind": "computer", "computer": trouble.computer, "failure": trouble_json(trouble)} for trouble in failed
        ]
        say_json([*waiting, *computers])
        return
    if not (found or failed):
        note("Nothing needs help.")
    for number, (view, trouble) in enumerate(found):
        if number:
            say("")
        _describe(lab, view, trouble)
    for number, trouble in enumerate(failed, start=len(found)):
        if number:
            say("")
        tell_failed_load(lab, trouble)


def must_be_operator(lab: Lab, why: str) -> None:
    """Raises ``Refused`` for anybody else."""
    if not lab.actor.operator:
        raise Refused(f"{why}, and {lab.actor.login} is none; the setting `operators` names them")


def trouble_json(trouble: FailedStep) -> dict[str, JsonValue]:
    """A step that failed, for programs."""
    seen = trouble.evidence
    return {
        "at": iso(trouble.at),
        "computer": trouble.computer,
        "generation": trouble.generation,
        "host": trouble.host,
        "step": trouble.step,
        "number": trouble.number,
        "title": trouble.title,
        "cause": trouble.cause,
        "power": seen.power,
        "endpoint": list(seen.endpoint),
        "console": list(seen.console),
        "missing": list(seen.missing),
    }


def _describe(lab: Lab, view: ReservationView, trouble: FailedStep) -> None:
    zone, now, seen = lab.actor.zone, utc_now(), trouble.evidence
    since = view.help_since or trouble.at
    until = f"until {clock(view.help_until, zone, now)}, then it ends as failed" if view.help_until else ""
    waited = format_duration(max(1.0, (now - since).total_seconds()))
    fields(
        [
            ("Reservation", f"{view.id}: {view.image}, revision {view.revision}, for {view.user}"),
            ("Waits", f"since {clock(since, zone, now)} ({waited}), {until}"),
            ("Failed", _step(trouble)),
            ("Cause", trouble.cause),
            ("Then", view.no_other_place),
            ("Machine", f"{trouble.computer} on {trouble.host}, power {seen.power}"),
        ]
    )
    tell_evidence(trouble)
    say(f"`vclab resolve {view.id} retry` goes on from this step; or `elsewhere`, or `give-up`")


def tell_failed_load(lab: Lab, trouble: FailedStep) -> None:
    """A computer that could not be loaded while nobody waited for it, and what can be done."""
    fields(
        [
            ("Computer", f"{trouble.computer}: nobody gets it, for it could not be loaded"),
            ("Failed", f"{_step(trouble)}, {clock(trouble.at, lab.zone, utc_now())}"),
            ("Cause", trouble.cause),
            ("Machine", f"power {trouble.evidence.power}"),
        ]
    )
    tell_evidence(trouble)
    name = trouble.computer
    say(f"`vclab computer reload {name}` loads it again; `vclab computer edit {name} --maintenance` puts it aside")


def _step(trouble: FailedStep) -> str:
    return f"step {trouble.number}, {trouble.title}" if trouble.number else trouble.title


def tell_evidence(trouble: FailedStep) -> None:
    """What was seen when a step had failed."""
    seen = trouble.evidence
    for title, lines in (("Its endpoint", seen.endpoint), ("Its console", seen.console), ("Not seen", seen.missing)):
        if lines:
            say(f"{title}:")
            say("\n".join(f"  {line}" for line in lines))
