"""What a set-up's Temporal server has and lacks. Every function raises ``Unreachable`` when it does not answer."""

import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    DescribeNamespaceRequest,
    GetSystemInfoRequest,
    QueryWorkflowRequest,
)
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from vclab.model.errors import NotFound
from vclab.temporal.refusals import failed
from vclab.temporal.schedules import RECONCILE
from vclab.temporal.search_attributes import KEYS

SECONDS = timedelta(seconds=5)
QUERY_SECONDS = timedelta(seconds=2)
T = TypeVar("T")


async def server_version(client: Client) -> str:
    """The server's version, e.g. "1.29.1"."""
    answer = await _asked(client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=SECONDS))
    return answer.server_version


async def retention_days(client: Client) -> float:
    """How long the namespace keeps the histories of what has ended. Raises ``NotFound`` when there is no such one."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    answer = await _asked(client.workflow_service.describe_namespace(request, timeout=SECONDS))
    return answer.config.workflow_execution_retention_ttl.seconds / 86400


async def missing_search_attributes(client: Client) -> list[str]:
    """Those that vclab needs and the namespace does not know."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    known = await _asked(client.operator_service.list_search_attributes(request, timeout=SECONDS))
    return [key.name for key in KEYS if key.name not in known.custom_attributes]


async def reconciles(client: Client) -> bool:
    """Whether the reconciler's schedule is there and not paused."""
    return await runs(client, RECONCILE)


async def runs(client: Client, schedule: str) -> bool:
    """Whether that schedule is there and not paused."""
    try:
        description = await _asked(client.get_schedule_handle(schedule).describe(rpc_timeout=SECONDS))
    except NotFound:
        return False
    return not description.schedule.state.paused


async def refuses_early_queries(client: Client) -> bool:
    """Whether a query that meets a workflow task is refused at once (``history.MaxBufferedQueryCount: 0``).

    Else this SDK may answer it while a local activity runs, and the history can't be replayed.
    """
    async with _probe(client) as handle:
        query = QueryWorkflowRequest(
            namespace=client.namespace, execution=_execution(handle), query=WorkflowQuery(query_type="status")
        )
        try:
            await client.workflow_service.query_workflow(query, timeout=QUERY_SECONDS)
        except RPCError as error:
            return error.status is RPCStatusCode.RESOURCE_EXHAUSTED
    return False


async def known_as(client: Client) -> str:
    """Who we are to the server, by its own means, as it writes into what we cause: "olga (operator)". Empty when it
    writes nothing there, and so knows of no signal who sent it."""
    async with _probe(client) as handle:
        history = await _asked(handle.fetch_history(rpc_timeout=SECONDS))
        principal = history.events[0].principal
        return f"{principal.name} ({principal.type})" if principal.name else ""


@asynccontextmanager
async def _probe(client: Client) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """A workflow on a queue of its own, whose first task no worker takes; it is deleted again."""
    name = f"vclab-doctor-{uuid.uuid4().hex}"
    handle = await _asked(client.start_workflow("Probe", id=name, task_queue=name, execution_timeout=10 * SECONDS))
    try:
        yield handle
    finally:
        deletion = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=_execution(handle))
        await _asked(client.workflow_service.delete_workflow_execution(deletion, timeout=SECONDS))


def _execution(handle: WorkflowHandle[Any, Any]) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=handle.id, run_id=handle.first_execution_run_id or "")


async def _asked(call: Awaitable[T]) -> T:
    try:
        return await call
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound(error.message) from None
        raise failed(error.message) from None
