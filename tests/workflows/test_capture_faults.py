"""A worker is killed in every step of a capture, and every step fails once for good: one revision, nothing left over.

Captures meet their faults in all steps at one time (``tests/workflows/capturing.py``), for real: a process is killed.
The machines are pretended, as files.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.people import People
from tests.temporal_server import TimeServer
from tests.workflows.capturing import STEPS, UNDONE, image_of, settings
from tests.workflows.conftest import QUEUE, registered
from vclab.fake_world import World
from vclab.model import ids
from vclab.model.catalog import Endpoint, IdentityPool, Image, User
from vclab.model.messages import Acknowledge, Capture, How, Resolve
from vclab.model.reservations import ReserveRequest
from vclab.store import catalog, needs_help, reservations
from vclab.store.engine import open_store
from vclab.store.models import Capture as CaptureRow
from vclab.store.models import Claim, Copy, Tenure

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

PATIENCE = 150.0
"""Seconds that anything may take on a busy machine."""
MADE = tuple(image_of(*step) for step in STEPS)
GIVEN_UP = tuple(image_of(*step) for step in UNDONE)
UNHELPED = tuple(image for image in MADE if image.startswith("hand-back"))
"""That a computer does not come back keeps nothing from going on."""


class Capturing:
    """Servers, a worker, and captures in all steps."""

    def __init__(self, folder: Path, fault: str) -> None:
        self.folder, self.server = folder, TimeServer(folder)
        self.settings = settings(folder)
        self.store, self.world = open_store(self.settings.database), World(self.settings.fake)
        (folder / "given.json").write_text(json.dumps({"fault": fault, "server": self.server.address}))
        self.sources: dict[str, str] = {}  #: reservations, by the image that each becomes
        self._worker: subprocess.Popen[bytes] | None = None

    def start_worker(self) -> None:
        """Another one."""
        program = [sys.executable, "-m", "tests.workflows.capturing", str(self.folder / "given.json")]
        with (self.folder / "worker.log").open("ab") as log:
            self._worker = subprocess.Popen(program, stdout=log, stderr=log)

    def kill_worker(self) -> None:
        """As a power cut would."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait(20)

    async def begin(self, images: tuple[str, ...]) -> None:
        """As many machines are in use, and begin to be captured."""
        self.store.migrate()
        self.store.run(_fill)
        self.client = await self.server.client()
        await registered(self.client)
        self.start_worker()
        self.people = People(self.client, QUEUE, self.store)
        self.operator = self.people.of("olga", operator=True)
        self.sources = {image: ids.new_id() for image in images}
        for id in self.sources.values():
            await self.people.reserve(ReserveRequest(id, "alice", "fake-1", 3600.0, imaging=True), timeout=PATIENCE)
        await self.until(lambda: self.states() == {"reserved"})
        for id in self.sources.values():
            await self.people.acknowledge(id, Acknowledge("203.0.113.101"))
        await self.until(lambda: self.states() == {"inuse"})
        self.before = {machine.computer: machine.holds for machine in self.world.all("fakes")}
        for image, id in self.sources.items():
            await self.people.capture(id, Capture(ids.new_id(), image, image))

    def go(self) -> None:
        """Nothing is held any more."""
        (self.folder / "go").touch()

    def reached(self) -> set[str]:
        """The captures that have met their fault, as often as they do."""
        return {file.name.partition(".")[0] for file in self.folder.glob("*.reached")}

    async def resolve(self, how: How, images: tuple[str, ...]) -> None:
        """An operator's word, when all of these need it."""
        wanted = {self.sources[image] for image in images}
        await self.until(lambda: wanted <= set(self.waiting()))
        for id in wanted:
            await self.operator.resolve(id, Resolve(how))

    def waiting(self) -> list[str]:
        """The reservations that need help."""
        with self.store.read() as session:
            return [id for id, _ in needs_help.waiting(session)]

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait for it; the worker's log when it does not come."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not fact():
                    await asyncio.sleep(0.2)
        except TimeoutError:
            missing = {*MADE, *GIVEN_UP} - self.reached()
            log = (self.folder / "worker.log").read_text()[-4000:]
            pytest.fail(f"not met: {missing}; waiting: {self.waiting()}; {self.left()}\n{log}")

    def states(self) -> set[str]:
        """Of the reservations."""
        with self.store.read() as session:
            views = [reservations.view(session, id) for id in self.sources.values()]
        return {view.state if view else "" for view in views}

    async def over(self) -> None:
        """Wait until all captures have ended, and none has anything to do."""
        await self.until(lambda: len(self.ended()) == len(self.sources))
        query = 'WorkflowType = "capture" AND ExecutionStatus = "Running"'
        async with asyncio.timeout(PATIENCE):
            while [found async for found in self.client.list_workflows(query)]:
                await asyncio.sleep(0.2)

    def ended(self) -> dict[str, str]:
        """Why the captures that have ended were given up, by image; empty: they were not."""
        with self.store.read() as session:
            ended = session.scalars(sa.select(CaptureRow).where(CaptureRow.ended.is_not(None)))
            return {row.image: row.why_not for row in ended}

    def revisions(self) -> dict[str, int]:
        """What was made, with the newest number."""
        with self.store.read() as session:
            newest = {image: catalog.newest_revision(session, image) for image in self.sources}
        return {image: number for image, number in newest.items() if number}

    def left(self) -> dict[str, object]:
        """All that is held or lies about."""
        with self.store.read() as session:
            claims = session.scalars(sa.select(Claim.holder).where(~Claim.released).distinct())
            tenures = session.scalars(sa.select(Tenure.holder).where(Tenure.released_at.is_(None)))
            return {
                "claims": set(claims),
                "tenures": sorted(tenures),
                "copies": {(copy.image, copy.path) for copy in session.scalars(sa.select(Copy))},
                "disks": {disk.path for disk in self.world.disks("fakes")},
                "machines": {machine.computer: machine.holds for machine in self.world.all("fakes")},
                "off": [machine.computer for machine in self.world.all("fakes") if not machine.on],
                "help": self.waiting(),
            }

    def expected(self) -> dict[str, object]:
        """That, when all has ended as it should."""
        holders = sorted(self.sources.values())
        published = {image: f"[fake-ds] {image}/1/disk.vmdk" for image in self.sources if image in MADE}
        return {
            "claims": set(holders),
            "tenures": holders,
            "copies": set(),  # the module makes none of its own, so none is recorded
            "disks": set(published.values()),
            "machines": self.before,
            "off": [],
            "help": [],
        }

    def stop(self) -> None:
        """End it all."""
        self.kill_worker()
        self.server.stop()
        self.store.close()


def _fill(session: Session) -> None:
    catalog.put_user(session, User("alice", 20001, imaging=True))
    catalog.put_image(session, Image("fake-1", "Fake", 1, "fake", "fake", 1, 1024, 8))
    catalog.put_endpoint(session, Endpoint("fakes", "fake", "fake:", "", "", ""))
    catalog.put_pool(session, IdentityPool("fk", 100))


@pytest.fixture
async def capturing(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Capturing]:
    """All of it."""
    made = Capturing(tmp_path, request.param)
    try:
        yield made
    finally:
        made.stop()


def check(capturing: Capturing) -> None:
    """Each revision is there once, nothing is left over, and the sources are unharmed and on."""
    assert capturing.states() == {"inuse"}
    assert capturing.revisions() == {image: 1 for image in capturing.sources if image in MADE}
    assert {image for image, why_not in capturing.ended().items() if why_not} == {*GIVEN_UP} & {*capturing.sources}
    assert capturing.left() == capturing.expected()


@pytest.mark.parametrize("capturing", ["stop"], indirect=True)
async def test_the_worker_is_killed_in_every_step(capturing: Capturing) -> None:
    """Also in those that put back what was done, when it is given up."""
    await capturing.begin(MADE + GIVEN_UP)
    await capturing.resolve(How.GIVE_UP, GIVEN_UP)
    await capturing.until(lambda: capturing.reached() == {*MADE, *GIVEN_UP})
    capturing.kill_worker()
    capturing.go()
    capturing.start_worker()
    await capturing.over()
    check(capturing)


@pytest.mark.parametrize("capturing", ["fail"], indirect=True)
async def test_every_step_fails_once_for_good(capturing: Capturing) -> None:
    """An operator has it tried again."""
    await capturing.begin(MADE)
    await capturing.resolve(How.RETRY, tuple(image for image in MADE if image not in UNHELPED))
    await capturing.over()
    assert capturing.reached() == {*MADE}
    check(capturing)
