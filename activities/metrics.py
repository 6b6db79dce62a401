"""What activities count for Prometheus, on the page of the SDK's own metrics (``vclab/temporal/metrics.py``).

Labels name kinds of things only: steps, outcomes, records. Never a reservation, a person, a computer or a host.
``docs/metrics.md`` has them all.
"""

from contextlib import suppress
from datetime import timedelta

from temporalio import activity


def load_ended(loaded: bool) -> None:
    """A load came to its end, for a reservation or in the background."""
    _count("vclab_loads", "Loads by outcome", outcome="loaded" if loaded else "failed")


def load_failed(step: str) -> None:
    """A load failed in this step for good; it may go on in another place, or with an operator's help."""
    _count("vclab_load_failures", "Failed loads by the step that failed", step=step)


def ready_after(seconds: float) -> None:
    """A person's computer is ready so long after it was asked for, or after its start."""
    with suppress(RuntimeError):
        histogram = activity.metric_meter().create_histogram_timedelta("vclab_ready_wait", "Waits for a ready computer")
        histogram.record(timedelta(seconds=seconds))


def step_ended(step: str, outcome: str, seconds: float) -> None:
    """An attempt of a step ended."""
    with suppress(RuntimeError):
        meter = activity.metric_meter().with_additional_attributes({"step": step, "outcome": outcome})
        meter.create_histogram_timedelta("vclab_step", "Attempts of steps").record(timedelta(seconds=seconds))


def record_tried() -> None:
    """Count a record that is tried again: the database did not answer before."""
    with suppress(RuntimeError):
        if activity.info().attempt > 1:
            _count("vclab_records_retried", "Records tried again", record=activity.info().activity_type)


def look_begins(late: float) -> None:
    """A look at a computer begins, so many seconds after it was due."""
    with suppress(RuntimeError):
        histogram = activity.metric_meter().create_histogram_timedelta("vclab_look_late", "How late looks begin")
        histogram.record(timedelta(seconds=max(0.0, late)))


def look_failed() -> None:
    """A computer could not be looked at."""
    _count("vclab_looks_failed", "Looks at computers that did not answer")


def computers_watched(count: int) -> None:
    """So many computers are watched by this worker now, by looks of this activity's kind."""
    with suppress(RuntimeError):
        activity.metric_meter().create_gauge("vclab_computers_watched", "By this worker").set(count)


def _count(name: str, description: str, **labels: str) -> None:
    with suppress(RuntimeError):  # no activity runs: a test has called
        meter = activity.metric_meter().with_additional_attributes(labels)
        meter.create_counter(name, description).add(1)
