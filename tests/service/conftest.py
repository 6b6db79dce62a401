"""An installation on a real SQLite store, with scripted workflows: what reaches them, and what their records do."""

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.asgi import Api
from tests.believing import believed
from tests.secret_store import secret_store
from tests.store.lab import RULES, filled_database, inventory, seed
from vclab.client.protocol import Client
from vclab.model import messages
from vclab.model import power as model_power
from vclab.model.errors import Unreachable
from vclab.model.ids import new_id
from vclab.model.inspections import Inspected
from vclab.model.intents import Author, Intent
from vclab.model.messages import Done, Placement
from vclab.model.power import PowerSeen
from vclab.model.reservations import Placed, ReservationView, ReserveRequest
from vclab.model.retention import Forget, Forgotten
from vclab.model.revisions import Wanted
from vclab.model.rules import Rules
from vclab.service.actor import Actor
from vclab.service.authentication import Account
from vclab.service.backend import Backend
from vclab.settings import Settings
from vclab.store import intents, placement, reservations
from vclab.store.engine import Store

NOW = datetime.now(UTC)
DONE = Done("reserved", NOW)


@dataclass
class Workflows:
    """Stands for ``vclab.temporal.client.Reservations``: keeps the messages, and does what a test wants them to do."""

    sent: list[tuple[str, Any]] = field(default_factory=list)  #: to which reservation, and the message
    does: Callable[[Any], None] = lambda message: None
    inspection: Inspected | Exception | None = None  #: what the newest one has found, or why not; None: it runs

    async def reserve(self, request: ReserveRequest, timeout: float = 60.0) -> Placement:
        """As the real one."""
        self._take(request.id, request)
        return Placement(request.id, "vm01", "esx1", NOW)

    async def act(self, reservation: str, message: messages.End) -> Done:
        """Any update."""
        self._take(reservation, message)
        return DONE

    acknowledge = extend = reschedule = reboot = resolve = capture = end = act

    async def dismiss(self, message: messages.Dismiss) -> None:
        """As the real one."""
        self._take(message.reservation, message)

    async def forget(self, message: Forget) -> Forgotten:
        """As the real one, which has a worker do it."""
        self._take("forget", message)
        return Forgotten("gone-1", 7, 2)

    async def inspect(self, message: messages.Inspect) -> None:
        """As the real one."""
        self._take(message.computer, message)

    async def inspected(self, computer: str) -> Inspected | None:
        """As the real one."""
        if isinstance(self.inspection, Exception):
            raise self.inspection
        return self.inspection

    async def switch(self, message: model_power.Switch) -> PowerSeen:
        """As the real one."""
        self._take(message.computer, message)
        return PowerSeen(lines=("login:",))

    async def hang_up(self, computer: str) -> None:
        """As the real one."""
        self._take(computer, "hang up")

    async def reload(self, message: messages.Reload) -> None:
        """As the real one."""
        self._take(message.computer, message)

    async def copy(self, wanted: Wanted) -> None:
        """As the real one."""
        self._take("copy", wanted)

    async def remove_copy(self, wanted: Wanted) -> None:
        """As the real one."""
        self._take("remove_copy", wanted)

    async def look(self, reservation: str, timeout: float) -> tuple[None, str]:
        """As the real one, when no server answers."""
        raise Unreachable("no server answers")

    def _take(self, reservation: str, message: Any) -> None:
        self.sent.append((reservation, message))
        self.does(message)


class Scripted(Backend):
    """A backend whose messages go to ``Workflows``."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.workflows = Workflows()

    async def reservations(self, seconds: float = 10.0) -> Any:
        """The scripted ones."""
        return self.workflows


@dataclass(frozen=True)
class Lab:
    """Users alice, bob, carol and olga, who is an operator; an image, an endpoint, and who calls."""

    backend: Scripted

    @property
    def workflows(self) -> Workflows:
        """What reaches the workflows."""
        return self.backend.workflows

    @property
    def store(self) -> Store:
        """The store."""
        return self.backend.store

    @cached_property
    def api(self) -> Api:
        """The API."""
        return Api(self.backend)

    def make_client(self, as_user: str = "", account: Account | None = None) -> Client:
        """A client that acts as ``as_user``, or as a local account."""

        async def who(backend: Backend) -> Actor:
            return await believed(backend, account or Account("root", keeps_secrets=True), as_user)

        return self.api.client(who)

    def reserved(self, user: str = "alice", rules: Rules = RULES) -> ReservationView:
        """A reservation of theirs, which is new."""
        request, by = ReserveRequest(new_id(), user, "debian-12", 3600), Author(user, operator=True)
        heard = [inventory(taken_at=NOW)]
        outcome = self.store.run(lambda s: placement.place(s, request, by, heard, rules, NOW))
        assert isinstance(outcome, Placed), outcome
        return self.view(request.id)

    def view(self, id: str) -> ReservationView:
        """It as the store has it."""
        with self.store.read() as session:
            view = reservations.view(session, id)
        assert view is not None
        return view

    def intents(self) -> list[Intent]:
        """What was asked for, oldest first."""
        with self.store.read() as session:
            return intents.newest(session, 1000)[::-1]


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled database, to be copied: migrating takes longer than most tests here."""
    return filled_database(tmp_path_factory.mktemp("seeded"), seed)


@pytest.fixture
def lab(tmp_path: Path, seeded: Path) -> Iterator[Lab]:
    """An installation of its own for each test. No Temporal server answers."""
    made = made_lab(tmp_path, seeded)
    yield made
    made.store.close()


def made_lab(folder: Path, seeded: Path) -> Lab:
    """One in that folder."""
    shutil.copy(seeded, folder / "vclab.db")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    settings = Settings.model_validate(
        {
            "database": f"sqlite:///{folder}/vclab.db",
            "secrets_dir": str(folder / "secrets"),
            "operators": ("olga",),
            "temporal": {"address": address},
        }
    )
    secret_store(settings.secrets_dir)
    return Lab(Scripted(settings))
