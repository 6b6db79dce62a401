"""Temporal behind certificates: who may do what, what nobody may, and who is written down as the sender of a signal."""

import asyncio
import http.client
import json
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.api.batch.v1 import BatchOperationSignal, BatchOperationTermination
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    ListNamespacesRequest,
    PollActivityTaskQueueRequest,
    ResetWorkflowExecutionRequest,
    StartBatchOperationRequest,
)
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateRPCTimeoutOrCancelledError, WorkflowUpdateStage
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from tests.temporal_server import free_ports
from vclab.lab import tools
from vclab.lab.certificates import Authority
from vclab.lab.layout import UI_PATH
from vclab.lab.parts import temporal_server
from vclab.model.intents import Sender
from vclab.settings import Settings, TemporalSettings
from vclab.temporal import health, schedules, search_attributes
from vclab.temporal.client import connect, lets_in_strangers
from vclab.temporal.connection import connection
from vclab.temporal.senders import sender

ROLES = ("api", "worker", "site", "ui", "operator")
SHORT = timedelta(milliseconds=300)


@dataclass(frozen=True)
class Server:
    """The server with its UI, both on loopback."""

    process: subprocess.Popen[bytes]
    address: str
    ui: str
    folder: Path

    def settings(self, role: str) -> TemporalSettings:
        """With a certificate of that role; "mallory" is signed by somebody else."""
        pair = {"tls_cert": self.folder / f"{role}.pem", "tls_key": self.folder / f"{role}.key"} if role else {}
        return TemporalSettings.model_validate({"address": self.address, "tls_ca": self.folder / "ca.pem", **pair})

    async def client(self, role: str) -> Client:
        """A client with a certificate of that role."""
        return await connect(self.settings(role))

    def ask_ui(self, role: str, method: str, path: str, operator: str = "", body: object = None) -> tuple[int, bytes]:
        """The status and content of the UI's answer. Raises ``OSError`` when it does not let us in."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if role:
            context.load_cert_chain(self.folder / f"{role}.pem", self.folder / f"{role}.key")
        host, _, port = self.ui.rpartition(":")
        connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=20)
        words = {"Cookie": "_csrf=" + "a" * 32, "X-CSRF-Token": "a" * 32, "Content-Type": "application/json"}
        named = {"Vclab-Operator": operator} if operator else {}
        try:
            connection.request(method, UI_PATH + path, None if body is None else json.dumps(body), words | named)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As the lab's own runs."""
    folder = tmp_path_factory.mktemp("roles")
    ca = Authority.of(folder)
    ca.issue("server", addresses=("127.0.0.1",))
    for role in ROLES:
        ca.issue(role, {"operator": "olga", "site": "east"}.get(role, role), role)
    ca.issue("nothing", "nothing")
    ca.issue("several", "several", "root")
    Authority.of(folder, "other").issue("mallory", role="operator")
    address, ui = (f"127.0.0.1:{port}" for port in free_ports(2))
    words = [*temporal_server(tools.temporal(), address, folder / "temporal.db"), "-log-level", "fatal"]
    words += ["-tls-cert", f"{folder}/server.pem", "-tls-key", f"{folder}/server.key"]
    words += ["-tls-client-ca", f"{folder}/ca.pem", "-ui", ui, "-ui-path", UI_PATH]
    words += ["-ui-cert", f"{folder}/ui.pem", "-ui-key", f"{folder}/ui.key"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None and process.stdout.readline().startswith(b"ready")
        yield Server(process, address, ui, folder)
    finally:
        process.terminate()
        process.communicate(timeout=20)


async def begun(client: Client, name: str = "") -> "WorkflowHandle[None, None]":
    """A workflow that no worker takes."""
    id = name or uuid.uuid4().hex
    return await client.start_workflow("Nothing", id=id, task_queue=id, execution_timeout=timedelta(minutes=5))


async def refused(call: Awaitable[object]) -> bool:
    """Whether it was refused for want of rights; other failures are answers."""
    try:
        await call
    except RPCError as error:
        return error.status is RPCStatusCode.PERMISSION_DENIED
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        return False
    return False


def calls(client: Client, there: "WorkflowHandle[None, None]") -> dict[str, Callable[[], Awaitable[object]]]:
    """Things to do, by what they are called here. Those that wait are given up soon."""
    service = client.workflow_service
    handle = client.get_workflow_handle(there.id)
    poll = PollActivityTaskQueueRequest(namespace="default", task_queue=TaskQueue(name="site-east"))
    execution = WorkflowExecution(workflow_id=there.id)
    reset = ResetWorkflowExecutionRequest(namespace="default", workflow_execution=execution)
    return {
        "start": lambda: begun(client),
        "update": lambda: handle.start_update("act", wait_for_stage=WorkflowUpdateStage.ACCEPTED, rpc_timeout=SHORT),
        "query": lambda: handle.query("status", rpc_timeout=SHORT),
        "describe": handle.describe,
        "list": lambda: client.count_workflows(""),
        "history": handle.fetch_history,
        "cancel": handle.cancel,
        "signal": lambda: handle.signal("cancel"),
        "terminate": lambda: client.get_workflow_handle("none").terminate(),
        "reset": lambda: service.reset_workflow_execution(reset),
        "batch": lambda: service.start_batch_operation(_batch(there, terminated=True)),
        "batch of signals": lambda: service.start_batch_operation(_batch(there, terminated=False)),
        "delete": lambda: _deleted(client),
        "poll": lambda: service.poll_activity_task_queue(poll, timeout=SHORT),
        "namespaces": lambda: service.list_namespaces(ListNamespacesRequest()),
        "search attributes": lambda: search_attributes.register(client),
        "schedule": lambda: schedules.ensure(client, Settings()),
    }


def _batch(there: "WorkflowHandle[None, None]", terminated: bool) -> StartBatchOperationRequest:
    """All such workflows are terminated, or else signalled."""
    query, job = f'WorkflowId = "{there.id}"', uuid.uuid4().hex
    asked = StartBatchOperationRequest(namespace="default", visibility_query=query, reason="test", job_id=job)
    if terminated:
        asked.termination_operation.CopyFrom(BatchOperationTermination())
    else:
        asked.signal_operation.CopyFrom(BatchOperationSignal(signal="extend"))
    return asked


async def _deleted(client: Client) -> None:
    request = DeleteWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id="none")
    )
    await client.workflow_service.delete_workflow_execution(request)


MAY = {
    "api": {"start", "update", "query", "describe", "list", "history", "cancel", "search attributes"},
    "worker": {"start", "describe", "history", "poll", "search attributes", "schedule", "delete"},
    "site": {"poll"},
    "ui": set[str](),  # names no operator
    "operator": {
        *("start", "update", "query", "describe", "list", "history", "cancel", "signal", "terminate", "reset"),
        *("batch", "namespaces", "delete", "search attributes", "schedule"),
    },
}


@pytest.mark.parametrize("role", ROLES)
async def test_what_each_role_may(server: Server, role: str) -> None:
    there = await begun(await server.client("operator"))
    client = await Client.connect(server.address, tls=connection(server.settings(role)).tls_config(), lazy=True)
    may = {name for name, call in calls(client, there).items() if not await refused(call())}
    assert may == MAY[role]


async def test_a_site_has_its_own_queues_only(server: Server) -> None:
    @activity.defn
    async def nothing() -> None: ...

    client = await server.client("site")
    for queue in ("site-east", "site-east-long", "looks-east"):
        async with Worker(client, task_queue=queue, activities=[nothing]):
            await asyncio.sleep(0)
    for queue in ("site-west", "looks-west", "site-east-longer", "site-default"):
        poll = PollActivityTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=queue))
        assert await refused(client.workflow_service.poll_activity_task_queue(poll, timeout=SHORT))


@pytest.mark.parametrize("stranger", ["", "mallory", "nothing", "several"])
async def test_strangers_do_nothing(server: Server, stranger: str) -> None:
    """Without a certificate, with one of another authority, with none of our roles: not even a look."""
    client = server.settings(stranger)
    with pytest.raises(Exception, match=r"certificate|refuse|token"):
        await connect(client)


async def test_a_local_account_starts_signals_and_asks_nothing(server: Server) -> None:
    """The server listens on loopback, with ports for its own services too: each wants a certificate of its own."""
    there = await begun(await server.client("operator"))
    ports = _ports(server.process.pid)
    assert len(ports) >= 6  # frontend, its own entrance, history, matching, worker, UI
    frontend, ui = (int(address.rpartition(":")[2]) for address in (server.address, server.ui))
    for port in ports:
        with pytest.raises(RuntimeError):
            await Client.connect(f"127.0.0.1:{port}")
        lets_in = {role for role in ("", *ROLES, "mallory") if _answers(server, port, role)}
        assert lets_in == {frontend: set(ROLES), ui: {"api"}}.get(port, set())
    for role in ("", "operator", "worker", "mallory"):
        with pytest.raises(OSError):
            server.ask_ui(role, "GET", "/api/v1/namespaces/default/workflows", "olga")
    handle = (await server.client("operator")).get_workflow_handle(there.id)
    assert [event.event_type async for event in handle.fetch_history_events()] == [1, 5]  # begun, and its first task


def _answers(server: Server, port: int, role: str) -> bool:
    """Whether HTTP/2 is spoken with us there. The server's certificate does not matter to an attacker."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    if role:
        context.load_cert_chain(server.folder / f"{role}.pem", server.folder / f"{role}.key")
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as talks:
            talks.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
            return bool(talks.recv(1))
    except OSError:
        return False


def _ports(pid: int) -> list[int]:
    """On which a process listens: proc_net_tcp(5)."""
    own = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return [int(f[1].partition(":")[2], 16) for f in lines if f[3] == "0A" and f"socket:[{f[9]}]" in own]


async def test_who_sent_a_signal(server: Server) -> None:
    """What the server knows by the certificate, whatever the sender says of itself; the same of the UI's operators."""
    operator = await server.client("operator")
    there = await begun(operator)
    tls, false = connection(server.settings("operator")).tls_config(), {"vclab-operator": "bob"}
    client = await Client.connect(server.address, tls=tls, identity="vclab-api", rpc_metadata=false)
    await client.get_workflow_handle(there.id).signal("extend", "1h", rpc_metadata={"temporal-principal-name": "eve"})
    path = f"/api/v1/namespaces/default/workflows/{there.id}/signal/extend"
    said = server.ask_ui("api", "POST", path, "carol", {"identity": "mallory", "signalName": "extend"})
    assert said[0] == 200, said
    run = there.first_execution_run_id or ""
    worker = await server.client("worker")
    found = [await sender(worker, there.id, run, "extend", number) for number in (1, 2, 3)]
    assert found == [Sender("olga", "operator"), Sender("carol", "ui"), None]
    assert await sender(worker, there.id, run, "cancel", 1) is None
    events = [event async for event in worker.get_workflow_handle(there.id).fetch_history_events()]
    told = [event.workflow_execution_signaled_event_attributes.identity for event in events]
    assert [name for name in told if name] == ["operator:olga", "ui:carol"]


def test_the_ui_is_for_operators_whom_the_api_names(server: Server) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            status, page = server.ask_ui("api", "GET", "/namespaces/default/workflows", "olga")
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
    assert status == 200 and f'"{UI_PATH}/_app/'.encode() in page
    listed = server.ask_ui("api", "GET", "/api/v1/namespaces/default/workflows", "olga")
    assert listed[0] == 200 and b"executions" in listed[1]
    assert server.ask_ui("api", "GET", "/api/v1/namespaces/default/workflows")[0] == 403
    assert server.ask_ui("api", "POST", "/api/v1/namespaces/default/workflows/x/terminate", body={})[0] == 403


async def test_what_the_doctor_sees(server: Server) -> None:
    settings = server.settings("operator")
    assert not await lets_in_strangers(settings)
    assert await health.known_as(await connect(settings)) == "olga (operator)"
