"""The worker's page for Prometheus: the SDK serves it, with its own metrics and ours."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from temporalio.common import MetricMeter
from temporalio.runtime import LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig, TelemetryFilter

from vclab.model.errors import Unreachable

log = logging.getLogger(__name__)
EVERY = 15.0
"""Seconds between two looks at what the gauges show: Prometheus asks no more often."""

_LATE = (0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 300.0)
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 60.0)
_LONG = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)


def serve(address: str) -> Runtime:
    """A runtime whose page is at ``http://ADDRESS/metrics``. Raises ``Unreachable`` when it can't be served there."""
    config = PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={
            "vclab_look_late": _LATE,
            "vclab_step": _LONG,
            "vclab_ready_wait": _LONG,
            "vclab_api_request": _QUICK,
        },
    )
    warnings = TelemetryFilter(core_level="WARN", other_level="ERROR")
    try:
        return Runtime(
            telemetry=TelemetryConfig(metrics=config, attach_service_name=False, logging=LoggingConfig(filter=warnings))
        )
    except (RuntimeError, ValueError) as error:
        text = f"the metrics can't be served at {address} ({error})"
        raise Unreachable(text, "set metrics.address to a free port of this machine") from None


@dataclass(frozen=True)
class Gauge:
    """Numbers by state. ``read`` blocks."""

    name: str
    description: str
    read: Callable[[], Mapping[str, int]]


async def keep_gauges(meter: MetricMeter, gauges: Sequence[Gauge]) -> None:
    """Show what they read until it is cancelled."""
    made = [(meter.create_gauge(each.name, each.description), each.read) for each in gauges]
    while True:
        for gauge, read in made:
            try:
                shown = await asyncio.to_thread(read)
            except Exception as error:  # what is only shown must not end a worker
                log.warning("the last numbers of the metrics stay: %s", error)
                continue
            for state, count in shown.items():
                gauge.set(count, {"state": state})
        await asyncio.sleep(EVERY)
