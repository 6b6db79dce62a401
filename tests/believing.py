"""Who calls is who they say they are: for tests of what is behind the doors at which people show who they are.

As a program it is the command line, which believes ``--as``; without it, that one is alice, who is also root.
"""

from vclab.cli import client
from vclab.cli.transfers import Progress
from vclab.client.protocol import Client
from vclab.model.errors import NotFound
from vclab.model.typed import near, quoted
from vclab.service import authentication
from vclab.service.actor import Actor
from vclab.service.authentication import Account, acting
from vclab.service.backend import Backend
from vclab.service.client import InProcess
from vclab.settings import load
from vclab.store import catalog

USUAL = "alice"
"""Who root is unless somebody is named."""
REAL = client.make_client


async def believed(backend: Backend, account: Account, as_user: str = "", usual: str = "") -> Actor:
    """``as_user``, else the account, else ``usual`` with the account's rights. Raises ``NotFound`` for no user."""
    users = await backend.read(lambda session: catalog.users_called(session, {as_user, account.login, usual} - {""}))
    if as_user:
        if as_user not in users or as_user == "root":
            others = [user.login for user in await backend.read(catalog.users)]
            raise NotFound(f"there is no user {quoted(as_user)}{near(as_user, others)}")
        return acting(backend, users[as_user], Account(as_user))
    login = usual if usual in users and account.login not in {*users, *backend.settings.operators} else account.login
    return acting(backend, users.get(login), Account(login, account.keeps_secrets))


def make_client(as_user: str = "", named: str = "") -> Client:
    """As the command line's; but without a server, whoever is named is believed."""
    if client.server_called(as_user, named):
        return REAL(as_user, named)
    backend = Backend(load())
    account = authentication.local_account(backend.settings.secrets_dir)
    nobody = authentication.unknown(account)
    return InProcess(backend, lambda backend: believed(backend, account, as_user, USUAL), nobody, Progress())


def main() -> None:
    """``python -m tests.believing``: the command line."""
    from vclab.cli.main import main

    client.make_client = make_client
    main()


if __name__ == "__main__":
    main()
