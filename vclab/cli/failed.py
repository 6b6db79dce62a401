"""Steps and loads that failed, for people."""

from zoneinfo import ZoneInfo

from vclab.cli.output import fields, say
from vclab.cli.times import clock, utc_now
from vclab.contract.failures import FailedStep


def print_failed_load(step: FailedStep, zone: ZoneInfo) -> None:
    """A computer whose background load failed, and what can be done about it."""
    name = step.computer
    fields(
        [
            ("Computer", f"{name}: out of service, its load failed"),
            ("Cause", step.cause),
            ("Failed", f"{step_name(step)}, {clock(step.at, zone, utc_now())}"),
            ("Machine", f"power {step.power}"),
        ]
    )
    print_evidence(step)
    say(f"`vclab computer reload {name}` loads it again; `vclab computer edit {name} --maintenance` takes it out")


def step_name(step: FailedStep) -> str:
    """``step 4, Power on``."""
    return f"step {step.number}, {step.title}" if step.number else step.title


def print_evidence(step: FailedStep) -> None:
    """What was seen when the step had failed."""
    for title, lines in (("Endpoint", step.endpoint), ("Console", step.console), ("Not seen", step.missing)):
        if lines:
            say(f"{title}:")
            say("\n".join(f"  {line}" for line in lines))
