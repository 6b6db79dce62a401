"""Two sites: what is done at an endpoint is done by a worker of its own site, and no other one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

import worker
from activities.drivers import Drivers
from activities.reconcile import Strays
from tests.fakes import GUEST_STEPS, STEPS, FakeGuest, FakeModule, World
from tests.people import People
from tests.workflows.conftest import ENDPOINT, IMAGE, QUEUE, seed
from vclab.model import messages
from vclab.model.catalog import Endpoint
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.inventory import DatastoreFacts, Inventory, MachineFacts, Machines
from vclab.model.messages import Acknowledge, End, Reload, workflow_id
from vclab.model.plans import NodeStatus, Plan, StepInput, Target
from vclab.model.reservations import Placed, ReservationView, ReserveRequest
from vclab.model.states import ReservationState
from vclab.model.steps import BlockingStep, StepContext
from vclab.settings import Settings
from vclab.store import catalog, placement, reservations
from vclab.store.engine import Store, open_store
from workflows.reconcile import Reconcile

NORTH = replace(ENDPOINT, name="vc-north", site="north")
ROOM = Endpoint("room", "fake-metal", "", "", "", "", site="north")
OS = replace(IMAGE, name="os", module="fake-metal", root_access=False)


@dataclass
class Site:
    """The drivers of one site, and what they were asked to do at which endpoint."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    world: World = field(default_factory=World)

    def drivers(self) -> Drivers:
        """Of its worker."""
        modules = {"vsphere": Module(self.world, self.asked), "fake-metal": Metal(self.world, self.asked)}
        return Drivers(modules, {"linux": FakeGuest(self.world)})

    def endpoints(self) -> set[str]:
        """Those that were asked."""
        return {endpoint for _, endpoint in self.asked}

    def did(self) -> set[str]:
        """What was asked for."""
        return {what for what, _ in self.asked}


class Module(FakeModule):
    """Notes which endpoint is asked."""

    def __init__(self, world: World, asked: list[tuple[str, str]]) -> None:
        super().__init__(world)
        self._asked = asked

    def survey(self, endpoint: str) -> Inventory:
        """Noted."""
        self._asked.append(("survey", endpoint))
        return super().survey(endpoint)

    def machines(self, endpoint: str) -> Machines:
        """Noted; each endpoint has a machine that nobody holds."""
        self._asked.append(("machines", endpoint))
        return Machines(endpoint, (MachineFacts(endpoint, f"stray-{endpoint}", endpoint, "r", "vm09", 9, True),))

    def node_status(self, target: Target) -> NodeStatus:
        """Noted."""
        self._asked.append(("node_status", target.endpoint))
        return super().node_status(target)

    def remove(self, context: StepContext, target: Target) -> None:
        """Noted."""
        self._asked.append(("remove", target.endpoint))
        super().remove(context, target)

    def _step(self, context: StepContext, given: StepInput) -> object:  # type: ignore[override]
        self._asked.append((given.step, given.target.endpoint))
        return super()._step(context, given)


class Metal(Module):
    """The same with another name; its plan has the other one's steps."""

    name = "fake-metal"

    def load_plan(self, target: Target, status: NodeStatus) -> Plan:
        """Of them, one long one."""
        return Plan((*STEPS[:2], *GUEST_STEPS), status)

    def steps(self) -> Mapping[str, BlockingStep]:
        """None of its own."""
        return {}


@dataclass
class Lab:
    """Two sites, ``default`` with the workflows and ``north``, and a worker of each."""

    client: Client
    skipper: TimeSkipper
    store: Store
    settings: Settings
    home: Site = field(default_factory=Site)
    north: Site = field(default_factory=Site)

    def view(self, reservation: str) -> ReservationView | None:
        """The store's projection."""
        with self.store.read() as session:
            return reservations.view(session, reservation)

    async def round(self) -> Strays:
        """One round of the reconciler."""
        name = f"reconcile-{new_id()}"
        return await self.client.execute_workflow(Reconcile.run, id=name, task_queue=QUEUE)


@pytest.fixture
async def lab(time_client: Client, tmp_path: Path) -> AsyncIterator[Lab]:
    """With the worker of ``default`` running."""
    settings = Settings(database=f"sqlite:///{tmp_path}/vclab.db", waits={"spare": 0}, limits={"at_once": 9})
    store = open_store(settings.database)
    seed(store)

    def fill(session: Session) -> None:
        catalog.put_image(session, OS)
        catalog.put_endpoint(session, NORTH)
        catalog.put_endpoint(session, ROOM)
        catalog.put_lab_computer(session, "metal1", endpoint=ROOM.name, address="10.77.0.31")

    store.run(fill)
    skipper = TimeSkipper(time_client, config=TimeSkippingConfig(enabled=False))
    made = Lab(skipper.client, skipper, store, settings)
    async with AsyncExitStack() as stack:
        for each in worker.build(time_client, settings, store, made.home.drivers()):
            await stack.enter_async_context(each)
        yield made
    store.close()


@pytest.fixture
async def north(lab: Lab, time_client: Client) -> AsyncIterator[Site]:
    """The worker of ``north``."""
    settings = lab.settings.model_copy(update={"site": "north", "roles": ("site",)})
    async with AsyncExitStack() as stack:
        for each in worker.build(time_client, settings, lab.store, lab.north.drivers()):
            await stack.enter_async_context(each)
        yield lab.north


def placed_at(lab: Lab, endpoint: str) -> str:
    """A reservation that holds a machine there, and whose workflow is gone."""
    facts = Inventory(endpoint, datetime.now(UTC), lab.home.world.hosts, (DatastoreFacts("ds1", 500, 500),))
    request = ReserveRequest(new_id(), "alice", IMAGE.name, 3600)
    rules, now = lab.settings.rules(), datetime.now(UTC)
    placed = lab.store.run(lambda session: placement.place(session, request, Author("alice"), (facts,), rules, now))
    assert isinstance(placed, Placed), placed
    return request.id


async def test_a_round_asks_each_site_and_takes_back_where_the_machine_is(lab: Lab, north: Site) -> None:
    lost = {placed_at(lab, NORTH.name), placed_at(lab, ENDPOINT.name)}
    found = await lab.round()
    assert set(found.reclaimed) == lost
    assert set(found.reported) == {"stray-vc", "stray-vc-north", "stray-room"}
    assert found.not_asked == ()
    for one in lost:
        await lab.client.get_workflow_handle(f"reclaim-{one}").result()
    assert sorted(lab.home.asked) == [("machines", "vc"), ("remove", "vc"), ("survey", "vc")], "datastores may fill"
    assert north.endpoints() == {"vc-north", "room"}
    assert ("remove", "vc-north") in north.asked


async def test_a_load_is_done_at_the_computers_site(lab: Lab, north: Site) -> None:
    reload = await People(lab.client, QUEUE, lab.store, "olga", operator=True).by_hand(Reload("metal1", OS.name))
    said = await lab.client.execute_workflow(messages.LOAD, reload, id=f"load-{new_id()}", task_queue=QUEUE)
    assert said == "metal1 holds os, revision 1"
    assert {"remove", "node_status", "vsphere.copy_disk"} <= north.did()
    assert north.endpoints() == {"room"}
    assert lab.home.asked == []
    assert "linux.post_load" in north.world.done
    assert lab.home.world.done == []


async def test_a_site_without_a_worker_holds_up_no_other_one(lab: Lab) -> None:
    name = f"reconcile-{new_id()}"
    handle = await lab.client.start_workflow(Reconcile.run, id=name, task_queue=QUEUE)
    await lab.skipper.fast_forward(handle, timedelta(minutes=1))
    found = await handle.result()
    assert found.reported == ("stray-vc",)
    assert found.not_asked == ("site north: no worker took it up",)
    assert lab.home.endpoints() == {"vc"}


async def test_a_reservation_is_placed_and_loaded_at_the_site_that_has_room(lab: Lab, north: Site) -> None:
    lab.home.world.survey_error = "the vCenter is being upgraded"
    await People(lab.client, QUEUE, lab.store).reserve(request := ReserveRequest(new_id(), "alice", IMAGE.name, 3600))
    async with asyncio.timeout(30):
        while (view := lab.view(request.id)) is None or view.state != "reserved":
            await asyncio.sleep(0.05)
    assert (view.endpoint, lab.home.did()) == (NORTH.name, {"survey"})
    assert {"survey", "node_status", "vsphere.copy_disk"} <= north.did()
    await lab.client.get_workflow_handle(workflow_id(request.id)).terminate("the test is over")


async def test_nobody_waits_for_a_site_without_a_worker(lab: Lab) -> None:
    """It is left out after ten seconds."""
    request = ReserveRequest(new_id(), "alice", IMAGE.name, 3600)
    placing = asyncio.create_task(People(lab.client, QUEUE, lab.store).reserve(request))
    handle = lab.client.get_workflow_handle(workflow_id(request.id))
    async with asyncio.timeout(30):
        while ("survey", ENDPOINT.name) not in lab.home.asked:
            await asyncio.sleep(0.05)
    await lab.skipper.fast_forward(handle, timedelta(seconds=11))
    assert (await placing).host == "esx1"
    await handle.terminate("the test is over")


async def test_a_whole_life_at_another_site(lab: Lab, north: Site) -> None:
    lab.home.world.hosts = ()
    north.world.connected = [True]
    acts, id = People(lab.client, QUEUE, lab.store), new_id()
    placement = await acts.reserve(ReserveRequest(id, "alice", IMAGE.name, 3600))
    await until(lab, id, ReservationState.RESERVED)
    await acts.acknowledge(id, Acknowledge("203.0.113.101"))
    await until(lab, id, ReservationState.INUSE)
    await acts.end(id, End())
    await until(lab, id, ReservationState.COMPLETE)
    assert placement.host == "esx1"
    assert {"survey", "node_status", "vsphere.copy_disk", "remove"} <= north.did()
    assert north.endpoints() == {"vc-north", "room"}  # the room was only surveyed
    assert {"linux.post_load", "grant_access"} <= set(north.world.done)
    assert lab.home.asked == [("survey", "vc")]
    assert lab.home.world.done == []


async def until(lab: Lab, id: str, state: ReservationState) -> None:
    """Wait (in real time) until the store says so."""
    async with asyncio.timeout(60):
        while (view := lab.view(id)) is None or view.state is not state:
            await asyncio.sleep(0.05)
