"""What a reservation's workflow does now, read from the server's description of it.

That costs no workflow task and needs no worker, so any number of people may read it as often as they like.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from vclab.model import reported
from vclab.model.messages import Published, StatusView
from vclab.model.states import ReservationState, word

OFTEN = 2
"""A task that was tried more often fails by a bug of ours. One that a killed worker left is tried twice."""


@dataclass(frozen=True)
class Observation:
    """One look at a reservation's workflow."""

    status: StatusView | None  #: None: it has published nothing yet
    task: str = ""  #: its workflow task that runs: what that changes is published when it is done
    waiting: tuple[str, ...] = ()  #: what no worker has taken up yet, each by a name of its own
    failing: int = 0  #: attempts of a task that fails again and again

    def unsettled(self, before: "Observation") -> bool:
        """What ran or waited ``before`` still does: a later look may show more."""
        return not self.failing and (bool(self.task and self.task == before.task) or self._waits_since(before))

    def unattended(self, before: "Observation") -> str:
        """Why no worker seems to run it: what waits now waited ``before`` already. Else empty."""
        if self.failing:
            return f"a task of its workflow fails again and again, {self.failing} times by now"
        if self._waits_since(before):
            return "no worker has taken up its next task yet: either none runs, or all are busy"
        return ""

    def _waits_since(self, before: "Observation") -> bool:
        return bool(set(self.waiting) & set(before.waiting))


def observe(described: DescribeWorkflowExecutionResponse, published: Published | None) -> Observation:
    """What the server's description says; ``published`` is what the memo has."""
    task, waiting = described.pending_workflow_task, []
    name = f"task {task.original_scheduled_time.ToJsonString()}" if described.HasField("pending_workflow_task") else ""
    if task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED:
        waiting.append(name)
    for each in described.pending_activities:
        scheduled = each.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
        if scheduled and not each.HasField("next_attempt_schedule_time"):  # else it waits for its time
            waiting.append(f"activity {each.activity_id} {each.attempt}")
    status = _status(published, described.pending_activities) if published else None
    return Observation(status, name, tuple(waiting), task.attempt if task.attempt > OFTEN else 0)


def _status(published: Published, activities: Iterable[PendingActivityInfo]) -> StatusView:
    """While a load runs, its running step is the pending activity of that name."""
    numbers = {step.name: number for number, step in enumerate(published.steps, start=1)}
    for each in activities:
        if each.activity_type.name in numbers:
            return _at_step(published, numbers[each.activity_type.name], each)
    return replace(published.status, steps=len(published.steps)) if published.steps else published.status


def _at_step(published: Published, number: int, running: PendingActivityInfo) -> StatusView:
    step, until = published.steps[number - 1], _time(running.expiration_time)
    since = _time(running.scheduled_time)
    if running.attempt > 1 and until is not None:  # the server no longer knows when its first attempt was scheduled
        first = until - timedelta(seconds=step.ceiling)
        since = max(first, published.status.since or first)
    usual = [each.usual for each in published.steps]
    return replace(
        published.status,
        word=word(ReservationState(published.status.state), number, len(published.steps)),
        step=number,
        steps=len(published.steps),
        waits_for=step.title,
        since=since,
        until=until,
        seconds_left=sum(usual[number - 1 :]) if all(usual) else 0.0,
        reason=published.status.reason or _progress(running),
    )


def _progress(running: PendingActivityInfo) -> str:
    """What its newest heartbeat tells people: "120 of 188 MiB written"; empty: nothing."""
    payloads = running.heartbeat_details.payloads
    try:
        return reported.line(json.loads(payloads[0].data)) if payloads else ""
    except ValueError:
        return ""


def _time(stamp: Timestamp) -> datetime | None:
    return stamp.ToDatetime(UTC) if stamp.seconds > 0 else None
