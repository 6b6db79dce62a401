"""What is killed, or away, while a worker stops in every step of something: the parts, and the faults that meet them.

The worker is a process, ``python -m PROGRAM FILE``, that is given a JSON file in the folder. It holds what it stops in
until there is a file ``go``; its endpoint can't be reached while there is a file ``away``.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store import postgresql
from tests.temporal_server import TimeServer

PATIENCE = 150.0
"""Seconds that anything may take on a busy machine."""
OUTAGE = 8.0
"""Longer than a heartbeat time-out: another attempt may begin meanwhile."""


class Parts:
    """A worker, a Temporal server, a database, and an endpoint in a folder."""

    def __init__(self, folder: Path, program: str, database: postgresql.Server | None = None, **given: str) -> None:
        """Without a ``database`` it is SQLite in the folder. ``given``: what else the worker is given."""
        self.folder, self.database, self.server = folder, database, TimeServer(folder)
        self.url = database.url(database.durable()) if database else f"sqlite:///{folder}/vclab.db"
        self._program, self._given, self._log = program, folder / "given.json", folder / "worker.log"
        self._given.write_text(json.dumps({"database": self.url, "server": self.server.address, **given}))
        self.worker: subprocess.Popen[bytes] | None = None

    def start_worker(self) -> None:
        """Another one."""
        with self._log.open("ab") as log:
            words = [sys.executable, "-m", self._program, str(self._given)]
            self.worker = subprocess.Popen(words, stdout=log, stderr=log)

    def kill_worker(self) -> None:
        """As a power cut would."""
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait(20)

    def go(self) -> None:
        """Nothing is held any more."""
        (self.folder / "go").touch()

    def reached(self) -> set[str]:
        """What has been stopped in."""
        return {file.name.partition(".")[0] for file in self.folder.glob("*.reached")}

    async def until(self, fact: Callable[[], bool], seen: Callable[[], object]) -> None:
        """Wait for it; what is seen and the worker's log when it does not come."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not fact():
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pytest.fail(f"{seen()}\n{self._log.read_text()[-4000:]}")

    def stop(self) -> None:
        """End them; the database is whoever's it is."""
        self.kill_worker()
        self.server.stop()


async def worker_killed(parts: Parts) -> None:
    """Another one goes on."""
    parts.kill_worker()
    parts.go()
    parts.start_worker()


async def database_killed(parts: Parts) -> None:
    """It is away for a while."""
    assert parts.database is not None
    parts.database.stop(postgresql.IMMEDIATE_SHUTDOWN)
    parts.go()
    await asyncio.sleep(OUTAGE)
    parts.database.start()


async def endpoint_away(parts: Parts) -> None:
    """Nothing is lost, but for its answers."""
    (parts.folder / "away").touch()
    parts.go()
    await asyncio.sleep(OUTAGE)
    (parts.folder / "away").unlink()


async def temporal_killed(parts: Parts) -> None:
    """It is away for a while."""
    parts.server.kill()
    parts.go()
    await asyncio.sleep(OUTAGE)
    parts.server.start()


FAULTS = (worker_killed, database_killed, endpoint_away, temporal_killed)
