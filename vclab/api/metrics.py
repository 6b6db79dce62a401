"""The API server's page for Prometheus (docs/metrics.md)."""

from datetime import timedelta

from vclab.api.log import Observe
from vclab.temporal import metrics


def observer(address: str) -> Observe:
    """Who counts requests for the page at ``http://ADDRESS/metrics``. Raises ``Unreachable`` when it can't be there."""
    runtime = metrics.serve(address)
    words = "Requests by route and kind of answer"
    seconds = runtime.metric_meter.create_histogram_timedelta("vclab_api_request", words, "duration")

    def observe(route: str, status: int, took: float) -> None:
        """Routes are few: whatever nobody offers has none."""
        assert runtime  # it serves the page as long as somebody has it
        seconds.record(timedelta(seconds=took), {"route": route or "none", "status": f"{status // 100}xx"})

    return observe
