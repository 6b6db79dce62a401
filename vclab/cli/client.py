"""The one place where the command line chooses what it talks to."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from vclab.cli.root import Root
from vclab.client.protocol import Client
from vclab.client.way import Way
from vclab.contract.people import me
from vclab.contract.use_case import Nothing
from vclab.model.errors import Refused
from vclab.model.times import zone_of

if TYPE_CHECKING:
    from vclab.service.actor import Actor
    from vclab.service.backend import Backend
    from vclab.settings import Settings


def client_of(context: typer.Context, as_user: str = "") -> Client:
    """The client of a verb; its own ``--as`` wins over the one before the verb. Raises as ``make_client``."""
    root = context.find_object(Root)
    return make_client(as_user or (root.as_user if root else ""))


def make_client(as_user: str = "") -> Client:
    """A client that acts as ``as_user``, or as the account that runs it. Raises ``Refused`` for bad settings."""
    from vclab.cli.transfers import Progress
    from vclab.service.authentication import authenticate, local_account, unknown
    from vclab.service.backend import Backend
    from vclab.service.client import InProcess

    backend = Backend(_settings())
    backend.progress = Progress()
    account = local_account(backend.settings.secrets_dir)

    async def who(backend: "Backend") -> "Actor":
        return await authenticate(backend, account, as_user)

    return InProcess(backend, who, unknown(backend, account))


def way_of(login: str) -> Way:
    """How this person reaches computers from this machine. Raises as ``make_client``."""
    person = _settings().people.get(login)
    return Way(person.via, person.address, person.identity_file) if person else Way()


async def zone_for(client: Client) -> ZoneInfo:
    """The zone in which the caller reads times."""
    return zone_of((await client.call(me, Nothing())).zone)


def _settings() -> "Settings":
    from vclab.settings import config_file, load

    try:
        return load()
    except (OSError, ValueError) as error:  # ValueError: not TOML, not UTF-8
        raise Refused(f"the settings file {config_file()} can't be read: {error}") from None
