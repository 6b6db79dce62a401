"""What activities count for Prometheus, on the page of the SDK's own metrics (``vclab/temporal/metrics.py``).

Labels name kinds of things only: steps, outcomes, records. Never a reservation, a person, a computer or a host.
``docs/metrics.md`` has them all.
"""

from datetime import timedelta

from temporalio import activity
from temporalio.common import MetricMeter


def load_loaded() -> None:
    """A load came to its end, for a reservation or in the background."""
    _count("vclab_loads", "Loads by outcome", outcome="loaded")


def load_failed(step: str) -> None:
    """A load failed in this step for good; it may go on in another place, or with an operator's help."""
    _count("vclab_loads", "Loads by outcome", outcome="failed")
    _count("vclab_load_failures", "Failed loads by the step that failed", step=step)


def ready_after(seconds: float) -> None:
    """A person's computer is ready so long after it was asked for, or after its start."""
    _time("vclab_ready_wait", "Waits for a ready computer", seconds)


def step_ended(step: str, outcome: str, seconds: float) -> None:
    """An attempt of a step ended."""
    _time("vclab_step", "Attempts of steps", seconds, step=step, outcome=outcome)


def record_tried() -> None:
    """Count a record that is tried again: the database did not answer before."""
    if activity.in_activity() and activity.info().attempt > 1:
        _count("vclab_records_retried", "Records tried again", record=activity.info().activity_type)


def look_begins(late: float) -> None:
    """A look at a computer begins, so many seconds after it was due."""
    _time("vclab_look_late", "How late looks begin", max(0.0, late))


def look_failed() -> None:
    """A computer could not be looked at."""
    _count("vclab_looks_failed", "Looks at computers that did not answer")


def computers_watched(count: int) -> None:
    """So many computers are watched by this worker now, by looks of this activity's kind."""
    _meter().create_gauge("vclab_computers_watched", "By this worker").set(count)


def _count(name: str, description: str, **labels: str) -> None:
    _meter(**labels).create_counter(name, description).add(1)


def _time(name: str, description: str, seconds: float, **labels: str) -> None:
    _meter(**labels).create_histogram_timedelta(name, description).record(timedelta(seconds=seconds))


def _meter(**labels: str) -> MetricMeter:
    """That of the activity; where none runs, because a test calls, one that counts nothing."""
    meter = activity.metric_meter() if activity.in_activity() else MetricMeter.noop
    return meter.with_additional_attributes(labels) if labels else meter
