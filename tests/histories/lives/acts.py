"""What people do in the recorded lives.

Before each act the life has settled, so that its history is the same each time.
"""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

import worker
from activities.drivers import Drivers
from tests.fakes import FakeGuest, FakeModule
from tests.workflows.conftest import ENDPOINT, IMAGE, QUEUE, Life
from vclab.model import ids
from vclab.model.errors import Refused, StepFailed, Unreachable
from vclab.model.inventory import HostFacts
from vclab.model.messages import Acknowledge, End, Extend, How, Reboot, Resolve
from vclab.model.reservations import ReservationView
from vclab.settings import Settings
from vclab.store import audit, catalog

AWAY = Unreachable("no route to host")
OFFICE, HOME, TRAIN = "203.0.113.101", "198.51.100.7", "2001:db8::7"
KEPT: dict[str, Any] = {"spare": 1800}
"""What nobody has used is kept as a spare."""
COPY, POWER_ON = "vsphere.copy_disk", "vsphere.power_on"


def host(name: str, memory_mb: int = 16384) -> HostFacts:
    """A host that can be used."""
    return HostFacts(name, 16, memory_mb, datastores=("ds1",))


TWO_HOSTS = (host("esx1"), host("esx2"))


def view(life: Life) -> ReservationView:
    """What the store says."""
    found = life.view()
    assert found is not None
    return found


def audited(life: Life, what: str) -> int:
    """How many audit events there are of this kind."""
    with life.store.read() as session:
        return sum(event.what == what for event in audit.events(session, life.id))


async def started(life: Life) -> None:
    """Wait until its workflow has begun."""
    async with asyncio.timeout(60):
        while True:
            try:
                await life.handle.describe()
                return
            except RPCError:
                await asyncio.sleep(0.02)


async def pending(handle: WorkflowHandle[Any, Any]) -> dict[str, str]:
    """The activities that are under way, are to be tried again, or wait for a worker: by queue. None while a workflow
    task is under way."""
    now = (await handle.describe()).raw_description
    if now.HasField("pending_workflow_task"):
        return {}
    return {each.activity_options.task_queue.name: each.activity_type.name for each in now.pending_activities}


async def doing(life: Life, activity: str, handle: WorkflowHandle[Any, Any] | None = None, queue: str = "") -> None:
    """Wait until this activity is under way, or will be tried again, or waits for a worker of that queue."""
    async with asyncio.timeout(60):
        while not any(
            name == activity and queue in ("", on) for on, name in (await pending(handle or life.handle)).items()
        ):
            await asyncio.sleep(0.02)


async def waits_for(life: Life, text: str) -> None:
    """Wait until it says that it waits for this."""
    async with asyncio.timeout(60):
        while text not in (await life.reservations.status(life.id)).waits_for:
            await asyncio.sleep(0.05)
    await life.settled()


async def says(life: Life, text: str) -> None:
    """Wait until its remark has this text."""
    async with asyncio.timeout(60):
        while text not in (await life.reservations.status(life.id)).reason:
            await asyncio.sleep(0.05)
    await life.settled()


async def refused(act: Awaitable[object]) -> None:
    """The act is refused."""
    try:
        await act
    except Refused:
        return
    raise AssertionError("it was not refused")


async def ready(life: Life, hours: float = 1.0, **changes: object) -> None:
    """Reserve, and wait until nothing but Connect is waited for."""
    await life.reserve(hours, **changes)  # type: ignore[arg-type]
    await life.until("reserved")
    await life.settled()


async def connect(life: Life, address: str = OFFICE) -> None:
    """Press Connect, and wait until all that follows at once has been done."""
    await life.settled()
    await life.reservations.acknowledge(life.id, Acknowledge(address))
    await life.settled()


async def in_use(life: Life, hours: float = 1.0, **changes: object) -> None:
    """Reserve, and be connected."""
    await ready(life, hours, **changes)
    life.world.connected = [True]
    await connect(life)
    await life.until("inuse")
    await life.settled()


async def goes_away(life: Life) -> None:
    """Nobody is connected any more, and that is seen."""
    before = audited(life, "disconnected")
    life.world.connected = [False]
    await life.skip(seconds=310)
    await life.when(lambda: audited(life, "disconnected") > before)
    await life.settled()


async def extend(life: Life, **by: float) -> datetime:
    """Move the end; returns the new one."""
    await life.settled()
    end = view(life).end + timedelta(**by)
    await life.reservations.extend(life.id, Extend(end))
    await life.settled()
    return end


async def reboot(life: Life, hard: bool = False) -> None:
    """Ask for a restart; answered at once."""
    await life.settled()
    await life.reservations.reboot(life.id, Reboot(hard))


async def resolve(life: Life, how: How) -> None:
    """An operator's word, after some minutes, which are credited."""
    await life.skip(minutes=5)
    await life.operator.resolve(life.id, Resolve(how))


async def end(life: Life) -> None:
    """End it, and wait until its computer is taken back."""
    await life.settled()
    await life.reservations.end(life.id, End())
    await over(life)


async def cancel(life: Life) -> None:
    """As ``temporal workflow cancel`` does."""
    await life.handle.cancel()
    await over(life)


async def over(life: Life) -> None:
    """Wait until it has ended and its computer is taken back."""
    await life.until("complete", "failed")


async def held_at(life: Life, step: str, **changes: object) -> None:
    """Reserve, and wait until this step runs, which it does until ``go_on`` or a cancellation."""
    hold(life, step)
    await life.reserve(**changes)  # type: ignore[arg-type]
    await life.when(life.world.held.is_set)


def hold(life: Life, act: str) -> None:
    """The next time that it is done, this act takes until ``go_on`` or a cancellation."""
    life.world.held.clear()
    life.world.hold[act] = threading.Event()


def go_on(life: Life, act: str) -> None:
    """What was held goes on."""
    life.world.hold.pop(act).set()


async def later(life: Life, hours_ahead: float = 5.0, hours: float = 1.0, image: str = "debian-12") -> datetime:
    """Reserve for later; returns the start."""
    start = datetime.now(UTC) + timedelta(hours=hours_ahead)
    await life.reserve(hours, image, start=start)
    return start


async def help_needed(life: Life) -> None:
    """Wait until an operator is asked for help."""
    await life.when(lambda: getattr(life.view(), "word", "") == "Needs help")
    await life.settled()


async def needs_help(life: Life, step: str = POWER_ON, hours: float = 1.0) -> None:
    """It is loaded, and fails there wherever it is tried."""
    life.world.fail[step] = StepFailed("esx1 refuses: InsufficientResourcesFault")
    await life.reserve(hours)
    await help_needed(life)


def another(life: Life) -> None:
    """The next acts are those of another reservation."""
    life.id = ids.new_id()
    life.world.done.clear()
    life.world.held.clear()


async def leave_spares(life: Life, count: int = 1) -> None:
    """So many reservations that nobody used; each leaves a spare. The next acts are another reservation's."""
    known = []
    for _ in range(count):
        another(life)
        await ready(life)
        known.append(life.id)
    for life.id in known:
        await end(life)
        await life.handle.result()
    another(life)


async def crowded(life: Life) -> None:
    """Three spares on the only host, which is full then, and an image ``big`` that needs all of it."""
    life.world.hosts = (host("esx1", 3072),)
    life.store.run(lambda s: catalog.put_image(s, replace(IMAGE, name="big", memory_mb=3072)))
    await leave_spares(life, 3)


async def begin(life: Life, workflow: str, given: object, id: str) -> WorkflowHandle[Any, Any]:
    """Start another workflow than a reservation's."""
    args = [] if given is None else [given]
    return await life.client.start_workflow(workflow, args=args, id=id, task_queue=QUEUE)


async def run(life: Life, workflow: str, given: object, id: str) -> Any:
    """The same, and wait for its result."""
    return await (await begin(life, workflow, given, id)).result()


async def runs(client: Client, workflow: str) -> list[str]:
    """The ids of all runs of a workflow, the newest first."""
    found, run_id = [], (await client.get_workflow_handle(workflow).describe()).run_id
    while run_id:
        found.append(run_id)
        run = client.get_workflow_handle(workflow, run_id=run_id)
        async for event in run.fetch_history_events(page_size=1):
            run_id = event.workflow_execution_started_event_attributes.continued_execution_run_id
            break
    return found


def add_site(life: Life) -> None:
    """A second site ``north``, with an endpoint; it has no worker yet."""
    life.store.run(lambda s: catalog.put_endpoint(s, replace(ENDPOINT, name="vc-north", site="north")))


@asynccontextmanager
async def worker_of_site(life: Life) -> AsyncIterator[None]:
    """The worker of the second site. All endpoints have the same hosts."""
    settings = Settings(site="north", roles=("site",))
    drivers = Drivers({"vsphere": FakeModule(life.world)}, {"linux": FakeGuest(life.world)})
    async with AsyncExitStack() as stack:
        for one in worker.build(life.client, settings, life.store, drivers):
            await stack.enter_async_context(one)
        yield


@contextmanager
def broken(life: Life, module: object, name: str) -> Iterator[None]:
    """A function of the store fails in a way that nobody thought of, when it is about this life's reservation."""
    whole = getattr(module, name)

    def fail(*args: Any) -> Any:
        if any(life.id in str(each) for each in args):
            raise ZeroDivisionError("never tried")
        return whole(*args)

    setattr(module, name, fail)
    try:
        yield
    finally:
        setattr(module, name, whole)


@contextmanager
def busy(life: Life) -> Iterator[None]:
    """Another program writes to the database meanwhile, so each record waits."""
    connection = sqlite3.connect(str(life.store.file), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()
