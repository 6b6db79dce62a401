"""``vclab-api``: the API server of one installation. Several may run side by side; none keeps anything."""

import asyncio
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import uvloop

from vclab import settings as configuration
from vclab.api import metrics
from vclab.api.app import make_app
from vclab.api.log import nobody
from vclab.api.server import server
from vclab.model.errors import Unreachable, VclabError
from vclab.process import harden
from vclab.service.backend import Backend
from vclab.settings import Settings
from vclab.store.engine import CONNECTIONS

log = logging.getLogger("vclab.api")

THREADS = sum(CONNECTIONS.values())
"""For all that blocks: as many as the store has connections, so that reads go on while some wait for a writer."""


async def run(settings: Settings) -> bool:
    """Serve until SIGTERM or SIGINT. False when it could not begin."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "work"))
    observe = metrics.observer(settings.api.metrics) if settings.api.metrics else nobody
    made = server(make_app(Backend(settings), observe=observe), settings.api)
    log.info("serving at %s", settings.api.listen)
    await made.serve()
    return made.started


def main() -> None:
    """Run the server; exit 0 when asked to stop, 5 when something it needs is not there."""
    harden()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    code = 0
    try:
        code = 0 if uvloop.run(run(configuration.load())) else 5
    except (Unreachable, OSError) as error:
        log.error("%s", error)
        code = 5
    except VclabError as error:
        log.error("%s", error)
        code = 3
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the SDK may abort the process at interpreter exit (sdk-python#300)


if __name__ == "__main__":
    main()
