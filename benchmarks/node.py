"""What the lifecycle bench works with: a Temporal server with the lab's flags, a store, a worker in its own process."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.orm import Session
from temporalio.client import Client

from benchmarks.node_worker import READY
from benchmarks.processes import cpu_seconds, free_port, memory_bytes
from vclab.lab import tools
from vclab.lab.parts import temporal_server
from vclab.model.catalog import Endpoint, IdentityPool, Image, User
from vclab.store import catalog
from vclab.store.engine import Store, open_store

IMAGE = "fake-image"
USERS = tuple(f"student{number}" for number in range(1, 51))
IDENTITIES = 4096
NOTICES = (1.0, 0.5)  # seconds before the end
LOOK = 0.5  # seconds between two looks
SETTINGS = f"""
installation = "bench"
limits = {{shortest = 1, at_once = 100000}}
claims.turnaround = 0
waits = {{acknowledge = 86400, first_connection = 60, first_connection_look = {LOOK}, inuse_look = 1, reconnect = 60, \
notices = {list(NOTICES)}, spare = 0}}
fake.enabled = true
fake.hosts.fake1 = {{cpus = 1000000, memory_mb = 1000000000}}
fake.hosts.fake2 = {{cpus = 1000000, memory_mb = 1000000000}}
fake.disk_gb = 1000000000
fake.connects_after = 0.3
"""


class Node:
    """A running management node."""

    def __init__(self, client: Client, store: Store, pids: tuple[int, int]) -> None:
        self.client = client
        self.store = store
        self._pids = pids

    def cpu(self) -> float:
        """Seconds of CPU used so far by worker and server; the databases are inside of them."""
        return sum(cpu_seconds(pid) for pid in self._pids)

    def cpu_each(self) -> tuple[float, float]:
        """The same of worker and server by themselves."""
        worker, server = self._pids
        return cpu_seconds(worker), cpu_seconds(server)

    def memory(self) -> tuple[int, int]:
        """Bytes of worker and server."""
        worker, server = self._pids
        return memory_bytes(worker), memory_bytes(server)


@asynccontextmanager
async def running(
    folder: Path, program: str = "benchmarks.node_worker", further: str = "", **environment: str
) -> AsyncIterator[Node]:
    """A node in a folder; ``program``: its worker's, with ``further`` settings and
    environment. Raises ``RuntimeError`` with the log when a part of it does not start."""
    address = f"127.0.0.1:{free_port()}"
    settings = folder / "vclab.toml"
    places = f'database = "sqlite:///{folder}/vclab.db"\nsecrets_dir = "{folder}/secrets"\n'
    settings.write_text(f'{places}temporal.address = "{address}"\n{SETTINGS}{further}')
    store = open_store(f"sqlite:///{folder}/vclab.db")
    store.migrate()
    store.run(seed)
    server = _start(folder / "temporal.log", temporal_server(tools.temporal(), address, folder / "temporal.db"))
    worker: subprocess.Popen[bytes] | None = None
    try:
        client = await _client(address, folder / "temporal.log")
        command = (sys.executable, "-m", program)
        worker = _start(folder / "worker.log", command, VCLAB_CONFIG=str(settings), **environment)
        await _says(worker, folder / "worker.log", READY)
        yield Node(client, store, (worker.pid, server.pid))
    finally:
        for process in (worker, server):
            if process is not None:
                _stop(process)
        store.close()


def seed(session: Session) -> None:
    """People, one image, one endpoint of the fake module, identities."""
    for uid, login in enumerate(USERS, start=20001):
        catalog.put_user(session, User(login, uid))
    catalog.put_image(session, Image(IMAGE, "Fake", 1, "fake", "fake", 1, 1024, 8))
    catalog.put_endpoint(session, Endpoint("fakes", "fake", "fake:", "", "", ""))
    catalog.put_pool(session, IdentityPool("fk", IDENTITIES))


def _start(log: Path, command: Sequence[str], **environment: str) -> "subprocess.Popen[bytes]":
    # As in any installation, compiled modules are kept: the sandbox imports the workflows anew for each of them.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    kept |= {"PYTHONPYCACHEPREFIX": str(log.parent / "compiled")}
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env={**kept, **environment})


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:  # thousands of looks are not handed back in that time
        process.kill()
        process.wait(30)


async def _client(address: str, log: Path) -> Client:
    deadline = time.monotonic() + 120
    while True:
        try:
            return await Client.connect(address)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the Temporal server did not start: {log.read_text()[-1000:]}") from None
            await asyncio.sleep(0.1)


async def _says(process: "subprocess.Popen[bytes]", log: Path, word: str) -> None:
    deadline = time.monotonic() + 120
    while word not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the worker did not start: {log.read_text()[-1000:]}")
        await asyncio.sleep(0.05)
