"""Worker, database, endpoint or Temporal server are away at every step of a copy: one usable copy, nothing left over.

Each fault meets copies in all steps at one time (``tests/workflows/copying.py``), for real: processes are killed.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.people import People
from tests.store import postgresql
from tests.temporal_server import TimeServer
from tests.workflows.conftest import IMAGE, QUEUE, registered, seed
from tests.workflows.copying import MADE, REMOVED, copy_at, wanted
from vclab.model import ids, messages
from vclab.model.catalog import IdentityPool
from vclab.model.reservations import ReserveRequest
from vclab.model.revisions import Copied, CopyState
from vclab.store import catalog, copies, reservations
from vclab.store.engine import open_store
from vclab.store.models import Claim, Copy, CopyWaiter

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

PATIENCE = 120.0
"""Seconds that anything may take on a busy machine."""
AWAY = 8.0
"""Longer than a heartbeat time-out: another attempt may begin meanwhile."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Copying:
    """Servers, a worker, and copies in all steps."""

    def __init__(self, folder: Path, database: postgresql.Server) -> None:
        self.folder, self.database, self.server = folder, database, TimeServer(folder)
        self.url = database.url(durable(database))
        self.store = open_store(self.url)
        (folder / "given.json").write_text(json.dumps({"database": self.url, "server": self.server.address}))
        self._worker: subprocess.Popen[bytes] | None = None
        self.waiting: list[str] = []

    def start_worker(self) -> None:
        """Another one."""
        program = [sys.executable, "-m", "tests.workflows.copying", str(self.folder / "given.json")]
        with (self.folder / "worker.log").open("ab") as log:
            self._worker = subprocess.Popen(program, stdout=log, stderr=log)

    def kill_worker(self) -> None:
        """As a power cut would."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait(20)

    async def begin(self) -> None:
        """Copies that are wanted, and copies that are to be deleted; each stops in its own step."""
        seed(self.store)
        self.store.run(self._fill)
        self.client = await self.server.client()
        await registered(self.client, PATIENCE)
        self.start_worker()
        people = People(self.client, QUEUE, self.store)
        for step in MADE:
            self.waiting.append(ids.new_id())
            await people.reserve(ReserveRequest(self.waiting[-1], "alice", step, 3600.0))
        for step in REMOVED:
            id = messages.copy_removal_workflow(wanted(step))
            await self.client.start_workflow(messages.COPY_REMOVAL, wanted(step), id=id, task_queue=QUEUE)
        await self.until(lambda: {file.stem for file in self.folder.glob("*.reached")} == {*MADE, *REMOVED})

    def _fill(self, session: Session) -> None:
        catalog.put_pool(session, IdentityPool("vm", 20))
        for step in MADE:
            image = replace(IMAGE, name=step)
            catalog.put_image(session, image)
            copies.seen(session, image, "vc", ["ds0"], NOW)
        for step in REMOVED:
            catalog.put_image(session, replace(IMAGE, name=step))
            copies.begin(session, wanted(step), NOW, kept=True)
            copies.made(session, wanted(step), Copied(""), NOW)
            copies.leave_use(session, wanted(step), NOW)
            copy_at(self.folder, wanted(step)).touch()

    def go(self) -> None:
        """Nothing is held any more."""
        (self.folder / "go").touch()

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait for it; the worker's log when it does not come."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not fact():
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pytest.fail(f"{self.seen()}\n{(self.folder / 'worker.log').read_text()[-4000:]}")

    def states(self) -> list[str]:
        """Of the reservations."""
        with self.store.read() as session:
            views = [reservations.view(session, id) for id in self.waiting]
        return [view.state if view else "" for view in views]

    def seen(self) -> dict[str, object]:
        """All that there is of copies: rows, waiters, room, files."""
        with self.store.read() as session:
            rows = session.execute(sa.select(Copy.image, Copy.storage, Copy.state)).all()
            holders = sa.select(Claim.holder).where(Claim.holder.startswith("copy-"), ~Claim.released)
            return {
                "rows": {(image, storage): state for image, storage, state in rows},
                "waiters": list(session.scalars(sa.select(CopyWaiter.reservation))),
                "room": list(session.scalars(holders)),
                "files": {file.name for file in self.folder.glob("*.copy*")},
                "states": self.states(),
            }

    async def running(self) -> list[str]:
        """The workflows of copies that run."""
        query = f'WorkflowType IN ("{messages.COPY}", "{messages.COPY_REMOVAL}") AND ExecutionStatus = "Running"'
        return [found.id async for found in self.client.list_workflows(query)]

    def stop(self) -> None:
        """End it all."""
        self.kill_worker()
        self.server.stop()
        self.store.close()


def durable(database: postgresql.Server) -> str:
    """A database that loses nothing when its server is killed, other than those of the other tests."""
    name = database.create()
    with psycopg.connect(database.url(name), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = on".encode())
    return name


@pytest.fixture
async def copying(tmp_path: Path) -> AsyncIterator[Copying]:
    """All of it, on a PostgreSQL server of its own."""
    with postgresql.running() as database:
        made = Copying(tmp_path, database)
        try:
            await made.begin()
            yield made
        finally:
            made.stop()


async def worker_killed(copying: Copying) -> None:
    copying.kill_worker()
    copying.go()
    copying.start_worker()


async def worker_hung(copying: Copying) -> None:
    """Another one takes its work over, then it goes on."""
    hung, copying._worker = copying._worker, None
    assert hung is not None
    hung.send_signal(signal.SIGSTOP)
    copying.go()
    copying.start_worker()
    await copying.until(lambda: set(copying.states()) == {"reserved"})
    hung.send_signal(signal.SIGCONT)
    await asyncio.sleep(3)
    hung.kill()
    hung.wait(20)


async def database_killed(copying: Copying) -> None:
    copying.database.stop(postgresql.IMMEDIATE_SHUTDOWN)
    copying.go()
    await asyncio.sleep(AWAY)
    copying.database.start()


async def endpoint_away(copying: Copying) -> None:
    (copying.folder / "away").touch()
    copying.go()
    await asyncio.sleep(AWAY)
    (copying.folder / "away").unlink()


async def temporal_killed(copying: Copying) -> None:
    copying.server.kill()
    copying.go()
    await asyncio.sleep(AWAY)
    copying.server.start()


@pytest.mark.parametrize("fault", [worker_killed, worker_hung, database_killed, endpoint_away, temporal_killed])
async def test_one_copy_and_nothing_left_over(copying: Copying, fault: Callable[[Copying], Awaitable[None]]) -> None:
    await fault(copying)
    await copying.until(lambda: set(copying.states()) == {"reserved"})
    async with asyncio.timeout(PATIENCE):
        while await copying.running():
            await asyncio.sleep(0.2)
    assert copying.seen() == {
        "rows": {(step, storage): CopyState.USABLE for step in MADE for storage in ("ds0", "ds1")},
        "waiters": [],
        "room": [],
        "files": {copy_at(copying.folder, wanted(step)).name for step in MADE},
        "states": ["reserved"] * len(MADE),
    }
