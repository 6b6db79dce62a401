"""The pending activities of a reservation's workflow. The server knows them, so this needs no worker."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from vclab.model.errors import NotFound, Unreachable
from vclab.model.messages import copy_workflow, workflow_id
from vclab.model.revisions import Wanted
from vclab.temporal.refusals import failed

_PERCENT = re.compile(r"\b(\d{1,3}) %")


@dataclass(frozen=True)
class PendingActivity:
    """An activity that runs, or waits for its next attempt."""

    name: str
    attempt: int
    runs: bool  #: an attempt runs; else it waits for the next one
    since: datetime | None  #: when the attempt began, or the last one
    last_failure: str  #: what the last attempt said; empty at the first
    failed_at: datetime | None
    next_attempt: datetime | None
    given_up: datetime | None  #: when there are no more attempts; None: never
    progress: str  #: the text of its last heartbeat


async def pending_activities(client: Client, reservation: str) -> list[PendingActivity]:
    """Those of a reservation. Raises ``NotFound`` when there is no such workflow, ``Unreachable``."""
    return await pending_in(client, workflow_id(reservation))


async def copied(client: Client, wanted: Wanted) -> tuple[int, datetime] | None:
    """How many percent of a copy are done, and since when it is made; None while nothing is known of that."""
    try:
        found = await pending_in(client, copy_workflow(wanted))
    except (NotFound, Unreachable):
        return None
    for each in found:
        percent = _PERCENT.search(each.progress)
        if percent and each.since:
            return min(int(percent[1]), 100), each.since
    return None


async def said_by(client: Client, workflow: str) -> str:
    """What an activity of the workflow said last of how far it is, or why it is tried again; empty: nothing."""
    try:
        found = await pending_in(client, workflow)
    except (NotFound, Unreachable):
        return ""
    said = (each.progress if each.runs and each.progress else each.last_failure for each in found)
    return next(filter(None, said), "")


async def pending_in(client: Client, workflow: str) -> list[PendingActivity]:
    """Those of a workflow. Raises ``NotFound`` when there is no such workflow, ``Unreachable``."""
    try:
        described = await client.get_workflow_handle(workflow).describe()
        pending = described.raw_description.pending_activities
        return [_of(each, await _progress(client, each)) for each in pending]
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound("the workflow is not there any more") from None
        raise failed(error.message) from None


async def _progress(client: Client, pending: PendingActivityInfo) -> str:
    """The text of the newest heartbeat."""
    payloads = pending.heartbeat_details.payloads
    if not payloads:
        return ""
    (text,) = await client.data_converter.decode(payloads[:1], [str])
    return str(text)


def _of(pending: PendingActivityInfo, progress: str) -> PendingActivity:
    runs = pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    following = _time(pending, "next_attempt_schedule_time") or _time(pending, "scheduled_time")
    return PendingActivity(
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
