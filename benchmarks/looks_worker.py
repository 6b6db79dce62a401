"""The process of the looks bench's worker: the product's own workers, on a world in which computers are in use already.

python -m benchmarks.looks_worker        (settings from $VCLAB_CONFIG, $BENCH_COMPUTERS, $BENCH_REPORT)
"""

import asyncio
import gc
import json
import logging
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.runtime import MetricBuffer, MetricBufferDurationFormat, Runtime, TelemetryConfig
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import worker
    from activities.looks import LookActivities
    from activities.reach import GuestInput
    from vclab import settings as configuration
    from vclab.fake_world import Machine, World, now
    from vclab.model.plans import Access, Facts, Target
    from vclab.model.traits import Traits
    from vclab.secrets.store import SecretStore
    from vclab.store.engine import open_store
    from vclab.temporal import sandbox, search_attributes
    from vclab.temporal.client import connect
    from workflows import profiles

QUEUE = "bench-looks"
CHUNK = 20
READY = "working"
USER = Access("student1", 20001, addresses=("198.51.100.1",))


@dataclass(frozen=True)
class Batch:
    """So many computers, from this number on, that are looked at ``every`` seconds."""

    first: int
    count: int
    every: float
    in_use: bool
    spread: float  #: seconds over which they begin: not all people come at one moment


def target(number: int) -> Target:
    """A computer of the bench."""
    said: dict[str, Any] = {"cpus": 1, "memory_mb": 1, "disk_gb": 1, "private_mac": "", "public_mac": ""}
    return Target(
        reservation=f"bench{number}",
        computer=f"bench{number}",
        generation=1,
        installation="bench",
        module="fake",
        guest="fake",
        endpoint="fakes",
        host="fake1",
        storage="",
        image="fake-image",
        revision=1,
        traits=Traits(guest=True),
        **said,
    )


@workflow.defn(name="Looked")
class Looked:
    """One look for each computer of a batch, as a reservation's workflow begins it."""

    @workflow.run
    async def run(self, batch: Batch) -> None:
        """Until it is cancelled."""
        look = LookActivities.await_disconnection if batch.in_use else LookActivities.await_connection
        for number in range(batch.first, batch.first + batch.count):
            if batch.spread and number % CHUNK == 0:
                await workflow.sleep(batch.spread * CHUNK / batch.count)
            given = GuestInput(target(number), Facts("10.0.0.1"), USER, batch.every, in_use=batch.in_use)
            profile = profiles.look("is the user still connected?", "default", batch.every, None)
            workflow.start_activity_method(look, given, **profile)
        await workflow.wait_condition(lambda: False)


def machine(number: int) -> Machine:
    """What runs in the place of a computer that is in use."""
    one = target(number)
    return Machine(
        one.instance_uuid,
        one.machine_name,
        one.endpoint,
        one.installation,
        one.reservation,
        one.computer,
        1,
        one.image,
        1,
        one.host,
        now(),
        1,
        True,
        "",
        (USER.login,),
        USER.addresses,
        now(),
    )


@dataclass
class Report:
    """What the bench reads."""

    buffer: MetricBuffer
    late: list[float] = field(default_factory=list)  #: seconds
    watched: dict[str, float] = field(default_factory=dict)  #: by activity
    silent: float = 0
    requests: Counter[str] = field(default_factory=Counter)

    def write(self, file: Path) -> None:
        """At once: whoever reads sees the old one or the new one."""
        for update in self.buffer.retrieve_updates():
            match update.metric.name:
                case "temporal_request":
                    self.requests[str(update.attributes["operation"])] += int(update.value)
                case "vclab_look_late":
                    self.late.append(update.value)
                case "vclab_looks_failed":
                    self.silent += update.value
                case "vclab_computers_watched":
                    self.watched[str(update.attributes["activity_type"])] = update.value
        numbers = {"watched": sum(self.watched.values()), "looks": len(self.late), "silent": self.silent}
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps({**numbers, "late": self.late, "requests": self.requests}))
        fresh.replace(file)


async def run() -> None:
    """Work until SIGTERM."""
    stop, buffer = asyncio.Event(), MetricBuffer(1_000_000, MetricBufferDurationFormat.SECONDS)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(metrics=buffer)))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = configuration.load()
    store = open_store(settings.database)
    client = await connect(settings.temporal)
    await search_attributes.register(client)
    report = Report(buffer)
    drivers = worker.real_drivers(
        settings, store, SecretStore(settings.secrets_dir, settings.keys_folder, settings.site)
    )
    _occupy(drivers.guests["fake"]._world)  # type: ignore[attr-defined]  # one world, in memory, of this process
    beside = Worker(client, task_queue=QUEUE, workflows=[Looked], workflow_runner=sandbox.sandbox())
    workers = [*worker.build(client, settings, store, drivers), beside]
    async with asyncio.TaskGroup() as group:
        for each in workers:
            group.create_task(each.run())
        print(READY, flush=True)
        while not stop.is_set():
            report.write(Path(os.environ["BENCH_REPORT"]))
            await asyncio.sleep(1)
        await asyncio.gather(*(each.shutdown() for each in workers))
    store.close()


def _occupy(world: World) -> None:
    for number in range(int(os.environ["BENCH_COMPUTERS"])):
        world.put(machine(number))


def main() -> None:
    """Work, and leave without the interpreter's own end, which may abort (sdk-python#300)."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run())
    gc.collect()
    os._exit(0)


if __name__ == "__main__":
    main()
