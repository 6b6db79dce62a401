"""Composition root: settings -> store, secrets and drivers -> activity objects -> Temporal workers; nothing else."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from activities.evidence import EvidenceActivities
from activities.fence import TenureFence
from activities.guest import GuestActivities
from activities.load_log import StoreLoadLog
from activities.loads import LoadRecords
from activities.places import PlaceActivities
from activities.provisioning import ProvisioningActivities
from activities.reconcile import ReconcileActivities
from activities.records import RecordActivities
from activities.spares import SpareActivities
from activities.steps import step_activities
from activities.troubles import TroubleRecords
from vclab import settings as configuration
from vclab.fake_world import World
from vclab.guests.base import Guest
from vclab.guests.fake import FakeGuest
from vclab.guests.linux import Linux
from vclab.model.catalog import Computer, Endpoint
from vclab.model.errors import Unreachable, VclabError
from vclab.model.plans import Facts, Target, Whereabouts
from vclab.model.steps import AsyncStep, BlockingStep
from vclab.provisioning.base import ProvisioningModule
from vclab.provisioning.fake import Fake
from vclab.provisioning.fake_metal import FakeMetal
from vclab.provisioning.standalone import Standalone
from vclab.provisioning.vsphere import VSphere
from vclab.secrets.store import SecretStore
from vclab.settings import Settings
from vclab.store import catalog, load_log, reservations, spares
from vclab.store.engine import Store, open_store
from vclab.temporal import schedules, search_attributes
from vclab.temporal.client import HOME_SITE, QUEUE, connect, site_queue
from vclab.temporal.sandbox import sandbox
from workflows.background_load import BackgroundLoad
from workflows.dismissal import Dismissal
from workflows.reclaim import Reclaim
from workflows.reconcile import Reconcile
from workflows.removal import Removal
from workflows.reservation import Reservation

SITE = HOME_SITE
BUILD = f"vclab-{version('vclab')}"
"""Named, because the SDK would else read and hash all modules, for seconds, at each start."""
SLOTS = 50
CACHED_WORKFLOWS = 200
"""Of those that wait, so many are kept ready, 160 KiB each; others are forgotten, and replayed when something happens
to them. Several classes at once fit in; what waits for hours need not."""
WORKFLOWS = (Reservation, BackgroundLoad, Reclaim, Removal, Reconcile, Dismissal)
STOP_SECONDS = 25.0
"""From being asked to stop to stopping whatever happens: activities have 10 s to end, then 10 s to be cancelled."""
log = logging.getLogger("vclab.worker")


@dataclass(frozen=True)
class Drivers:
    """What acts on the outside world, by name."""

    modules: Mapping[str, ProvisioningModule]
    guests: Mapping[str, Guest]
    secrets: SecretStore | None = None  #: where they keep what they make up for a tenure


def real_drivers(settings: Settings, store: Store, secrets: SecretStore) -> Drivers:
    """The drivers of a real installation."""

    def endpoint(name: str) -> Endpoint:
        with store.read() as session:
            return catalog.endpoint(session, name)

    vsphere = VSphere(
        endpoints=endpoint,
        password=secrets.get,
        installation=settings.installation,
        calls_at_once=settings.endpoint_calls_at_once,
        dhcp_leases=settings.dhcp_leases,
    )
    linux = Linux(settings.ssh_key, secrets, settings.management_addresses)

    def group(name: str) -> list[Computer]:
        with store.read() as session:
            return catalog.group(session, name)

    def why_not_free(machine: Computer) -> str:
        return asyncio.run(linux.why_not_free(machine.private_address, machine.host_key))

    def sanitize(target: Target) -> None:
        with store.read() as session:
            left = reservations.left(session, target, settings.rules())
        if left.opened or left.facts.host_key:  # a machine that was never reached holds nothing of ours
            asyncio.run(linux.sanitize(target, left.facts, left.access, left.opened))

    standalone = Standalone(group, why_not_free, sanitize)
    modules: dict[str, ProvisioningModule] = {vsphere.name: vsphere, standalone.name: standalone}
    guests: dict[str, Guest] = {linux.name: linux}
    if settings.fake.enabled:
        world = World(settings.fake)
        modules[Fake.name], guests[FakeGuest.name] = Fake(world, settings.installation), FakeGuest(world)
        modules[FakeMetal.name] = FakeMetal(world, settings.installation, group)
    return Drivers(modules, guests, secrets)


def build(client: Client, settings: Settings, store: Store, drivers: Drivers) -> list[Worker]:
    """The workers of one management node: workflows with their records, short and long hardware work of its site."""
    executor = ThreadPoolExecutor(max_workers=64, thread_name_prefix="hardware")
    records = ThreadPoolExecutor(max_workers=SLOTS, thread_name_prefix="records")
    fence = TenureFence(store)

    def endpoints() -> list[Endpoint]:
        with store.read() as session:
            return catalog.endpoints(session)

    def medians(image: str) -> Mapping[str, float]:
        with store.read() as session:
            return load_log.medians(session, image)

    live = configuration.Live(settings)
    record, trouble = RecordActivities(store, live), TroubleRecords(store, live)
    load = LoadRecords(store, live)

    def spare(target: Target) -> Facts:
        with store.read() as session:
            return spares.facts(session, target)

    def whereabouts(target: Target) -> Whereabouts:
        return drivers.modules[target.module].whereabouts(target)

    provisioning = ProvisioningActivities(drivers.modules, endpoints, medians, fence, executor, drivers.guests, spare)
    keeping = SpareActivities(drivers.guests, fence)
    places = PlaceActivities(provisioning.survey, store, live)
    guest = GuestActivities(drivers.guests, fence, whereabouts)
    evidence = EvidenceActivities(drivers.modules, drivers.guests, executor)
    health = settings.rules().health
    reconcile = ReconcileActivities(
        client, store, drivers.modules, endpoints, settings.reconcile, executor, health, drivers.secrets
    )
    tables: list[Mapping[str, BlockingStep] | Mapping[str, AsyncStep]] = [
        *(m.steps() for m in drivers.modules.values()),
        *(g.steps() for g in drivers.guests.values()),
    ]
    steps = step_activities(tables, fence, StoreLoadLog(store), executor, whereabouts)
    hardware = [
        provisioning.survey,
        places.await_place,
        provisioning.make_plan,
        provisioning.reset_computer,
        provisioning.remove_computer,
        provisioning.clear_computer,
        evidence.gather_evidence,
        keeping.make_spare,
        guest.grant_access,
        guest.close_access,
        guest.await_connection,
        guest.await_disconnection,
        guest.await_sight,
        guest.last_look,
        guest.notify_user,
        guest.reboot_guest,
        guest.await_boot,
        *steps,
    ]
    return [
        _worker(
            client,
            QUEUE,
            [
                record.place,
                record.begin,
                record.preloaded,
                record.put_off,
                record.move,
                record.ready,
                record.ready_late,
                record.rebooted,
                record.acknowledged,
                record.access_opened,
                record.connected,
                record.disconnected,
                record.extend,
                record.ended,
                record.finished,
                record.dismissed,
                record.kept,
                record.spare_leaves,
                record.spare_removed,
                record.refusal_noted,
                record.held,
                load.load_begins,
                load.load_ended,
                trouble.step_failed,
                trouble.elsewhere,
                trouble.moved,
                trouble.help_needed,
                trouble.helped,
                trouble.not_let_in,
                reconcile.find_strays,
                *hardware,
            ],
            slots=SLOTS,
            workflows=WORKFLOWS,
            workflow_runner=sandbox(),
            activity_executor=records,
            max_concurrent_local_activities=16,
            max_cached_workflows=CACHED_WORKFLOWS,
        ),
        # What began before short work went to the workflows' queue, or comes from another site's workflows, asks here.
        _worker(client, site_queue(SITE), hardware, slots=SLOTS),
        _worker(client, site_queue(SITE, long=True), steps, slots=10),
    ]


def _worker(client: Client, queue: str, activities: list, slots: int, **others: Any) -> Worker:  # type: ignore[type-arg]
    """A worker of one queue. Heartbeats go out at once, so that a cancel arrives at once."""
    return Worker(
        client,
        task_queue=queue,
        activities=activities,
        max_concurrent_activities=slots,
        build_id=BUILD,
        max_heartbeat_throttle_interval=timedelta(seconds=1),
        default_heartbeat_throttle_interval=timedelta(seconds=1),
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
    secrets = SecretStore(settings.secrets_dir)
    client = await connect(settings.temporal)
    await search_attributes.register(client)
    await schedules.ensure(client, settings.reconcile)
    drivers = real_drivers(settings, store, secrets)
    workers = build(client, settings, store, drivers)
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(worker.run()) for worker in workers]
        log.info("working: %s", ", ".join(worker.task_queue for worker in workers))
        await stop.wait()
        _leave_at_last()
        await asyncio.gather(*(worker.shutdown() for worker in workers))
        await asyncio.gather(*runs)
    for module in drivers.modules.values():
        await asyncio.to_thread(module.close)
    store.close()


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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)  # at INFO it tells each connection and channel
    code = 0
    try:
        asyncio.run(run(configuration.load()))
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
