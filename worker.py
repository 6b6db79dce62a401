"""Composition root: settings -> store, secrets and drivers -> activities -> Temporal workers; nothing else."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import Any

import uvloop
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.drivers import Drivers
from activities.exports import Activities, export
from activities.lab_machines import LabMachines
from activities.reader import Reader
from vclab import settings as configuration
from vclab.fake_world import World
from vclab.guests.base import Guest
from vclab.guests.fake import FakeGuest
from vclab.guests.linux import Linux
from vclab.model.errors import Unreachable, VclabError
from vclab.model.messages import looks_queue, site_queue
from vclab.netboot.dnsmasq import Network
from vclab.power.base import Bmc
from vclab.power.control import Power
from vclab.process import harden
from vclab.provisioning import registry
from vclab.provisioning.kind import Metal, Surroundings
from vclab.secrets.store import SecretStore
from vclab.settings import Settings, WorkerSettings
from vclab.store.engine import Store, open_store
from vclab.temporal import metrics, schedules, search_attributes
from vclab.temporal.client import connect
from vclab.temporal.sandbox import patient, sandbox
from workflows import WORKFLOWS, profiles

BUILD = f"vclab-{version('vclab')}"
"""Named, because the SDK would else read and hash all modules, for seconds, at each start."""
LOOK_SLOTS = 100_000
"""A look holds nothing between two times: the number is only to be larger than that of the computers."""
STOP_SECONDS = 25.0
"""From being asked to stop to stopping whatever happens: activities have 10 s to end, then 10 s to be cancelled."""
log = logging.getLogger("vclab.worker")


def real_drivers(settings: Settings, store: Store, secrets: SecretStore) -> Drivers:
    """The drivers of a real installation."""
    reader, world = Reader(store), World(settings.fake)
    linux = Linux(settings.ssh_key, secrets, settings.management_addresses)
    lab_machines = LabMachines(store, linux, settings.rules())
    power = Power(_power_password(secrets), lambda bmc: lab_machines.shut_down(bmc.computer))
    surroundings = Surroundings(
        installation=settings.installation,
        endpoints=reader.endpoint,
        password=secrets.endpoint_password,
        group=reader.group,
        why_not_free=lab_machines.why_not_free,
        sanitize=lab_machines.sanitize,
        wake=partial(lab_machines.wake, power),
        calls_at_once=settings.endpoint_calls_at_once,
        metal=_metal(settings, reader, power),
        dhcp_leases=settings.dhcp_leases,
        world=world,
    )
    guests: dict[str, Guest] = {linux.name: linux}
    if settings.fake.enabled:
        guests[FakeGuest.name] = FakeGuest(world)
    return Drivers(registry.build(surroundings, pretended=settings.fake.enabled), guests, secrets, power)


def _power_password(secrets: SecretStore) -> Callable[[Bmc], str]:
    """The password of a BMC, for where it is switched now."""
    return lambda bmc: secrets.power_password(bmc.password_ref, str(bmc.address), bmc.fingerprint)


def _metal(settings: Settings, reader: Reader, power: Power) -> Metal:
    """Raises ``Invalid`` for a provisioning network that can't be."""
    given = settings.netboot
    here = given.interface, given.address, given.root, given.proxy
    network = Network(*here, log=given.log) if given.interface else None
    return Metal(
        power=power,
        network=network,
        shared=given.shared,
        ssh_key=settings.ssh_key,
        switched=reader.power,
        repositories=reader.repositories,
        all_repositories=lambda: reader.all_repositories(settings.site),
        captured=reader.captured,
        streams_at_once=given.streams_at_once,
    )


def build(client: Client, settings: Settings, store: Store, drivers: Drivers) -> list[Worker]:
    """One worker for each queue of this machine's roles.

    Where the workflows' queue is also the site's, one worker polls it for both: only the worker that has just run a
    workflow task is given the activities that it asks for without a detour (eager start).
    """
    limits = settings.worker
    slots = limits.activities + limits.long_activities
    executor = ThreadPoolExecutor(max_workers=slots, thread_name_prefix="hardware")
    exported = export(client, settings, store, drivers, executor)
    short: dict[str, Activities] = {}
    workers = []
    if "site" in settings.roles:
        short[site_queue(settings.site)] = exported.hardware
        workers.append(_worker(client, site_queue(settings.site, long=True), exported.steps, limits.long_activities))
        workers.append(_looks_worker(client, looks_queue(settings.site), exported.looks))
    if "workflows" in settings.roles:
        queue = settings.temporal.workflow_queue
        of_site = short.pop(queue, exported.survey)
        workers.append(_workflow_worker(client, queue, [*exported.records, *exported.rounds, *of_site], limits))
    return [*(_worker(client, queue, activities, limits.activities) for queue, activities in short.items()), *workers]


def _workflow_worker(client: Client, queue: str, activities: Activities, limits: WorkerSettings) -> Worker:
    return patient(
        _worker(
            client,
            queue,
            activities,
            limits.activities,
            workflows=WORKFLOWS,
            workflow_runner=sandbox(),
            activity_executor=ThreadPoolExecutor(max_workers=limits.activities, thread_name_prefix="records"),
            max_concurrent_local_activities=16,
            max_concurrent_workflow_tasks=limits.workflow_tasks,
            max_cached_workflows=limits.cached_workflows,
        )
    )


def _looks_worker(client: Client, queue: str, activities: Activities) -> Worker:
    """Looks send no more heartbeats than their time-outs need: there may be ten thousand."""
    return _worker(client, queue, activities, LOOK_SLOTS, heartbeats=profiles.LOOK_HEARTBEAT * 0.8)


def _worker(
    client: Client,
    queue: str,
    activities: Activities,
    slots: int,
    heartbeats: timedelta = timedelta(seconds=1),
    **others: Any,
) -> Worker:
    """A worker of one queue. Heartbeats go out at once (but for ``heartbeats``), so that a cancel arrives at once."""
    return Worker(
        client,
        task_queue=queue,
        activities=activities,
        max_concurrent_activities=slots,
        build_id=BUILD,
        max_heartbeat_throttle_interval=heartbeats,
        default_heartbeat_throttle_interval=heartbeats,
        graceful_shutdown_timeout=timedelta(seconds=10),
        **others,
    )


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. Raises ``Unreachable`` when server or database is not there at the start."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    store = open_store(settings.database)
    store.check()
    secrets = SecretStore(settings.secrets_dir, settings.keys_folder, settings.site)
    runtime = metrics.serve(settings.metrics.address) if settings.metrics.address else None
    client = await connect(settings.temporal, runtime=runtime)
    if "workflows" in settings.roles:
        await search_attributes.register(client)
        await schedules.ensure(client, settings)
    drivers = real_drivers(settings, store, secrets)
    workers = build(client, settings, store, drivers)
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(worker.run()) for worker in workers]
        log.info("working: %s", ", ".join(worker.task_queue for worker in workers))
        gauges = group.create_task(metrics.keep_gauges(runtime.metric_meter, _gauges(store))) if runtime else None
        await stop.wait()
        if gauges is not None:
            gauges.cancel()
        _leave_at_last()
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        await asyncio.gather(*runs)
    await asyncio.to_thread(drivers.close)
    store.close()


def _gauges(store: Store) -> list[metrics.Gauge]:
    reader = Reader(store)
    return [
        metrics.Gauge("vclab_reservations", "By state", reader.reservations_by_state),
        metrics.Gauge("vclab_computers", "By state", reader.computers_by_state),
        metrics.Gauge("vclab_emergency_administrator", "By state", reader.emergencies_by_state),
    ]


def _leave_at_last() -> None:
    """A call that hangs can't be stopped from outside. All work may be cut off: the next worker takes it up again."""

    def leave() -> None:
        log.warning("not all work has ended within %.0f s; the next worker takes it up again", STOP_SECONDS)
        os._exit(0)

    timer = threading.Timer(STOP_SECONDS, leave)
    timer.daemon = True
    timer.start()


def main() -> None:
    """Run the worker; exit 0 when asked to stop, 5 when something it needs is not there."""
    harden()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)  # at INFO it tells each connection and channel
    code = 0
    try:
        uvloop.run(run(configuration.load()))
    except Unreachable as error:
        log.error("%s", error)
        code = 5
    except RPCError as error:
        log.error("the Temporal server refuses: %s (`vclab doctor` looks at the set-up)", error.message)
        code = 5
    except VclabError as error:
        log.error("%s", error)
        code = 3
    # The SDK may abort the process at interpreter exit (sdk-python#300): collect, flush and leave.
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
