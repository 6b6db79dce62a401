"""What looks cost: many computers in use on one worker, and many that don't answer beside placements.

Real are the Temporal server, the worker in a process of its own with the product's activities and queues, the store,
and the placements. Pretended are the computers (module and guest ``fake``): nobody has ten thousand. One in use answers
within a second; one that does not answer takes 15 s for that, as SSH does. The looks are begun by a workflow of the
bench, with the product's own profile.

Both ways are measured: looks that the worker keeps between two times, and looks that fail and are retried by the
server, on the same queue of their own.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.looks_worker import QUEUE, Batch, Looked
from benchmarks.node import IMAGE, Node, running
from vclab.model.ids import new_id
from vclab.model.intents import Intent, Verb
from vclab.model.reservations import ReserveRequest
from vclab.settings import TemporalSettings
from vclab.store import intents
from vclab.temporal.client import Reservations

BATCH = 500
"""Looks of one workflow; the server refuses more than 2,000."""
PATIENCE = 600.0
SILENT_LOOK = 15.0
ANSWERS = "fake.delays.connections = [0.2, 1.0]\nfake.stays = -1\n"
SILENT = 'fake.delays.connections = 15\nfake.failures.connections = {kind = "unreachable", rate = 1}\n'


@dataclass(frozen=True)
class InUse:
    """So many computers in use for so long, on one worker."""

    kept: bool  #: by the worker; else retried by the server
    computers: int
    every_s: float
    seconds: float
    looks: int
    late_p50_s: float
    late_p99_s: float
    late_max_s: float
    requests_per_s: float  #: of the worker to the server
    requests: dict[str, int]
    worker_cpu_s: float
    server_cpu_s: float
    worker_mib: tuple[float, ...]  #: before the looks begin, then at equal distances
    server_mib: tuple[float, ...]


@dataclass(frozen=True)
class Placing:
    """Placements while so many computers don't answer."""

    kept: bool
    silent: int
    placements: int
    usual_s: float  #: median from the call to the answer, with no looks
    beside_s: float  #: the same while those computers are looked at
    ratio: float
    looks: int
    worker_cpu_share: float  #: of one core, beside those looks
    server_cpu_share: float


async def in_use(kept: bool, computers: int, every: float, seconds: float, samples: int = 6) -> InUse:
    """Begin the looks, then measure for so long."""
    async with _node(kept, computers, ANSWERS) as (node, file):
        before = node.memory()
        await _begin(node, computers, every, True)
        await _until(file, "begun", lambda report: _begun(report, kept, computers))
        first, cpu = _read(file), node.cpu_each()
        memory = [before, node.memory()]
        for _ in range(samples):
            await asyncio.sleep(seconds / samples)
            memory.append(node.memory())
        last, used = _read(file), node.cpu_each()
    late = sorted(last["late"][len(first["late"]) :])
    requests = {name: count - first["requests"].get(name, 0) for name, count in last["requests"].items()}
    return InUse(
        kept,
        computers,
        every,
        seconds,
        len(late),
        _percentile(late, 50),
        _percentile(late, 99),
        max(late, default=0.0),
        sum(requests.values()) / seconds,
        {name: count for name, count in sorted(requests.items()) if count},
        used[0] - cpu[0],
        used[1] - cpu[1],
        *(tuple(round(each[i] / 2**20, 1) for each in memory) for i in (0, 1)),
    )


async def placing(kept: bool, silent: int, placements: int) -> Placing:
    """Place without looks, beside looks at computers that don't answer, and without looks again: machines vary."""
    async with _node(kept, 0, SILENT) as (node, file):
        await _place(node, 3)
        usual = await _place(node, placements)
        await _begin(node, silent, SILENT_LOOK, False)
        await _until(file, "begun", lambda report: report["looks"] >= 2 * silent)
        began, cpu, clock = _read(file)["looks"], node.cpu_each(), time.monotonic()
        beside = await _place(node, placements)
        seconds = time.monotonic() - clock
        shares = [(after - before) / seconds for before, after in zip(cpu, node.cpu_each(), strict=True)]
        looks = _read(file)["looks"] - began
        await _end(node, silent)
        await _until(file, "ended", lambda report: report["watched"] == 0)
        usual += await _place(node, placements)
    before, after = statistics.median(usual), statistics.median(beside)
    return Placing(kept, silent, placements, before, after, after / before, looks, *shares)


@asynccontextmanager
async def _node(kept: bool, computers: int, behaviour: str) -> AsyncIterator[tuple[Node, Path]]:
    with tempfile.TemporaryDirectory(prefix="vclab-bench-", ignore_cleanup_errors=True) as folder:
        file, further = Path(folder) / "report.json", f"looks.kept = {str(kept).lower()}\n{behaviour}"
        environment = {"BENCH_COMPUTERS": str(computers), "BENCH_REPORT": str(file)}
        async with running(Path(folder), "benchmarks.looks_worker", further, **environment) as node:
            await _until(file, "there", lambda report: True)
            yield node, file


async def _begin(node: Node, count: int, every: float, in_use: bool) -> None:
    for first in range(0, count, BATCH):
        batch = Batch(first, min(BATCH, count - first), every, in_use, 0 if in_use else 2 * every)
        await node.client.start_workflow(Looked.run, batch, id=f"looked-{first}", task_queue=QUEUE)


async def _end(node: Node, count: int) -> None:
    for first in range(0, count, BATCH):
        await node.client.get_workflow_handle(f"looked-{first}").terminate()


def _begun(report: dict[str, Any], kept: bool, computers: int) -> bool:
    """Retried looks in use fail at once at first, uncounted: by their requests."""
    failed = report["requests"].get("RespondActivityTaskFailed", 0)
    return bool((report["watched"] if kept else failed) >= computers)


async def _place(node: Node, count: int) -> list[float]:
    """Seconds from the call to the answer, one after the other."""
    reservations = Reservations(node.client, TemporalSettings().workflow_queue)
    took = []
    for _ in range(count):
        began = time.monotonic()
        asked = await asyncio.to_thread(_asked, node, new_id())
        await reservations.reserve(asked)
        took.append(time.monotonic() - began)
    return took


def _asked(node: Node, name: str) -> ReserveRequest:
    """A reservation whose intent is recorded, as the service does."""
    said = {"image": IMAGE, "seconds": 3600.0, "start": None}
    intent = Intent(
        new_id(), datetime.now(UTC), "bench", "bench", ("operator",), Verb.RESERVE, name, "student1", arguments=said
    )
    node.store.run(lambda session: intents.write(session, intent))
    return ReserveRequest(name, "student1", IMAGE, 3600, intent=intent.id)


async def _until(file: Path, what: str, fact: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not file.exists() or not fact(_read(file)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the looks are not {what} after {PATIENCE:.0f} s: {file.read_text()[:200]}")
        await asyncio.sleep(0.5)


def _read(file: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(file.read_text())
    return report


def _percentile(values: Sequence[float], percent: int) -> float:
    """Of sorted values; 0 of none."""
    return values[min(len(values) - 1, len(values) * percent // 100)] if values else 0.0
