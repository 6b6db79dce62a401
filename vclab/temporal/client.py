"""Messages to workflows, and what the server knows of them. Methods raise vclab's errors, never Temporal's."""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import temporalio.exceptions
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest
from temporalio.client import (
    ActivityFailureError,
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError, RPCStatusCode

from vclab.model import messages
from vclab.model.enquiries import AskEndpoint
from vclab.model.errors import TEMPORAL, NotFound, Refused, Unreachable, VclabError
from vclab.model.inspections import Inspected
from vclab.model.life import ReservationInput
from vclab.model.messages import (
    Acknowledge,
    Capture,
    Dismiss,
    Done,
    End,
    Extend,
    Inspect,
    Placement,
    Published,
    Reboot,
    Reinstall,
    Reload,
    Reschedule,
    Resolve,
    StatusView,
    computer_workflow,
    console_workflow,
    copy_removal_workflow,
    copy_workflow,
    inspection_workflow,
    looks_queue,
    power_workflow,
    site_queue,
    workflow_id,
)
from vclab.model.power import PowerSeen, PowerVerb, Switch
from vclab.model.reservations import ReserveRequest
from vclab.model.retention import Forget, Forgotten
from vclab.model.revisions import Wanted
from vclab.settings import TemporalSettings
from vclab.temporal.connection import Connection, connection
from vclab.temporal.converter import CONVERTER
from vclab.temporal.live_status import Observation, observe
from vclab.temporal.refusals import failed, no_namespace, refusal, short

_CLOSED = "AcceptedUpdateCompletedWorkflow"  # the server's name for an update that its run did not finish
ANSWER_SECONDS = 60.0
"""How long an act waits for its answer."""
SILENCE = 5.0
"""Seconds without an answer after which the server itself is asked whether it is there; and its time to say so."""
POWER_SECONDS = 360.0
"""The same, of switching a computer: its BMC may be slow, and busy."""

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds between two looks at a workflow whose task is under way; the last one goes on."""

MOST_NAMED = 20
"""How many stuck workflows are named."""

T = TypeVar("T")
Act = Acknowledge | Capture | Extend | Reschedule | Reboot | Reinstall | Resolve | End


class _Again(Unreachable):
    """The server wants to be asked again: the run that was asked is closing, or the server has too much to do."""


async def connect(settings: TemporalSettings, timeout: float = 10.0, runtime: Runtime | None = None) -> Client:
    """A client that the server lets into the namespace.

    Raises ``Unreachable``, with the address, the cause and the cure, when it does not within ``timeout`` seconds; and
    ``Refused`` when the settings can't be meant.
    """
    tried = _connection(settings)
    try:
        async with asyncio.timeout(timeout):
            client = await _client(tried, runtime)
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=tried.namespace))
    except RPCError as error:
        raise no_namespace(tried) if error.status is RPCStatusCode.NOT_FOUND else refusal(error, tried) from None
    except (RuntimeError, TimeoutError) as error:
        raise refusal(error, tried) from None
    return client


async def lets_in_strangers(settings: TemporalSettings, timeout: float = 5.0) -> bool:
    """Whether the server lets in who shows neither a certificate nor a token. Raises ``Refused`` as ``connect``."""
    ours = _connection(settings)
    nobody = replace(
        ours, tls=replace(ours.tls, certificate=None, key=None) if ours.tls else None, token="", metadata={}
    )
    try:
        async with asyncio.timeout(timeout):
            client = await _client(nobody, quiet())
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=nobody.namespace))
    except (RPCError, RuntimeError, TimeoutError):
        return False
    return True


def _connection(settings: TemporalSettings) -> Connection:
    try:
        return connection(settings)
    except ValueError as error:
        raise Refused(f"settings: {error}") from None


async def _client(tried: Connection, runtime: Runtime | None) -> Client:
    return await Client.connect(
        tried.address,
        namespace=tried.namespace,
        tls=tried.tls_config(),
        api_key=tried.token or None,
        rpc_metadata=tried.metadata,
        data_converter=CONVERTER,
        runtime=runtime,
    )


@cache
def quiet() -> Runtime:
    """For programs that people read: without the log lines of the SDK's core about each call that it repeats.

    One for the whole process: each has its own threads.
    """
    errors = TelemetryFilter(core_level="ERROR", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=errors)))


class Reservations:
    """Acts on reservations. ``_call`` maps every error; ``_update`` asks again while a new run begins."""

    def __init__(self, client: Client, queue: str) -> None:
        """``queue``: where workflows are started (``temporal.workflow_queue`` of the settings)."""
        self._client = client
        self._queue = queue

    async def reserve(self, request: ReserveRequest, timeout: float = 60.0) -> Placement:
        """Start a reservation and wait until it is placed. Repeating it with the same id is harmless.

        Raises:
            Refused: it can't be placed; the text names every candidate and what it lacks.
            Unreachable: the server or its workers do not answer; the reservation may still be placed later.
        """
        start: WithStartWorkflowOperation[Any, str] = WithStartWorkflowOperation(
            messages.WORKFLOW,
            ReservationInput(request),
            id=workflow_id(request.id),
            task_queue=self._queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            static_summary=f"{request.image} for {request.user}",
        )
        try:
            return await self._call(
                lambda: self._client.execute_update_with_start_workflow(
                    messages.PLACE, start_workflow_operation=start, result_type=Placement
                ),
                timeout,
            )
        finally:
            await _let_go(start.workflow_handle())

    async def acknowledge(self, reservation: str, message: Acknowledge) -> Done:
        """Connect: open the computer to an address. Returns when recorded; ``status`` tells when access is open."""
        return await self._update(reservation, messages.ACKNOWLEDGE, message)

    async def extend(self, reservation: str, message: Extend) -> Done:
        """Move the end. Raises ``Refused`` with the latest end that is possible."""
        return await self._update(reservation, messages.EXTEND, message)

    async def reschedule(self, reservation: str, message: Reschedule) -> Done:
        """Move the start. Raises ``Refused`` with what stands in the way."""
        return await self._update(reservation, messages.RESCHEDULE, message)

    async def reboot(self, reservation: str, message: Reboot) -> Done:
        """Restart the computer; answered at once."""
        return await self._update(reservation, messages.REBOOT, message)

    async def capture(self, reservation: str, message: Capture) -> Done:
        """Capture the computer; answered at once. Raises ``Refused`` when it can't be."""
        return await self._update(reservation, messages.CAPTURE, message)

    async def reinstall(self, reservation: str, message: Reinstall) -> Done:
        """Bring the computer back to its image; answered at once. Raises ``Refused`` when it can't be."""
        return await self._update(reservation, messages.REINSTALL, message)

    async def resolve(self, reservation: str, message: Resolve) -> Done:
        """Go on with a load that waits for help. Raises ``Refused`` when it does not."""
        return await self._update(reservation, messages.RESOLVE, message)

    async def end(self, reservation: str, message: End) -> Done:
        """End it now; the user's view ends at once, the computer is taken back afterwards."""
        return await self._update(reservation, messages.END, message)

    async def status(self, reservation: str, timeout: float = 5.0) -> StatusView:
        """What runs and what is waited for. Raises ``NotFound`` once it has ended, ``Unreachable``."""
        status, why_not = await self.look(reservation, timeout)
        if status is None:
            raise Unreachable(why_not)
        return status

    async def look(self, reservation: str, timeout: float = 5.0) -> tuple[StatusView | None, str]:
        """What runs and what is waited for, from the server's description of the workflow: no workflow task, no query.

        Also why no worker seems to run it, else empty. A workflow task that runs is waited for, up to ``timeout``
        seconds: so this is never behind the database. Raises ``NotFound`` once it has ended, ``Unreachable``.
        """
        handle = self._client.get_workflow_handle(workflow_id(reservation))
        deadline = time.monotonic() + timeout
        pauses = itertools.chain(PAUSES, itertools.repeat(PAUSES[-1]))
        first = now = await self._call(lambda: self._live(handle), timeout)
        while now.unsettled(first) and time.monotonic() + (pause := next(pauses)) < deadline:
            await asyncio.sleep(pause)
            now = await self._call(lambda: self._live(handle), timeout)
        return now.status, now.unattended(first) or ("" if now.status else "its workflow has published nothing yet")

    async def _live(self, handle: WorkflowHandle[Any, Any]) -> Observation:
        """One look at the workflow. Raises ``NotFound`` when it runs no more."""
        described = await handle.describe()
        if described.status is WorkflowExecutionStatus.CONTINUED_AS_NEW:
            return Observation(None, task="the next run begins")
        if described.status is not WorkflowExecutionStatus.RUNNING:
            raise NotFound("the reservation has ended")
        published = await described.memo_value(messages.LIVE_STATUS, None, type_hint=Published)
        return observe(described.raw_description, published)

    async def reload(self, message: Reload) -> None:
        """Load a computer that nobody holds; returns when that is begun. Raises ``Refused`` when it is done already."""

        async def start() -> None:
            try:
                await self._client.start_workflow(
                    messages.LOAD, message, id=computer_workflow(message.computer), task_queue=self._queue
                )
            except WorkflowAlreadyStartedError:
                raise Refused(f"{message.computer} is being loaded already", "`vclab computer list` shows it") from None

        await self._call(start, ANSWER_SECONDS)

    async def switch(self, message: Switch) -> PowerSeen:
        """Switch a computer, or tell its power; waits until that is seen. Raises ``Refused``, also when it is being
        switched already, and ``Unreachable`` when its BMC, or a worker at its site, does not answer."""

        listens = message.verb is PowerVerb.CONSOLE

        async def ask() -> PowerSeen:
            try:
                handle = await self._client.start_workflow(
                    messages.POWER,
                    message,
                    id=(console_workflow if listens else power_workflow)(message.computer),
                    task_queue=self._queue,
                    result_type=PowerSeen,
                )
            except WorkflowAlreadyStartedError:
                what = "listened to" if listens else "switched"
                hint = "--take ends that" if listens else "try again when that has ended"
                raise Refused(f"{message.computer} is being {what} already", hint) from None
            seen: PowerSeen = await handle.result()
            return seen

        return await self._call(ask, POWER_SECONDS + message.soft_seconds + message.listen_seconds)

    async def ask_endpoint(self, message: AskEndpoint) -> str:
        """Have a worker of its site log in to an endpoint and look; what it reports, as JSON. Raises ``Refused``, and
        ``Unreachable`` when the endpoint, or a worker there, does not answer."""

        async def ask() -> str:
            answer: str = await self._client.execute_activity(
                messages.ASK_ENDPOINT,
                message,
                id=f"ask-{message.endpoint.name}-{secrets.token_hex(8)}",
                task_queue=site_queue(message.endpoint.site),
                result_type=str,
                start_to_close_timeout=timedelta(seconds=ANSWER_SECONDS),
                schedule_to_close_timeout=timedelta(seconds=ANSWER_SECONDS),
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"Ask {message.endpoint.name} for an administrator",
            )
            return answer

        return await self._call(ask, ANSWER_SECONDS + 5.0)

    async def hang_up(self, computer: str) -> None:
        """Have nobody listen to a computer's console any more; waits until that is so. Harmless when nobody does."""
        handle = self._client.get_workflow_handle(console_workflow(computer))

        async def end() -> None:
            if (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING:
                return
            await handle.cancel()
            with suppress(WorkflowFailureError):
                await handle.result()

        with suppress(NotFound):
            await self._call(end, ANSWER_SECONDS)

    async def inspect(self, message: Inspect) -> None:
        """Have a computer's hardware read; returns when that is begun. Raises ``Refused`` when it is under way."""

        async def start() -> None:
            try:
                await self._client.start_workflow(
                    messages.INSPECTION, message, id=inspection_workflow(message.computer), task_queue=self._queue
                )
            except WorkflowAlreadyStartedError:
                raise Refused(
                    f"{message.computer} is being inspected already",
                    f"`vclab computer inspect {message.computer} --last` follows it",
                ) from None

        await self._call(start, ANSWER_SECONDS)

    async def inspected(self, computer: str) -> Inspected | None:
        """What the newest inspection of a computer has found; None while it runs. Raises ``Refused`` when it could not
        be inspected, and why; ``NotFound`` when no inspection is known any more; ``Unreachable``."""
        handle = self._client.get_workflow_handle(inspection_workflow(computer), result_type=Inspected)

        async def ask() -> Inspected | None:
            if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
                return None
            found: Inspected = await handle.result()
            return found

        try:
            return await self._call(ask, ANSWER_SECONDS)
        except NotFound:
            raise NotFound(f"no inspection of {computer} is known any more") from None

    async def copy(self, wanted: Wanted) -> None:
        """Have a copy of an image made; returns when that is begun. Harmless when it is under way."""
        await self._begin(messages.COPY, wanted, copy_workflow(wanted))

    async def remove_copy(self, wanted: Wanted) -> None:
        """Have a copy deleted that is retiring; returns when that is begun. Harmless when it is under way."""
        await self._begin(messages.COPY_REMOVAL, wanted, copy_removal_workflow(wanted))

    async def _begin(self, workflow: str, wanted: Wanted, id: str) -> None:
        async def start() -> None:
            await self._client.start_workflow(
                workflow,
                wanted,
                id=id,
                task_queue=self._queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )

        await self._call(start, ANSWER_SECONDS)

    async def dismiss(self, message: Dismiss) -> None:
        """Take a reservation that failed off the list; returns when that is recorded."""

        async def record() -> None:
            await self._client.execute_workflow(
                messages.DISMISSAL,
                message,
                id=f"dismissal-{message.reservation}",
                task_queue=self._queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )

        await self._call(record, ANSWER_SECONDS)

    async def forget(self, message: Forget) -> Forgotten:
        """Forget a person, and wait until that is done. Raises ``Refused``, ``NotFound``, ``Unreachable``."""

        async def run() -> Forgotten:
            done: Forgotten = await self._client.execute_workflow(
                messages.FORGETTING,
                message,
                id=f"forget-{message.intent}",
                task_queue=self._queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                result_type=Forgotten,
            )
            return done

        return await self._call(run, ANSWER_SECONDS)

    async def _update(self, reservation: str, name: str, message: Act) -> Done:
        """Ask, and again while the workflow continues in a new run. The intent's id makes a repeat harmless."""
        handle = self._client.get_workflow_handle(workflow_id(reservation))
        deadline = time.monotonic() + ANSWER_SECONDS

        def ask() -> Awaitable[Done]:
            return handle.execute_update(name, message, id=f"{name}-{message.intent}", result_type=Done)

        while True:
            try:
                return await self._call(ask, max(deadline - time.monotonic(), 1.0))
            except NotFound:
                if time.monotonic() > deadline or not await self._runs(handle):
                    raise
            except _Again:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)

    async def _runs(self, handle: WorkflowHandle[Any, Any]) -> bool:
        with suppress(RPCError):
            return (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        return False

    async def _call(self, call: Callable[[], Awaitable[T]], timeout: float) -> T:
        """Call the server, with vclab's errors. A cancellation, as by Ctrl-C, stays one: the SDK makes an error of it
        while it waits for an update, and whoever calls would ask again."""
        try:
            return await self._answer(call, timeout)
        except VclabError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError from None
            raise

    async def _answer(self, call: Callable[[], Awaitable[T]], timeout: float) -> T:
        try:
            async with asyncio.timeout(timeout):  # asyncio.wait_for of Python 3.11 may lose a cancellation
                return await self._watched(call())
        except (WorkflowUpdateFailedError, WorkflowFailureError, ActivityFailureError) as error:
            raise _refusal(error) from None
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            await must_be_there(self._client)
            raise Unreachable(
                f"no answer within {timeout:.0f} s",
                "`vclab status` shows whether a worker runs; `vclab doctor` checks its database and disk",
            ) from None
        except WorkflowAlreadyStartedError:
            raise Refused("a reservation of that id has ended already", "reserve again with a new id") from None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
                raise NotFound("the reservation has ended, or there is none of that id") from None
            if error.status in (RPCStatusCode.RESOURCE_EXHAUSTED, RPCStatusCode.FAILED_PRECONDITION):
                raise _Again(f"the Temporal server asks for patience: {short(error)}") from None
            raise failed(short(error)) from None

    async def _watched(self, call: Awaitable[T]) -> T:
        """What the call returns. A server that is gone is noticed early: the SDK would ask it again until the end."""
        asked = asyncio.ensure_future(call)
        try:
            done, _ = await asyncio.wait([asked], timeout=SILENCE)
            if not done:
                await must_be_there(self._client)
            return await asked
        finally:
            await _end(asked)


async def must_be_there(client: Client) -> None:
    """Raises ``Unreachable`` when the server itself does not answer."""
    server = client.service_client
    try:
        async with asyncio.timeout(SILENCE):  # that of the SDK does not count while it connects
            await server.check_health(timeout=timedelta(seconds=SILENCE))
    except (RPCError, RuntimeError, TimeoutError) as error:
        raise Unreachable(
            f"the Temporal server at {server.config.target_host} does not answer ({short(error)})",
            "`vclab list` and `vclab show` still work; `vclab doctor` tells what is missing",
            part=TEMPORAL,
        ) from None


async def _end(task: "asyncio.Future[Any]") -> None:
    """Cancel it, and look at its error: asyncio prints unseen ones."""
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


async def _let_go(started: Awaitable[object]) -> None:
    """Look at the start's result: the update has raised its error, but asyncio prints unseen ones at the end."""
    start = asyncio.ensure_future(started)
    await asyncio.wait([start], timeout=0.1)
    if not start.cancel() and not start.cancelled():
        start.exception()


def _refusal(error: WorkflowUpdateFailedError | WorkflowFailureError | ActivityFailureError) -> Exception:
    cause = error.cause
    if isinstance(cause, ActivityError) and cause.cause is not None:
        cause = cause.cause  # its record failed
    if isinstance(cause, ApplicationError):
        if cause.type == _CLOSED:
            return _Again("the workflow continued in a new run before it answered")
        if cause.type == "Unreachable":
            return Unreachable(cause.message)
        return Refused(cause.message)
    if isinstance(cause, temporalio.exceptions.TimeoutError):
        return Unreachable("no worker of its site has answered", "`vclab status` shows whether one runs")
    return Refused(short(cause))


@dataclass(frozen=True)
class QueueHealth:
    """One task queue and how many workers poll it."""

    name: str
    pollers: Mapping[str, int]  #: by what is needed there: "workflows", "activities"

    @property
    def ok(self) -> bool:
        """Whether somebody polls for all that is needed."""
        return all(self.pollers.values())

    def text(self) -> str:
        """How many workers poll for what, or what none polls for."""
        missing = [kind for kind, number in self.pollers.items() if not number]
        if missing:
            return f"no worker polls it for {' and '.join(missing)}"
        return ", ".join(f"{number} poller{'s' * (number != 1)} of {kind}" for kind, number in self.pollers.items())


async def queue_health(client: Client, workflow_queue: str, sites: Iterable[str]) -> list[QueueHealth]:
    """Who polls the queues that vclab needs: that of the workflows and those of the sites. Raises ``Unreachable``."""
    needed: dict[str, tuple[str, ...]] = {workflow_queue: ("workflows", "activities")}
    for site in sites:
        queues = site_queue(site), site_queue(site, long=True), looks_queue(site)
        needed |= {queue: ("activities",) for queue in queues if queue not in needed}
    return [
        QueueHealth(name, {kind: await _pollers(client, name, kind) for kind in kinds})
        for name, kinds in needed.items()
    ]


async def _pollers(client: Client, queue: str, kind: str) -> int:
    kinds = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=kinds[kind == "activities"],
    )
    try:
        answer = await client.workflow_service.describe_task_queue(request, timeout=timedelta(seconds=5))
    except RPCError as error:
        raise failed(short(error)) from None
    return len(answer.pollers)


@dataclass(frozen=True)
class Failing:
    """Workflows whose task fails again and again. ``known``: whether the server can tell."""

    workflows: tuple[str, ...] = ()
    known: bool = True

    def text(self) -> str:
        """What was found, for people."""
        if not self.known:
            return "not known which are stuck: the Temporal server is older than 1.30"
        if not self.workflows:
            return "none is stuck"
        more = " and more" if len(self.workflows) == MOST_NAMED else ""
        stuck = f"{', '.join(self.workflows)}{more}: a task fails again and again; their machines are left alone"
        return f"{stuck}; README.md, “When a reservation stands still”, tells what to do"


async def failing_workflows(client: Client) -> Failing:
    """Workflows whose task fails again and again: a bug. Their machines are left alone until it is fixed.

    The server counts: after five failures in a row, about a minute. A worker that is killed costs one or two.
    """
    stuck = 'ExecutionStatus = "Running" AND TemporalReportedProblems IS NOT NULL'
    try:
        return Failing(tuple([found.id async for found in client.list_workflows(stuck, limit=MOST_NAMED)]))
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            return Failing(known=False)
        raise failed(short(error)) from None
