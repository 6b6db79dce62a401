"""The Temporal server of lab and tests, for the tests of clocks: each workflow has a virtual clock of its own."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from temporalio.client import Client

from vclab.lab import tools
from vclab.lab.parts import temporal_server

SHORT_RUNS = "short-runs"
"""A namespace in which the server suggests a new run after 120 events already."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


# workflowIdReuseMinimalInterval: a run that follows another within a second would wait for its first task, and time
# would be skipped without it. numConsecutive…: a workflow is called stuck after 2 failures, not after a minute.
SETTINGS = (
    "history.workflowIdReuseMinimalInterval=0s",
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2",
    f"limit.historyCount.suggestContinueAsNew@{SHORT_RUNS}=120",
)


class TimeServer:
    """The server as a child process."""

    def __init__(self, folder: Path, namespaces: Sequence[str] = ()) -> None:
        """``namespaces``: beside "default" and ``SHORT_RUNS``."""
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        self._log = folder / "server.log"
        words = temporal_server(tools.temporal(), self.address, folder / "temporal.db")
        words += ("-log-level", "error", *(f"-set={setting}" for setting in SETTINGS))
        self._words = (*words, *(f"-namespace={name}" for name in (SHORT_RUNS, *namespaces)))
        self.start()

    def start(self) -> None:
        """Start it, also after ``kill``: what it has recorded stays."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(self._words, stdout=output, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait(20)

    async def client(self, within: float = 30.0, namespace: str = "default") -> Client:
        """A client."""
        deadline = time.monotonic() + within
        while True:
            try:
                return await Client.connect(self.address, namespace=namespace)
            except RuntimeError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the time server did not start: {self._log.read_text()[-2000:]}") from None
                await asyncio.sleep(0.2)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)
