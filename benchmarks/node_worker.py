"""The process of the bench's worker: the product's own workers on the fake module, and a worker for the bare workflow.

python -m benchmarks.node_worker        (settings from $VCLAB_CONFIG)
"""

import asyncio
import gc
import logging
import os
import signal
from datetime import timedelta

import uvloop
from temporalio.worker import Worker

import worker
from benchmarks import bare
from vclab import settings as configuration
from vclab.secrets.store import SecretStore
from vclab.store.engine import open_store
from vclab.temporal import sandbox, search_attributes
from vclab.temporal.client import connect

READY = "working"


async def run() -> None:
    """Work until SIGTERM. The reconciler's schedule is left out: it would be measured now and then."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = configuration.load()
    store = open_store(settings.database)
    client = await connect(settings.temporal)
    await search_attributes.register(client)
    drivers = worker.real_drivers(
        settings, store, SecretStore(settings.secrets_dir, settings.keys_folder, settings.site)
    )
    beside = Worker(
        client,
        task_queue=bare.QUEUE,
        workflows=[bare.Bare],
        activities=[bare.nothing, bare.nothing_local],
        workflow_runner=sandbox.sandbox(),
        max_concurrent_activities=50,
        max_concurrent_workflow_tasks=settings.worker.workflow_tasks,
        max_cached_workflows=settings.worker.cached_workflows,
        build_id=worker.BUILD,
        graceful_shutdown_timeout=timedelta(seconds=10),
    )
    workers = [*worker.build(client, settings, store, drivers), beside]
    async with asyncio.TaskGroup() as group:
        for each in workers:
            group.create_task(each.run())
        print(READY, flush=True)
        await stop.wait()
        await asyncio.gather(*(each.shutdown() for each in workers))
    store.close()


def main() -> None:
    """Work, and leave without the interpreter's own end, which may abort (sdk-python#300)."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    uvloop.run(run())
    gc.collect()
    os._exit(0)


if __name__ == "__main__":
    main()
