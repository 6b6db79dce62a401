"""A management node for the tests of acts: a real Temporal server and the real workflows, with a scripted world."""

import asyncio
import subprocess
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any, TypeVar

import pytest
from temporalio.client import Client

import worker
from activities.drivers import Drivers
from activities.reader import Reader
from tests.fakes import FakeGuest, FakeModule, World
from tests.secret_store import secret_store
from tests.temporal_server import free_ports
from vclab.fake_world import World as Pretended
from vclab.lab import tools
from vclab.lab.parts import temporal_server
from vclab.provisioning.base import ProvisioningModule
from vclab.provisioning.fake_metal import FakeMetal
from vclab.provisioning.toy import TextFile
from vclab.settings import Settings, load
from vclab.store.engine import Store, open_store
from vclab.temporal import search_attributes
from vclab.temporal.client import quiet

SETTINGS = """
database = "sqlite:///{folder}/vclab.db"
secrets_dir = "{folder}/secrets"
operators = ["olga"]
temporal.address = "{address}"
limits.shortest = 60
waits.spare = 0
people.alice.address = "198.51.100.1"
people.alice.via = ["{folder}/via"]
people.olga.address = "198.51.100.9"
"""

T = TypeVar("T")


class Node:
    """The server is a child process; the workers run in a thread with a loop of its own."""

    def __init__(self, folder: Path) -> None:
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        self.settings_file = folder / "vclab.toml"
        self.settings_file.write_text(SETTINGS.format(folder=folder, address=self.address))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VCLAB_CONFIG", str(self.settings_file))
            self.settings: Settings = load()
        self.store: Store = open_store(self.settings.database)
        self.store.migrate()
        secret_store(folder / "secrets")
        self.world, self.pretended = World(), Pretended()
        self.folder, self._port = folder, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._workers = AsyncExitStack()
        self._server = self._start_server()
        self._call(self._prepare())

    def _start_server(self) -> "subprocess.Popen[bytes]":
        words = temporal_server(tools.temporal(), self.address, self.folder / "temporal.db")
        with (self.folder / "server.log").open("wb") as log:
            return subprocess.Popen(words, stdout=log, stderr=log)

    async def _prepare(self) -> None:
        client = await self._client()
        await search_attributes.register(client)

    async def _client(self) -> Client:
        deadline = time.monotonic() + 30
        while True:
            try:
                return await Client.connect(
                    self.address, runtime=quiet()
                )  # its warnings would be among what is printed
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)

    def start_worker(self) -> None:
        """The product's own workers, with scripted drivers; the toy module is the real one, and pretended metal."""

        async def start() -> None:
            reader = Reader(self.store)
            toy = TextFile(self.settings.installation, reader.endpoint, reader.group)
            metal = FakeMetal(self.pretended, self.settings.installation, reader.group)
            modules: dict[str, ProvisioningModule] = {"vsphere": FakeModule(self.world)}
            modules |= {toy.name: toy, metal.name: metal}
            drivers = Drivers(modules, {"linux": FakeGuest(self.world)})
            for each in worker.build(await self._client(), self.settings, self.store, drivers):
                await self._workers.enter_async_context(each)

        self._call(start())

    def stop_worker(self) -> None:
        """No worker polls any more."""

        async def stop() -> None:
            await self._workers.aclose()
            self._workers = AsyncExitStack()

        self._call(stop())

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server takes connections, and says nothing."""
        self._server.send_signal(SIGSTOP)
        try:
            yield
        finally:
            self._server.send_signal(SIGCONT)

    def stop(self) -> None:
        """End it all."""
        self.stop_worker()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._server.terminate()
        self._server.wait(20)
        self.store.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)
