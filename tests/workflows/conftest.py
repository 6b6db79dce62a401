"""One time-skipping server for all; a worker with a scripted world and a store of its own for each test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper, TimeSkippingConfig
from temporalio.worker import Worker

import worker
from activities.drivers import Drivers
from tests.fakes import FakeGuest, FakeLent, FakeModule, FakeText, World
from tests.people import People
from tests.temporal_server import TimeServer
from vclab.model import ids
from vclab.model.catalog import Endpoint, IdentityPool, Image, User
from vclab.model.inventory import HostFacts
from vclab.model.messages import Acknowledge, workflow_id
from vclab.model.reservations import ReservationView, ReserveRequest
from vclab.power.control import Power
from vclab.settings import Settings
from vclab.store import catalog, reservations
from vclab.store.engine import Store, open_store
from vclab.temporal import search_attributes

QUEUE = Settings().temporal.workflow_queue
IMAGE = Image("debian-12", "Debian 12", 1, "vsphere", "linux", 1, 1024, 8)
ENDPOINT = Endpoint("vc", "vsphere", "https://127.0.0.1/sdk", "u", "endpoint/vc", "00")


@pytest.fixture(scope="session")
async def time_client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of the time-skipping server."""
    server = TimeServer(tmp_path_factory.mktemp("time-server"))
    try:
        client = await server.client()
        await registered(client)
        yield client
    finally:
        server.stop()


async def registered(client: Client, seconds: float = 60.0) -> None:
    """Have the server know our search attributes, which it does not at once when it has begun."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await search_attributes.register(client)
            except RPCError:
                await asyncio.sleep(0.2)


class Life:
    """A lab with one scripted host, and one reservation in it."""

    def __init__(self, client: Client, store: Store, guest: FakeGuest, build: Callable[[], list[Worker]]) -> None:
        self.skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
        self.client = self.skipper.client
        self.reservations = People(self.client, QUEUE, store)
        self.operator = self.reservations.of("olga", operator=True)
        self.store = store
        self.guest, self.world = guest, guest.world
        self.id = ids.new_id()
        self._build = build
        self._workers = AsyncExitStack()

    async def start_worker(self) -> None:
        """The worker comes up."""
        for one in self._build():
            await self._workers.enter_async_context(one)

    async def stop_worker(self) -> None:
        """The worker goes down: the next one knows only what is in the histories."""
        await self._workers.aclose()

    async def reserve(
        self,
        hours: float = 1.0,
        image: str = "debian-12",
        operator: bool = False,
        start: datetime | None = None,
        imaging: bool = False,
        capture_at_end: bool = False,
    ) -> None:
        """Place it; an operator may pass the limits."""
        request = ReserveRequest(self.id, "alice", image, hours * 3600, start=start)
        self.request = replace(request, imaging=imaging, capture_at_end=capture_at_end)
        await (self.operator if operator else self.reservations).reserve(self.request)

    async def ready(self, hours: float = 1.0) -> None:
        """Place it and wait until it is ready."""
        await self.reserve(hours)
        await self.until("reserved")

    async def in_use(self, hours: float = 1.0) -> None:
        """Place it, connect."""
        self.world.connected = [True]
        await self.ready(hours)
        await self.reservations.acknowledge(self.id, Acknowledge("203.0.113.101"))
        await self.until("inuse")

    @property
    def handle(self) -> WorkflowHandle[object, object]:
        """Its workflow."""
        return self.client.get_workflow_handle(workflow_id(self.id))

    async def skip(self, **delta: float) -> None:
        """Let time pass for it, once it has begun the waits that this time is for."""
        await self.settled()
        await self.skipper.fast_forward(self.handle, timedelta(**delta))

    async def settled(self, handle: WorkflowHandle[Any, Any] | None = None) -> None:
        """Wait (in real time) until it only waits: for a clock, a message, or an activity that a test holds."""
        async with asyncio.timeout(60):
            before = 0
            while True:
                now = (await (handle or self.handle).describe()).raw_description
                at_work = now.HasField("pending_workflow_task") or not all(map(self._waits, now.pending_activities))
                length = now.workflow_execution_info.history_length
                if not at_work and length == before:
                    return
                before = length
                await asyncio.sleep(0.02)

    def _waits(self, activity: PendingActivityInfo) -> bool:
        """It is between two attempts, or held by the test."""
        return activity.HasField("next_attempt_schedule_time") or activity.activity_type.name in self.world.hold

    async def until(self, *states: str, seconds: float = 60.0) -> ReservationView:
        """Wait (in real time) until the store says that it is in one of these states."""
        try:
            await self.when(lambda: getattr(self.view(), "state", None) in states, seconds)
        except TimeoutError:
            pytest.fail(f"{self.view()} is not {states}")
        view = self.view()
        assert view is not None
        return view

    async def when(self, fact: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait (in real time) for something to be so. Raises ``TimeoutError``."""
        async with asyncio.timeout(seconds):
            while not fact():
                await asyncio.sleep(0.02)

    def view(self) -> ReservationView | None:
        """The store's projection."""
        with self.store.read() as session:
            return reservations.view(session, self.id)


def seed(store: Store) -> None:
    """One image, one endpoint, two people, some identities."""

    def fill(session: Session) -> None:
        catalog.put_user(session, User("alice", 20001))
        catalog.put_user(session, User("bob", 20002))
        catalog.put_image(session, IMAGE)
        catalog.put_endpoint(session, ENDPOINT)
        catalog.put_pool(session, IdentityPool("vm", 5))

    store.migrate()
    store.run(fill)


@asynccontextmanager
async def living(client: Client, folder: Path, changes: Mapping[str, Any]) -> AsyncIterator[Life]:
    """The worker's own code with scripted drivers; ``changes``: waits that are not as usual. What is left running at
    the end is terminated."""
    waits = {"spare": 0, **changes}
    settings = Settings(
        database=f"sqlite:///{folder}/vclab.db",
        limits={"at_once": 3},
        looks=waits.pop("looks", {"kept": False}),  # a kept look would stop the clock of its workflow
        affiliations=waits.pop("affiliations", {}),
        waits=waits,
    )
    store = open_store(settings.database)
    seed(store)
    world = World()
    guest = FakeGuest(world)
    drivers = Drivers(
        {"vsphere": FakeModule(world), "standalone": FakeLent(world), "text-file": FakeText(world)},
        {"linux": guest},
        power=Power(lambda reference: ""),
    )
    life = Life(client, store, guest, lambda: worker.build(client, settings, store, drivers))
    await life.start_worker()
    try:
        yield life
        with suppress(RPCError):
            await life.handle.terminate("the test is over")
    finally:
        await life.stop_worker()
    store.close()


def add_lab_machine(life: Life) -> None:
    """One that is lent, with an image of its own."""

    def fill(session: Session) -> None:
        catalog.put_endpoint(session, Endpoint("labs", "standalone", "", "", "", ""))
        catalog.put_image(session, replace(IMAGE, name="lab-debian", module="standalone"))
        catalog.put_lab_computer(session, "lab01", endpoint="labs", address="10.77.0.31")

    life.store.run(fill)
    life.world.hosts += (HostFacts("lab01", 0, 0),)


@pytest.fixture
async def life(time_client: Client, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Life]:
    """A life, with the waits that the test is parametrized with."""
    async with living(time_client, tmp_path, getattr(request, "param", {})) as life:
        yield life
