"""Computers that stay: handed out again when clean, loaded anew when not, by a workflow that nobody waits for."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

import worker
from activities.drivers import Drivers
from activities.reconcile import Strays
from tests import fakes
from tests.workflows.conftest import QUEUE, Life
from vclab.fake_world import Behaviour, Failure, World
from vclab.guests.fake import FakeGuest
from vclab.model import ids, messages
from vclab.model.catalog import AfterUse, Computer, Endpoint, Image, User
from vclab.model.errors import Refused
from vclab.model.messages import Acknowledge, End, Reload, computer_workflow, power_workflow
from vclab.model.states import ComputerState
from vclab.provisioning.fake_metal import FakeMetal
from vclab.settings import Settings
from vclab.store import background_loads, catalog, failed_steps, failures, locks, tenures
from vclab.store.engine import Store, open_store
from vclab.store.models import LoadStep, Tenure
from vclab.temporal import search_attributes

OS = Image("os", "An OS", 1, "fake-metal", "fake", 1, 1024, 8, root_access=False)
OTHER = replace(OS, name="other")
END = End()


class Metal(Life):
    """Lives on one pretended computer."""

    metal: World
    module: FakeMetal

    def computer(self, name: str = "metal1") -> Computer:
        """As recorded."""
        with self.store.read() as session:
            return catalog.computer(session, name)

    def released(self, moment: datetime) -> None:
        """As if nobody had had a computer since then."""
        self.store.run(lambda s: s.execute(sa.update(Tenure).values(released_at=moment)))

    def is_on(self) -> bool:
        """The computer's power."""
        (machine,) = self.metal.all("room")
        return machine.on

    def steps(self, of: str = "") -> list[str]:
        """Names of the steps that were done for a reservation, or for a load without one."""
        with self.store.read() as session:
            rows = session.query(LoadStep).order_by(LoadStep.id).all()
            return [row.name for row in rows if row.reservation == (of or self.id) and row.outcome == "done"]

    def behaves(self, **how: object) -> None:
        """The world behaves so from now on."""
        self.metal.behaviour = replace(self.metal.behaviour, **how)  # type: ignore[arg-type]

    def fails(self, step: str) -> None:
        """That step fails for good from now on."""
        self.behaves(failures={step: Failure("failed", times=1000, text="the disk is broken")})

    async def begin_load(self, image: str = "", by_hand: bool = False) -> WorkflowHandle[object, str]:
        """Have the computer loaded, once the load before has signalled its waiters and is over."""
        reload = Reload("metal1", image)
        if by_hand:
            reload = await self.operator.by_hand(reload)
        async with asyncio.timeout(60):
            while True:
                with suppress(WorkflowAlreadyStartedError):
                    return await self.client.start_workflow(
                        messages.LOAD,
                        reload,
                        id=computer_workflow("metal1"),
                        task_queue=QUEUE,
                        result_type=str,
                    )
                await asyncio.sleep(0.05)

    async def load(self, image: str = "", by_hand: bool = False) -> str:
        """The same, and wait for it."""
        return await (await self.begin_load(image, by_hand)).result()

    async def searched(self) -> dict[str, object]:
        """By what the load of the computer can be found."""
        found = await self.client.get_workflow_handle(computer_workflow("metal1")).describe()
        keys = (search_attributes.STATE, search_attributes.IMAGE, search_attributes.COMPUTER)
        return {key.name: found.typed_search_attributes.get(key) for key in keys}

    async def loaded(self, image: str = "os") -> Computer:
        """Wait until nobody holds the computer, and it holds that."""
        await self.when(lambda: (self.computer().image, self.computer().holder) == (image, ""))
        return self.computer()

    async def used(self) -> None:
        """One reservation, with somebody logged in, and ended."""
        await self.ready()
        await self.reservations.acknowledge(self.id, Acknowledge("203.0.113.101"))
        await self.until("inuse")
        await self.reservations.end(self.id, END)
        await self.until("complete")


def seed(store: Store) -> None:
    store.migrate()
    group = Endpoint("room", "fake-metal", "", "", "", "")

    def fill(session: Session) -> None:
        catalog.put_user(session, User("alice", 20001))
        catalog.put_user(session, User("bob", 20002))
        catalog.put_image(session, OS)
        catalog.put_image(session, OTHER)
        catalog.put_endpoint(session, group)
        catalog.put_lab_computer(session, "metal1", endpoint="room", address="10.77.0.31")

    store.run(fill)


@asynccontextmanager
async def living_on_metal(client: Client, folder: Path, others: Mapping[str, Any]) -> AsyncIterator[Metal]:
    """The worker's own code, and the fake module's bare metal. ``others``: further waits."""
    waits = {"acknowledge": 900, "step_ceiling": 60, "help": 0, **others}
    database = f"sqlite:///{folder}/vclab.db"
    settings = Settings(database=database, limits={"at_once": 3}, looks={"kept": False}, waits=waits)
    store = open_store(settings.database)
    seed(store)
    metal = World(Behaviour(enabled=True))

    def group(name: str) -> list[Computer]:
        with store.read() as session:
            return [c for c in catalog.computers(session) if c.pool == name]

    module = FakeMetal(metal, settings.installation, group)
    drivers = Drivers({"fake-metal": module}, {"fake": FakeGuest(metal)})
    life = Metal(client, store, fakes.FakeGuest(fakes.World()), lambda: worker.build(client, settings, store, drivers))
    life.metal, life.module = metal, module
    reserve = life.reserve

    async def of_os(
        hours: float = 1.0,
        image: str = "os",
        operator: bool = False,
        start: datetime | None = None,
        imaging: bool = False,
        capture_at_end: bool = False,
    ) -> None:
        await reserve(hours, image, operator, start, imaging, capture_at_end)

    life.reserve = of_os  # type: ignore[method-assign]
    await life.start_worker()
    try:
        yield life
    finally:
        for handle in (life.handle, life.client.get_workflow_handle(computer_workflow("metal1"))):
            with suppress(RPCError):
                await handle.terminate("the test is over")
        await life.stop_worker()
    store.close()


@pytest.fixture
async def life(time_client: Client, tmp_path: Path) -> AsyncIterator[Metal]:
    """A life on it."""
    async with living_on_metal(time_client, tmp_path, {}) as life:
        yield life


RELOAD = [
    "fake-metal.deploy",
    "fake-metal.power_on",
    "fake-metal.find_address",
    "fake.wait_ssh",
    "fake.post_load",
    "fake.read_public_address",
]
READY = ["fake-metal.adopt", "fake.post_load", "fake.read_public_address"]


async def test_clean_and_handed_out_again(life: Metal) -> None:
    """Nobody could have logged in: it keeps what it holds; the next one of that image gets it by a short plan."""
    await life.ready()
    assert life.steps() == RELOAD
    await life.reservations.end(life.id, END)
    await life.until("complete")
    found = life.computer()
    assert (found.state, found.image, found.revision, found.holder) == ("available", "os", 1, "")
    life.id = ids.new_id()
    await life.ready()
    assert life.steps() == READY
    await life.reservations.end(life.id, END)
    await life.until("complete")
    life.id = ids.new_id()
    await life.reserve(image="other")
    await life.until("reserved")
    assert life.steps() == RELOAD, "another image is another load"


async def test_loaded_anew_after_use(life: Metal) -> None:
    """Its reservation gives it back as unknown; a load that nobody waits for makes it good, and the taint goes."""
    await life.used()
    found = await life.loaded()
    assert (found.state, found.revision, found.tainted, found.generation) == ("available", 1, False, 2)
    assert life.steps(computer_workflow("metal1")) == RELOAD
    life.id = ids.new_id()
    await life.ready()
    assert life.steps() == READY


async def test_an_operator_reloads_it(life: Metal) -> None:
    """Also what is loaded already, with another image; one that somebody holds is left alone."""
    assert "say which image" in await life.load(by_hand=True)
    assert await life.load(image="other", by_hand=True) == "metal1 holds other, revision 1"
    assert (life.computer().image, life.computer().holder) == ("other", "")
    assert "needs no load" in await life.load()
    assert await life.load(by_hand=True) == "metal1 holds other, revision 1"
    assert life.steps(computer_workflow("metal1")) == RELOAD * 2
    await life.ready()
    assert f"is held by {life.id}" in await life.load(image="os", by_hand=True)


async def test_loaded_when_it_is_free(life: Metal) -> None:
    """An operator wants it with another image while somebody uses it: the load after that use is that one."""
    await life.ready()
    asked = await life.operator.by_hand(Reload("metal1", "other"))
    life.store.run(lambda s: background_loads.want(s, asked))
    await life.client.execute_workflow("Reconcile", id=f"reconcile-{life.id}", task_queue=QUEUE)
    assert life.computer().holder == life.id
    await life.reservations.acknowledge(life.id, Acknowledge("203.0.113.101"))
    await life.until("inuse")
    await life.reservations.end(life.id, END)
    found = await life.loaded("other")
    assert (found.load_intent, found.generation) == ("", 2)


async def test_a_round_loads_what_an_operator_wants(life: Metal) -> None:
    asked = await life.operator.by_hand(Reload("metal1", "os"))
    life.store.run(lambda s: background_loads.want(s, asked))
    await life.client.execute_workflow("Reconcile", id=f"reconcile-{life.id}", task_queue=QUEUE)
    assert (await life.loaded()).state is ComputerState.AVAILABLE


async def test_a_load_that_fails(life: Metal) -> None:
    """The computer is failed, with the reason: nobody holds it and nobody gets it, until an operator has it loaded."""
    life.fails("fake-metal.power_on")
    with pytest.raises(WorkflowFailureError):
        await life.load(image="os", by_hand=True)
    found = life.computer()
    assert (found.state, found.holder, found.image) == (ComputerState.FAILED, "", "")
    assert "step 2, Power it on: the disk is broken" in found.why_out_of_service
    with life.store.read() as session:
        (trouble,) = failed_steps.of_loads(session)
        (failure,) = failures.of_reservation(session, computer_workflow("metal1"))
    assert (trouble.number, trouble.step, trouble.cause) == (2, "fake-metal.power_on", "the disk is broken")
    assert (failure.host, failure.step) == ("metal1", trouble.step)
    assert trouble.evidence.endpoint, "what its endpoint says"
    assert await life.searched() == {"LabState": "failed", "LabImage": "os", "LabComputer": "metal1"}
    with pytest.raises(Refused, match="the disk is broken"):
        await life.reserve()
    life.behaves(failures={})
    assert "needs no load" in await life.load(), "only an operator brings it back"
    await life.load(by_hand=True)
    assert (life.computer().state, life.computer().why_out_of_service) == ("available", "")


async def test_cancelled_in_the_middle(life: Metal) -> None:
    """The running step has stopped before the tenure is released."""
    life.behaves(delays={"fake-metal.deploy": 300.0})
    handle = await life.begin_load(image="os", by_hand=True)
    await life.when(lambda: any(m.computer == "metal1" for m in life.metal.all("room")))
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    found = life.computer()
    assert (found.state, found.holder, found.image) == (ComputerState.FAILED, "", "")
    assert "cancelled" in found.why_out_of_service


async def test_a_load_that_was_terminated(life: Metal) -> None:
    """Its tenure stays, so nobody touches the computer; the reconciler has it loaded again."""
    await life.used()
    await life.loaded()
    life.behaves(delays={"fake-metal.deploy": 300.0})
    handle = await life.begin_load(image="os", by_hand=True)
    await life.when(lambda: life.computer().generation == 3)
    await handle.terminate("by hand")
    with life.store.read() as session:
        assert tenures.current(session, "metal1") is not None
        assert background_loads.due(session, ["fake-metal"]) == ["metal1"]
    life.behaves(delays={})
    await life.client.execute_workflow("Reconcile", id=f"reconcile-{life.id}", task_queue=QUEUE)
    found = await life.loaded()
    assert (found.state, found.generation) == ("available", 4), "what the first one left running is fenced off"
    with life.store.read() as session:
        assert background_loads.due(session, ["fake-metal"]) == []


# --- switched off since nobody needs it -------------------------------------------------------------------------------

WOKEN = ["fake-metal.adopt", "fake-metal.power_on", "fake-metal.find_address", "fake.wait_ssh", *READY[1:]]


def after_use(life: Metal, policy: AfterUse) -> None:
    """The policy of its group from now on."""
    life.store.run(lambda s: catalog.put_endpoint(s, Endpoint("room", "fake-metal", "", "", "", "", after_use=policy)))


async def one_round(life: Metal) -> Strays:
    """Of the reconciler; what it began is over."""
    found: Strays = await life.client.execute_workflow(
        "Reconcile", id=ids.new_id(), task_queue=QUEUE, result_type=Strays
    )
    for computer in found.switched_off:
        await life.client.get_workflow_handle(power_workflow(computer)).result()
    return found


async def switched_off(life: Metal) -> Computer:
    """Used, brought back to its image, and off since nobody needs it."""
    after_use(life, AfterUse.OFF)
    await life.used()
    await life.loaded()
    assert (await one_round(life)).switched_off == (), "somebody had it lately"
    life.released(datetime.now(UTC) - timedelta(hours=1))
    assert (await one_round(life)).switched_off == ("metal1",)
    assert not life.is_on()
    found = life.computer()
    assert (found.state, found.holder, found.image) == ("available", "", "os") and found.off_since
    assert (await one_round(life)).switched_off == ()
    life.id = ids.new_id()
    return found


async def test_off_after_use_and_on_for_the_next(life: Metal) -> None:
    """Who reserves it at once has it by a plan that switches it on and does not load it."""
    await switched_off(life)
    await life.ready()
    assert life.steps() == WOKEN
    assert life.is_on() and life.computer().off_since is None


async def test_woken_before_a_reservation_for_later(life: Metal) -> None:
    await switched_off(life)
    await life.reserve(start=datetime.now(UTC) + timedelta(hours=2))
    await life.skip(minutes=80)
    assert not life.is_on()
    await life.skip(minutes=6)
    await life.when(lambda: life.steps() == WOKEN)
    assert life.is_on()
    await life.until("scheduled")


async def test_another_image_is_loaded(life: Metal) -> None:
    await switched_off(life)
    await life.reserve(image="other")
    await life.until("reserved")
    assert life.steps() == RELOAD


async def test_one_whose_record_says_something_else_is_loaded(life: Metal) -> None:
    """What a computer that is off holds is only what was written down."""
    await switched_off(life)
    life.store.run(lambda s: setattr(locks.computer(s, "metal1"), "tainted", True))
    await life.ready()
    assert life.steps() == RELOAD


async def test_unloaded_after_use(life: Metal) -> None:
    """It is left as it is, and loaded for the next one."""
    after_use(life, AfterUse.UNLOADED)
    await life.used()
    await life.when(lambda: life.computer().holder == "")
    assert (await one_round(life)).loads == ()
    found = life.computer()
    assert (found.state, found.image, found.tainted, found.generation) == ("available", "", True, 1)
    life.id = ids.new_id()
    await life.ready()
    assert life.steps() == RELOAD


@pytest.mark.parametrize("image, steps", [("os", RELOAD), ("bare", RELOAD[:3])], ids=("guest", "no guest"))
async def test_what_says_that_it_is_clean_is_not_believed(life: Metal, image: str, steps: list[str]) -> None:
    """Who was root took every mark away, and had the computer's clock switch it on again: it answers as one that nobody
    has touched, by the right host key."""
    after_use(life, AfterUse.UNLOADED)
    life.store.run(lambda s: catalog.put_image(s, replace(OS, name="bare", guest="")))
    await life.used()
    await life.when(lambda: life.computer().holder == "")
    (machine,) = life.metal.all("room")
    as_clean = {"image": image, "revision": 1, "prepared": True, "tainted": "", "powered_on_at": time.time()}
    life.metal.change(machine.uuid, **as_clean, accounts=("mallory",))
    life.id = ids.new_id()
    await life.reserve(image=image)
    await life.until("reserved")
    assert life.steps() == steps
    (machine,) = life.metal.all("room")
    assert "mallory" not in machine.accounts


# --- who waits for it -------------------------------------------------------------------------------------------------

STILL = {"fake.wait_ssh": 3000.0}


async def being_loaded(life: Metal) -> None:
    """The computer is being loaded, after somebody has used it; the next reservation has an id of its own."""
    await life.used()
    await life.loaded()
    life.behaves(delays=STILL)
    await life.begin_load(image="os", by_hand=True)
    await life.when(lambda: life.computer().holder == computer_workflow("metal1"))
    life.id = ids.new_id()


async def waiting(life: Metal) -> None:
    """The computer is being loaded, and a second reservation waits for that."""
    await being_loaded(life)
    await life.reserve()


async def test_who_waits_is_told(life: Metal) -> None:
    """It waits for a load that goes on, says so, and has the computer as soon as that is done, by the short plan."""
    await waiting(life)
    await life.settled()
    status = await life.reservations.status(life.id)
    assert status.word == "Waiting for a computer"
    assert status.waits_for.startswith("metal1 to be loaded, which goes on already, probably until")
    assert status.until is not None
    life.behaves(delays={})
    await life.until("reserved")
    assert life.steps() == READY
    assert life.computer().holder == life.id


async def test_one_for_later_is_told_too(life: Metal) -> None:
    """Its time has come, and its computer is being loaded still."""
    await being_loaded(life)
    await life.reserve(start=datetime.now(UTC) + timedelta(minutes=36))
    await life.skip(minutes=2)
    await life.settled()
    assert (await life.reservations.status(life.id)).waits_for == "a computer"
    life.behaves(delays={})
    await life.when(lambda: life.computer().holder == life.id)
    history = await life.handle.fetch_history()
    signals = [event.workflow_execution_signaled_event_attributes.signal_name for event in history.events]
    assert messages.LOADED in signals


async def test_another_image_does_not_wait(life: Metal) -> None:
    """What is being loaded is not what it wants."""
    await waiting(life)
    await life.reservations.end(life.id, END)
    assert (await life.until("complete")).ending == "deleted", "it had no computer, and gives none back"
    assert life.computer().holder == computer_workflow("metal1")
    life.id = ids.new_id()
    with pytest.raises(Refused, match="is held by computer-metal1"):
        await life.reserve(image="other")


async def test_the_load_is_gone(life: Metal) -> None:
    """Nobody tells who waits; the reconciler has it loaded again, and a look finds that it is free."""
    await waiting(life)
    await life.client.get_workflow_handle(computer_workflow("metal1")).terminate("by hand")
    life.behaves(delays={})
    await life.client.execute_workflow("Reconcile", id=f"reconcile-{life.id}", task_queue=QUEUE)
    await life.loaded()
    await life.skip(seconds=70)
    await life.until("reserved")
    assert life.steps() == READY


async def test_the_load_fails(life: Metal) -> None:
    """Who waits is told why there is no computer yet, and has it when an operator had it mended."""
    await waiting(life)
    life.fails("fake.post_load")
    life.behaves(delays={})
    await life.when(lambda: life.computer().state is ComputerState.FAILED)

    async def reason() -> str:
        return (await life.reservations.status(life.id)).reason

    async with asyncio.timeout(60):
        while "the disk is broken" not in await reason():
            await asyncio.sleep(0.05)
    life.behaves(failures={})
    await life.load(by_hand=True)
    await life.skip(seconds=70)
    await life.until("reserved")
