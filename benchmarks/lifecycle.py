"""What a whole life costs on the fake module, beside a bare workflow with as many activities that do nothing.

Real are the Temporal server, the workflows, the activities, the store (SQLite), the worker in a process of its own, and
the client. Pretended is only what is outside: the module ``fake`` has the vSphere plan's steps and takes no time for
them. Waits are scaled down by settings; nothing is left out of a life: place, load, Connect, access, first connection,
looks, two notices, the end, and taking back.

They are a class: all are reserved at one moment, and when the last one is ready all press Connect at one moment. So
loading is measured beside the bare workflow, which has nothing that follows, and Connect by itself; Apache VCL's daemon
was measured in the same way.

Times are from the client's call until the server has the record: "ready", or the bare workflow's end; and from Connect
until "connected". Product and bare take turns on the same server and worker; each figure is the median of the rounds.
"""

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from benchmarks import bare
from benchmarks.bare import Bare
from benchmarks.node import IMAGE, USERS, Node, running
from vclab.model.errors import NotFound, Refused
from vclab.model.ids import new_id
from vclab.model.intents import Intent, Verb
from vclab.model.messages import Acknowledge, workflow_id
from vclab.model.reservations import ReserveRequest
from vclab.model.states import Ending, ReservationState
from vclab.settings import TemporalSettings
from vclab.store import intents
from vclab.store.engine import Store
from vclab.store.models import Reservation
from vclab.temporal.client import Reservations

CLASS = len(USERS)
TRIES = 4
POLL_SECONDS = 0.05
PATIENCE = 300.0  # seconds until a bench is given up
ADDRESS = "198.51.100.1"
OPERATOR = "bench"
READY_RECORD, CONNECTED_RECORD = "ready", "connected"
HALF_A_DAY = 43200.0


@dataclass(frozen=True)
class Row:
    """One concurrency. Seconds, bytes; ``ready`` counts from the client's call, ``in_use`` from Connect."""

    concurrency: int
    ready_p50_s: float
    ready_p95_s: float
    ready_last_s: float
    bare_p50_s: float
    ratio_to_bare: float
    in_use_last_s: float
    cpu_s_per_life: float  #: worker and server; both databases are SQLite, inside of them
    bytes_per_waiting: int  #: of worker and server
    worker_bytes_per_waiting: int  #: of the worker alone, as VCL's daemon was measured
    bare_bytes_per_waiting: int
    events_per_life: int


@dataclass(frozen=True)
class Round:
    """So many at once: seconds until each was ready, and in use; core-seconds and events of each life."""

    ready: list[float]
    in_use: list[float] = field(default_factory=list)
    cpu: float = 0.0
    events: float = 0.0


@dataclass(frozen=True)
class Measured:
    """A row, and what the table tells beside it."""

    row: Row
    bare_last_s: float
    last_to_bare: float
    waits: "Waits"


@dataclass(frozen=True)
class Slope:
    """Bytes of worker and server: idle, when all wait, and for each one more, from a third of them on."""

    idle: tuple[int, int]
    full: tuple[int, int]
    each: tuple[int, int]


@dataclass(frozen=True)
class Waits:
    """Memory while reservations wait for Connect, and how large a bare workflow must be."""

    waiting: int
    slope: Slope
    size: bare.Size
    bare_bytes_each: int = 0


async def measure(concurrency: Sequence[int], rounds: int, waiting: int) -> list[Measured]:
    """Each concurrency on a node of its own. ``waiting``: so many reservations wait while memory is measured, once."""
    async with _node() as node:
        bench = Bench(node)
        waits = await bench.wait_in_line(max(waiting, 3))
        waits = replace(waits, bare_bytes_each=await bench.bares_in_line(waits.waiting, waits.size))
    found = []
    for count in concurrency:
        async with _node() as node:
            found.append(await _measure_one(Bench(node), count, rounds, waits))
    return found


@asynccontextmanager
async def _node() -> AsyncIterator[Node]:
    with tempfile.TemporaryDirectory(prefix="vclab-bench-") as folder:
        async with running(Path(folder)) as node:
            yield node


async def _measure_one(bench: "Bench", count: int, rounds: int, waits: "Waits") -> Measured:
    await bench.lives(min(count, 3))  # what is loaded and compiled once is no cost of a life
    lives, bares = [], []
    for _ in range(rounds):
        lives.append(await bench.lives(count))
        bares.append(await bench.bares(count, waits.size))
    ready, floor = _median(_p(one.ready, 50) for one in lives), _median(_p(one.ready, 50) for one in bares)
    row = Row(
        concurrency=count,
        ready_p50_s=round(ready, 3),
        ready_p95_s=round(_median(_p(one.ready, 95) for one in lives), 3),
        ready_last_s=round(_median(max(one.ready) for one in lives), 3),
        bare_p50_s=round(floor, 3),
        ratio_to_bare=round(ready / floor, 2),
        in_use_last_s=round(_median(max(one.in_use) for one in lives), 3),
        cpu_s_per_life=round(_median(one.cpu for one in lives), 3),
        bytes_per_waiting=sum(waits.slope.each),
        worker_bytes_per_waiting=waits.slope.each[0],
        bare_bytes_per_waiting=waits.bare_bytes_each,
        events_per_life=round(_median(one.events for one in lives)),
    )
    bare_last = _median(max(one.ready) for one in bares)
    return Measured(row, round(bare_last, 3), round(row.ready_last_s / bare_last, 2), waits)


class TooShort(Exception):
    """A life ended before it was in use."""


class Projection:
    """The store's view of reservations: read for all who wait at once, so that asking costs little beside living."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wanted: dict[str, tuple[Sequence[ReservationState], asyncio.Future[None]]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def told(self, name: str, *states: ReservationState) -> None:
        """Wait until it is in one of these states. Raises ``RuntimeError`` when that takes too long."""
        future = asyncio.get_running_loop().create_future()
        self._wanted[name] = states, future
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            async with asyncio.timeout(PATIENCE):
                await future
        except TimeoutError:
            raise RuntimeError(f"{name} did not become {' or '.join(states)}") from None
        finally:
            self._wanted.pop(name, None)

    async def _ask(self) -> None:
        while self._wanted:
            now = await asyncio.to_thread(self._now, list(self._wanted))
            for name, (states, future) in list(self._wanted.items()):
                if now.get(name) in states and not future.done():
                    future.set_result(None)
            await asyncio.sleep(POLL_SECONDS)

    def _now(self, names: list[str]) -> dict[str, ReservationState]:
        with self._store.read() as session:
            rows = session.execute(sa.select(Reservation.id, Reservation.state).where(Reservation.id.in_(names)))
            return {row.id: row.state for row in rows}


class Bench:
    """Lives and bare workflows on one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._reservations = Reservations(node.client, TemporalSettings().workflow_queue)
        self._projection = Projection(node.store)
        self._users = itertools.cycle(USERS)

    async def lives(self, count: int) -> Round:
        """So many whole lives. When some ended before they were in use, the round is lived again, with longer ones."""
        seconds = 3.0 + 0.3 * count
        for _ in range(TRIES):
            try:
                return await self._lives(count, seconds)
            except TooShort:
                seconds *= 2
        raise RuntimeError(f"this machine is too slow: no {count} lives of {seconds:.0f} s came to be in use")

    async def _lives(self, count: int, seconds: float) -> Round:
        """Begun at once, each until its computer is taken back."""
        names = [new_id() for _ in range(count)]
        cpu = self._node.cpu()
        asked = await asyncio.gather(*(self._reserve(name, seconds) for name in names))
        await self._until(names, ReservationState.RESERVED, ReservationState.COMPLETE)
        pressed = await asyncio.gather(*(self._connect(name) for name in names))
        await self._until(names, ReservationState.COMPLETE)
        used = self._node.cpu() - cpu
        self._must_have_lived(names)
        histories = [await self._history(workflow_id(name)) for name in names]
        return Round(
            [_recorded(history, READY_RECORD) - begun for history, begun in zip(histories, asked, strict=True)],
            [_recorded(history, CONNECTED_RECORD) - begun for history, begun in zip(histories, pressed, strict=True)],
            used / count,
            statistics.mean(len(history) for history in histories),
        )

    async def bares(self, count: int, size: bare.Size) -> Round:
        """So many bare workflows, begun at once."""
        names = [f"bare-{new_id()}" for _ in range(count)]

        async def one(name: str) -> float:
            begun = time.time()
            await self._node.client.execute_workflow(Bare.run, size, id=name, task_queue=bare.QUEUE)
            return begun

        asked = await asyncio.gather(*(one(name) for name in names))
        ends = [_time((await self._history(name))[-1]) for name in names]
        return Round([end - begun for end, begun in zip(ends, asked, strict=True)])

    async def wait_in_line(self, waiting: int) -> Waits:
        """They come a class at a time. The first third pays for what is needed once; the slope from there on counts.

        They are left waiting: the node is of no use afterwards.
        """
        names: list[str] = []

        async def begin(batch: list[str]) -> None:
            await asyncio.gather(*(self._reserve(name, HALF_A_DAY) for name in batch))
            await self._until(batch, ReservationState.RESERVED)
            names.extend(batch)

        slope = await self._in_line(waiting, begin)
        return Waits(waiting, slope, _size_to_ready(await self._history(workflow_id(names[0]))))

    async def bares_in_line(self, waiting: int, size: bare.Size) -> int:
        """Bytes that each of so many bare workflows costs that wait."""

        async def begin(batch: list[str]) -> None:
            given = replace(size, waits=True)
            handles = [
                await self._node.client.start_workflow(Bare.run, given, id=n, task_queue=bare.QUEUE) for n in batch
            ]
            for handle in handles:
                while bare.WAITS not in await (await handle.describe()).memo():
                    await asyncio.sleep(POLL_SECONDS)

        return sum((await self._in_line(waiting, begin)).each)

    async def _in_line(self, waiting: int, begin: Callable[[list[str]], Awaitable[None]]) -> Slope:
        there, third, idle = 0, None, await self._memory()
        while there < waiting:
            batch = [new_id() for _ in range(min(CLASS, waiting - there))]
            await begin(batch)
            there += len(batch)
            if third is None and there >= waiting / 3:
                third = there, await self._memory()
        assert third is not None
        full, more = await self._memory(), max(there - third[0], 1)
        worker, server = (max(0, now - then) // more for now, then in zip(full, third[1], strict=True))
        return Slope(idle, full, (worker, server))

    async def _memory(self) -> tuple[int, int]:
        await asyncio.sleep(1.0)  # what is being written or answered now is no cost of waiting
        return self._node.memory()

    async def _reserve(self, name: str, seconds: float) -> float:
        begun, user = time.time(), next(self._users)
        intent = await self._intended(Verb.RESERVE, name, user, image=IMAGE, seconds=seconds, start=None)
        await self._reservations.reserve(ReserveRequest(name, user, IMAGE, seconds, intent), PATIENCE)
        return begun

    async def _connect(self, name: str) -> float:
        """When Connect was pressed."""
        begun = time.time()
        intent = await self._intended(Verb.CONNECT, name, OPERATOR, address=ADDRESS)
        with suppress(NotFound, Refused):  # it has ended, which is seen afterwards
            await self._reservations.acknowledge(name, Acknowledge(ADDRESS, intent=intent))
        return begun

    async def _intended(self, verb: Verb, name: str, who: str, **said: object) -> str:
        """Record an intent, as the service does before it sends a message; its id."""
        asked = Intent(new_id(), datetime.now(UTC), OPERATOR, "bench", ("operator",), verb, name, who, arguments=said)
        await asyncio.to_thread(self._node.store.run, lambda session: intents.write(session, asked))
        return asked.id

    async def _until(self, names: Sequence[str], *states: ReservationState) -> None:
        await asyncio.gather(*(self._projection.told(name, *states) for name in names))

    def _must_have_lived(self, names: Sequence[str]) -> None:
        with self._node.store.read() as session:
            for row in session.scalars(sa.select(Reservation).where(Reservation.id.in_(names))):
                if row.ending is not Ending.EOR:
                    raise RuntimeError(f"{row.id} did not live a whole life: {row.ending} {row.reason}")
                if row.connected_at is None:
                    raise TooShort

    async def _history(self, workflow: str) -> list[HistoryEvent]:
        return list((await self._node.client.get_workflow_handle(workflow).fetch_history()).events)


def _time(event: HistoryEvent) -> float:
    return event.event_time.ToDatetime(UTC).timestamp()


def _local_activity(event: HistoryEvent) -> str:
    """The name of the local activity that this event records; empty when it records none."""
    if event.event_type != EventType.EVENT_TYPE_MARKER_RECORDED:
        return ""
    data = event.marker_recorded_event_attributes.details.get("data")
    return str(json.loads(data.payloads[0].data).get("activity_type", "")) if data else ""


def _recorded(history: Iterable[HistoryEvent], record: str) -> float:
    return next(_time(event) for event in history if _local_activity(event) == record)


def _size_to_ready(history: Iterable[HistoryEvent]) -> bare.Size:
    """How many activities and local activities a life has up to ready."""
    activities = local = 0
    for event in history:
        activities += event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        name = _local_activity(event)
        local += bool(name)
        if name == READY_RECORD:
            break
    return bare.Size(activities, local)


def _p(values: Sequence[float], percent: int) -> float:
    """A percentile; the nearest rank."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * percent // 100) - 1)]


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def now() -> str:
    """When it was measured."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
