"""A real Temporal server (1.32) on SQLite for the tests of clocks: each workflow has a virtual clock of its own."""

import asyncio
import socket
import subprocess
import time
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

CONFIG = """
log: {{stdout: true, level: error}}
persistence:
  defaultStore: store
  visibilityStore: visibility
  numHistoryShards: 1
  datastores:
    store: &sqlite
      sql:
        user: ""
        password: ""
        pluginName: sqlite
        databaseName: "{folder}/store.db"
        connectAddr: localhost
        connectProtocol: tcp
        connectAttributes: {{setup: "true", journal_mode: wal, synchronous: "1"}}
        maxConns: 1
        maxIdleConns: 1
        maxConnLifetime: 1h
    visibility:
      sql:
        user: ""
        password: ""
        pluginName: sqlite
        databaseName: "{folder}/visibility.db"
        connectAddr: localhost
        connectProtocol: tcp
        connectAttributes: {{setup: "true", journal_mode: wal, synchronous: "1"}}
        maxConns: 1
        maxIdleConns: 1
        maxConnLifetime: 1h
global:
  membership: {{maxJoinDuration: 30s, broadcastAddress: "127.0.0.1"}}
services:
  frontend: {{rpc: {{grpcPort: {p[0]}, membershipPort: {p[1]}, bindOnLocalHost: true, httpPort: {p[2]}}}}}
  matching: {{rpc: {{grpcPort: {p[3]}, membershipPort: {p[4]}, bindOnLocalHost: true}}}}
  history: {{rpc: {{grpcPort: {p[5]}, membershipPort: {p[6]}, bindOnLocalHost: true}}}}
  worker: {{rpc: {{grpcPort: {p[7]}, membershipPort: {p[8]}, bindOnLocalHost: true}}}}
clusterMetadata:
  enableGlobalNamespace: false
  failoverVersionIncrement: 10
  masterClusterName: active
  currentClusterName: active
  clusterInformation:
    active:
      enabled: true
      initialFailoverVersion: 1
      rpcName: frontend
      rpcAddress: "127.0.0.1:{p[0]}"
      httpAddress: "127.0.0.1:{p[2]}"
dcRedirectionPolicy: {{policy: noop}}
dynamicConfigClient: {{filepath: "{folder}/dynamic.yaml", pollInterval: 60s}}
"""

# timerProcessorMaxTimeShift: without it each timer fires up to a second late. workflowIdReuseMinimalInterval: a run
# that follows another within a second would wait for its first task, and time would be skipped without it.
DYNAMIC = """
frontend.WorkflowTimeSkippingEnabled: [{value: true}]
history.transferProcessorMaxPollRPS: [{value: 2000}]
history.timerProcessorMaxPollRPS: [{value: 2000}]
history.visibilityProcessorMaxPollRPS: [{value: 2000}]
history.outboundProcessorMaxPollRPS: [{value: 2000}]
history.timerProcessorMaxTimeShift: [{value: 1ms}]
system.enableActivityEagerExecution: [{value: true}]
history.workflowIdReuseMinimalInterval: [{value: 0s}]
limit.historyCount.suggestContinueAsNew: [{value: 4096}, {value: 120, constraints: {namespace: "short-runs"}}]
"""

SHORT_RUNS = "short-runs"
"""A namespace in which the server suggests a new run after 120 events already."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class TimeServer:
    """The server as a child process."""

    def __init__(self, binary: Path, folder: Path) -> None:
        ports = free_ports(9)
        self.address = f"127.0.0.1:{ports[0]}"
        (folder / "server.yaml").write_text(CONFIG.format(folder=folder, p=ports))
        (folder / "dynamic.yaml").write_text(DYNAMIC)
        with (folder / "server.log").open("wb") as output:
            self._process = subprocess.Popen(
                [binary, "--config-file", folder / "server.yaml", "--allow-no-auth", "start"],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
        self._log = folder / "server.log"

    async def client(self, within: float = 30.0, namespace: str = "default") -> Client:
        """A client, with its namespace made."""
        deadline = time.monotonic() + within
        while True:
            try:
                client = await Client.connect(self.address, namespace=namespace)
                await self._namespace(client)
                return client
            except (RuntimeError, RPCError):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the time server did not start: {self._log.read_text()[-2000:]}") from None
                await asyncio.sleep(0.2)

    async def _namespace(self, client: Client) -> None:
        from google.protobuf.duration_pb2 import Duration
        from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest

        try:
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
        except RPCError:
            retention = Duration(seconds=86400)
            await client.workflow_service.register_namespace(
                RegisterNamespaceRequest(namespace=client.namespace, workflow_execution_retention_period=retention)
            )

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)
