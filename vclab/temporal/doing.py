"""What a reservation's workflow is doing just now, as the server knows it: it answers without a worker too."""

from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from vclab.model.errors import NotFound, Unreachable
from vclab.model.messages import workflow_id


@dataclass(frozen=True)
class Doing:
    """An activity that runs, or waits for its next attempt."""

    name: str
    attempt: int
    runs: bool  #: an attempt is under way; else the next one is waited for
    since: datetime | None  #: when the attempt began, or the last one
    last_failure: str  #: what the last attempt said; empty at the first
    failed_at: datetime | None
    next_attempt: datetime | None
    given_up: datetime | None  #: when there are no more attempts; None: never
    progress: str  #: what it said last while it ran


async def doing(client: Client, reservation: str) -> list[Doing]:
    """The pending activities. Raises ``NotFound`` when there is no such workflow, ``Unreachable``."""
    try:
        described = await client.get_workflow_handle(workflow_id(reservation)).describe()
        pending = described.raw_description.pending_activities
        return [_doing(each, await _progress(client, each)) for each in pending]
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound("the reservation's workflow is not there any more") from None
        raise Unreachable(f"the Temporal server failed: {error.message}") from None


async def _progress(client: Client, pending: PendingActivityInfo) -> str:
    """The text of the newest heartbeat."""
    payloads = pending.heartbeat_details.payloads
    if not payloads:
        return ""
    (text,) = await client.data_converter.decode(payloads[:1], [str])
    return str(text)


def _doing(pending: PendingActivityInfo, progress: str) -> Doing:
    runs = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    following = _time(pending, "next_attempt_schedule_time") or _time(pending, "scheduled_time")
    return Doing(
        name=pending.activity_type.name,
        attempt=max(pending.attempt, 1),
        runs=runs,
        since=_time(pending, "last_started_time"),
        last_failure=pending.last_failure.message,
        failed_at=_time(pending, "last_attempt_complete_time"),
        next_attempt=None if runs or pending.attempt <= 1 else following,
        given_up=_time(pending, "expiration_time"),
        progress=progress,
    )


def _time(pending: PendingActivityInfo, field: str) -> datetime | None:
    if not pending.HasField(field):  # type: ignore[arg-type]
        return None
    stamp: Timestamp = getattr(pending, field)
    return stamp.ToDatetime(UTC) if stamp.seconds > 0 else None
