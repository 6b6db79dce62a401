"""What a set-up's Temporal server has and lacks. Every function raises ``Unreachable`` when it does not answer."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from vclab.model.errors import NotFound, Unreachable
from vclab.temporal.schedules import RECONCILE
from vclab.temporal.search_attributes import KEYS

SECONDS = timedelta(seconds=5)
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
    try:
        description = await _asked(client.get_schedule_handle(RECONCILE).describe(rpc_timeout=SECONDS))
    except NotFound:
        return False
    return not description.schedule.state.paused


async def _asked(call: Awaitable[T]) -> T:
    try:
        return await call
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound(error.message) from None
        raise Unreachable(f"the Temporal server failed: {error.message}") from None
