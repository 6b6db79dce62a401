"""Worker, database, endpoint or Temporal server are away at every step of a capture, and every step fails once for
good: one revision, nothing left over.

Captures meet their faults in all steps at one time (``tests/workflows/capturing.py``), for real: processes are killed.
The machines are pretended, as files.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.people import People
from tests.store import postgresql
from tests.workflows.capturing import RECORDS, STEPS, UNDONE, image_of, settings
from tests.workflows.conftest import QUEUE, registered
from tests.workflows.faults import FAULTS, PATIENCE, Parts
from vclab.fake_world import Held, World
from vclab.model import ids
from vclab.model.catalog import Endpoint, IdentityPool, Image, User
from vclab.model.errors import Unreachable
from vclab.model.messages import Acknowledge, Capture, Done, How, Resolve
from vclab.model.reservations import ReserveRequest
from vclab.store import audit, catalog, needs_help, reservations
from vclab.store.engine import open_store
from vclab.store.image_tables import Revision
from vclab.store.models import Capture as CaptureRow
from vclab.store.models import Claim, Copy, Tenure

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

MADE = tuple(image_of(*step) for step in STEPS)
GIVEN_UP = tuple(image_of(*step) for step in UNDONE)
UNHELPED = tuple(image for image in MADE if image.startswith("hand-back"))
"""That a computer does not come back keeps nothing from going on."""
WRITTEN = tuple(image_of("record", name) for name in RECORDS)
UNANSWERED = image_of("record", "capture_begins")
"""Whoever asks for it is not answered before the fault."""
SEALED = Held("fake-1", 1)
"""What a revision holds: no accounts, no taint, no preparation."""
ONCE = Counter({"capture begins": 1, "raw copy taken": 1, "captured": 1, "boots": 2})
"""What happens in a capture, and how often its source is switched on: for its user at first, and again for it."""
GIVEN_UP_ONCE = ONCE - Counter({"captured": 1}) + Counter({"capture given up": 1})


class Capturing:
    """Servers, a worker, and captures in all steps."""

    def __init__(self, folder: Path, fault: str, database: postgresql.Server | None) -> None:
        self.parts = Parts(folder, "tests.workflows.capturing", database, fault=fault)
        self.store = open_store(self.parts.url)
        self.world = World(settings(folder, self.parts.url).fake)
        self.sources: dict[str, str] = {}  #: reservations, by the image that each becomes

    async def begin(self, images: tuple[str, ...]) -> None:
        """As many machines are in use, and begin to be captured."""
        self.store.migrate()
        self.store.run(_fill)
        self.client = await self.parts.server.client()
        await registered(self.client, PATIENCE)
        self.parts.start_worker()
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
        asked = {image: self._ask(image) for image in self.sources}
        self.unanswered = asked.pop(UNANSWERED, None)
        await asyncio.gather(*asked.values())

    def _ask(self, image: str) -> asyncio.Task[Done]:
        wanted = Capture(ids.new_id(), image, image)
        return asyncio.create_task(self.people.capture(self.sources[image], wanted))

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
        """Wait for it."""
        await self.parts.until(fact, lambda: (self.sources.keys() - self.parts.reached(), self.left()))

    def states(self) -> set[str]:
        """Of the reservations."""
        with self.store.read() as session:
            views = [reservations.view(session, id) for id in self.sources.values()]
        return {view.state if view else "" for view in views}

    async def over(self) -> None:
        """Wait until all captures have ended, and none has anything to do."""
        if self.unanswered is not None:
            with suppress(Unreachable):
                await self.unanswered
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

    def revisions(self) -> dict[tuple[str, int], tuple[str, str]]:
        """What was made: of each revision what it holds, and the reservation in which it was made."""
        with self.store.read() as session:
            made = session.scalars(sa.select(Revision).where(Revision.image.in_(self.sources)))
            return {(row.image, row.number): (row.sha256, row.reservation) for row in made}

    def happened(self) -> dict[str, Counter[str]]:
        """How often each act of a capture was written down, and its computer was switched on, by image."""
        booted = {machine.reservation: machine.boots for machine in self.world.all("fakes")}
        with self.store.read() as session:
            noted = {image: audit.events(session, id) for image, id in self.sources.items()}
        acts = {
            image: Counter(event.what for event in events if event.what in (ONCE | GIVEN_UP_ONCE))
            for image, events in noted.items()
        }
        return {image: acts[image] + Counter({"boots": booted[id]}) for image, id in self.sources.items()}

    def left(self) -> dict[str, object]:
        """All that is held or lies about."""
        with self.store.read() as session:
            claims = session.scalars(sa.select(Claim.holder).where(~Claim.released).distinct())
            tenures = session.scalars(sa.select(Tenure.holder).where(Tenure.released_at.is_(None)))
            return {
                "claims": set(claims),
                "tenures": sorted(tenures),
                "copies": {(copy.image, copy.path) for copy in session.scalars(sa.select(Copy))},
                "disks": {disk.path: disk.holds for disk in self.world.disks("fakes")},
                "machines": {machine.computer: machine.holds for machine in self.world.all("fakes")},
                "off": [machine.computer for machine in self.world.all("fakes") if not machine.on],
                "help": self.waiting(),
            }

    def expected(self) -> dict[str, object]:
        """That, when all has ended as it should."""
        holders = sorted(self.sources.values())
        return {
            "claims": set(holders),
            "tenures": holders,
            "copies": set(),  # the module makes none of its own, so none is recorded
            "disks": {f"[fake-ds] {image}/1/disk.vmdk": SEALED for image in self.sources if image not in GIVEN_UP},
            "machines": self.before,
            "off": [],
            "help": [],
        }

    def stop(self) -> None:
        """End it all."""
        self.parts.stop()
        self.store.close()


def _fill(session: Session) -> None:
    catalog.put_user(session, User("alice", 20001))
    catalog.put_image(session, Image("fake-1", "Fake", 1, "fake", "fake", 1, 1024, 8))
    catalog.put_endpoint(session, Endpoint("fakes", "fake", "fake:", "", "", ""))
    catalog.put_pool(session, IdentityPool("fk", 100))


@pytest.fixture
async def failing(tmp_path: Path) -> AsyncIterator[Capturing]:
    """All of it; every step fails."""
    made = Capturing(tmp_path, "fail", None)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
async def stopping(tmp_path: Path) -> AsyncIterator[Capturing]:
    """All of it, on a PostgreSQL server of its own; every step stops."""
    with postgresql.running() as database:
        made = Capturing(tmp_path, "stop", database)
        try:
            yield made
        finally:
            made.stop()


def check(capturing: Capturing) -> None:
    """Each revision is there once, nothing is left over, and the sources are unharmed and on."""
    made = {image: id for image, id in capturing.sources.items() if image not in GIVEN_UP}
    assert capturing.states() == {"inuse"}
    assert capturing.revisions() == {(image, 1): (SEALED.sha256, id) for image, id in made.items()}
    assert {image for image, why_not in capturing.ended().items() if why_not} == capturing.sources.keys() - made.keys()
    assert capturing.left() == capturing.expected()


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_revision_and_nothing_left_over(
    stopping: Capturing, fault: Callable[[Parts], Awaitable[None]]
) -> None:
    """Also in the steps that put back what was done, when it is given up."""
    images = MADE + WRITTEN + GIVEN_UP
    await stopping.begin(images)
    await stopping.resolve(How.GIVE_UP, GIVEN_UP)
    await stopping.until(lambda: stopping.parts.reached() == {*images})
    await fault(stopping.parts)
    await stopping.over()
    check(stopping)
    assert stopping.happened() == {image: ONCE if image not in GIVEN_UP else GIVEN_UP_ONCE for image in images}


async def test_every_step_fails_once_for_good(failing: Capturing) -> None:
    """An operator has it tried again."""
    await failing.begin(MADE)
    await failing.resolve(How.RETRY, tuple(image for image in MADE if image not in UNHELPED))
    await failing.over()
    assert failing.parts.reached() == {*MADE}
    check(failing)
