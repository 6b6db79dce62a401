"""Who calls is who they say they are: for tests of what is behind the doors at which people show who they are."""

from tests.asgi import Api
from vclab.cli import client
from vclab.cli.transfers import Progress
from vclab.client.protocol import Client
from vclab.model.errors import NotFound
from vclab.model.typed import near, quoted
from vclab.service import authentication
from vclab.service.actor import Actor
from vclab.service.authentication import Account, acting
from vclab.service.backend import Backend
from vclab.settings import Settings, load
from vclab.store import catalog

USUAL = "alice"
"""Who root is unless somebody is named."""
REAL = client.make_client
_USED: list[Api] = []


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
    """As the command line's; but where no server is known, it talks to one of its own, which believes who is named."""
    if client.server_called(as_user, named):
        return REAL(as_user, named)
    api = _api(load())
    account = authentication.local_account(api.backend.settings.secrets_dir)
    return api.client(lambda backend: believed(backend, account, as_user, USUAL), Progress())


def _api(settings: Settings) -> Api:
    """The one that was used last, if these are still the settings: to make one takes longer than most commands."""
    if not (_USED and _USED[0].backend.settings == settings):
        _USED[:] = [Api(Backend(settings))]
    return _USED[0]
