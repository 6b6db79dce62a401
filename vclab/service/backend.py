"""What the use cases work with: settings, store, secrets and Temporal; each made when it is first needed."""

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.orm import Session

from vclab.model.errors import Unreachable
from vclab.settings import Settings, config_file
from vclab.store.engine import Store, open_store

if TYPE_CHECKING:
    from temporalio.client import Client

    from vclab.secrets.store import SecretStore
    from vclab.temporal.client import Reservations

T = TypeVar("T")

_NO_SETTINGS = "start the embedded lab with `vclab up`, or name the settings file in VCLAB_CONFIG"


class Backend:
    """One installation, as the use cases reach it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._temporal: Client | None = None

    @cached_property
    def store(self) -> Store:
        """The store, of whatever schema version."""
        return open_store(self.settings.database)

    @property
    def secrets(self) -> "SecretStore":
        """The secrets: those to which this account has the keys can be read."""
        from vclab.secrets.store import SecretStore

        return SecretStore(self.settings.secrets_dir, self.settings.keys_folder, self.settings.site)

    async def read(self, question: Callable[[Session], T]) -> T:
        """Ask the store, in a thread. Raises ``Unreachable``, and ``Refused`` when the schema is of another version."""

        def ask() -> T:
            with self.store.read() as session:
                return question(session)

        try:
            return await asyncio.to_thread(ask)
        except Unreachable as error:
            if config_file() is None:
                raise Unreachable(f"{error.message}, and there is no settings file", _NO_SETTINGS) from None
            raise

    async def write(self, change: Callable[[Session], T]) -> T:
        """One write transaction, in a thread: of intents, and of what the lab consists of. State is the workflows'.

        ``change`` may run several times and must have no other effects. Raises as ``read``.
        """
        return await asyncio.to_thread(self.store.run, change, checked=True)

    async def temporal(self, seconds: float = 10.0) -> "Client":
        """The Temporal client. Raises ``Unreachable`` with the address after ``seconds`` without an answer."""
        if self._temporal is None:
            from vclab.temporal.client import connect, quiet

            self._temporal = await connect(self.settings.temporal, seconds, quiet())
        return self._temporal

    async def reservations(self, seconds: float = 10.0) -> "Reservations":
        """What sends acts to workflows. Raises as ``temporal``."""
        client = await self.temporal(seconds)
        from vclab.temporal.client import Reservations

        return Reservations(client, self.settings.temporal.workflow_queue)
