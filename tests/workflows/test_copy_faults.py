"""Worker, database, endpoint or Temporal server are away at every step of a copy: one usable copy, nothing left over.

Each fault meets copies in all steps at one time (``tests/workflows/copying.py``), for real: processes are killed.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.people import People
from tests.store import postgresql
from tests.workflows.conftest import IMAGE, QUEUE, registered, seed
from tests.workflows.copying import MADE, REMOVED, copy_at, wanted
from tests.workflows.faults import FAULTS, PATIENCE, Parts
from vclab.model import ids, messages
from vclab.model.catalog import IdentityPool
from vclab.model.reservations import ReserveRequest
from vclab.model.revisions import Copied, CopyState
from vclab.store import catalog, copies, reservations
from vclab.store.engine import open_store
from vclab.store.models import Claim, Copy, CopyWaiter

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Copying:
    """Servers, a worker, and copies in all steps."""

    def __init__(self, folder: Path, database: postgresql.Server) -> None:
        self.folder = folder
        self.parts = Parts(folder, "tests.workflows.copying", database)
        self.store = open_store(self.parts.url)
        self.waiting: list[str] = []

    async def begin(self) -> None:
        """Copies that are wanted, and copies that are to be deleted; each stops in its own step."""
        seed(self.store)
        self.store.run(self._fill)
        self.client = await self.parts.server.client()
        await registered(self.client, PATIENCE)
        self.parts.start_worker()
        people = People(self.client, QUEUE, self.store)
        for step in MADE:
            self.waiting.append(ids.new_id())
            await people.reserve(ReserveRequest(self.waiting[-1], "alice", step, 3600.0))
        for step in REMOVED:
            id = messages.copy_removal_workflow(wanted(step))
            await self.client.start_workflow(messages.COPY_REMOVAL, wanted(step), id=id, task_queue=QUEUE)
        await self.until(lambda: self.parts.reached() == {*MADE, *REMOVED})

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

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait for it."""
        await self.parts.until(fact, self.seen)

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
        self.parts.stop()
        self.store.close()


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


async def worker_hung(copying: Copying) -> None:
    """Another one takes its work over, then it goes on."""
    hung, copying.parts.worker = copying.parts.worker, None
    assert hung is not None
    hung.send_signal(signal.SIGSTOP)
    copying.parts.go()
    copying.parts.start_worker()
    await copying.until(lambda: set(copying.states()) == {"reserved"})
    hung.send_signal(signal.SIGCONT)
    await asyncio.sleep(3)
    hung.kill()
    hung.wait(20)


async def check(copying: Copying) -> None:
    """Each copy is there once, and nothing is left over."""
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


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_copy_and_nothing_left_over(copying: Copying, fault: Callable[[Parts], Awaitable[None]]) -> None:
    await fault(copying.parts)
    await check(copying)


async def test_a_worker_hangs_and_goes_on_later(copying: Copying) -> None:
    await worker_hung(copying)
    await check(copying)
