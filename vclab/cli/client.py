"""The one place where the command line chooses what it talks to."""

from vclab.service.actor import Actor
from vclab.service.authentication import authenticate, local_account
from vclab.service.backend import Backend
from vclab.service.client import Client, InProcess
from vclab.settings import load


def make_client(as_user: str = "") -> Client:
    """A client that acts as ``as_user``, or as the account that runs it. Raises ``Refused`` for bad settings."""
    backend = Backend(load())

    async def who(backend: Backend) -> Actor:
        return await authenticate(backend, local_account(backend.settings.secrets_dir), as_user)

    return InProcess(backend, who)
