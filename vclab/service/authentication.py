"""Who calls on this machine. Anybody who can read the settings is believed; the API server will not believe them."""

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vclab.model.catalog import User
from vclab.model.errors import NotFound
from vclab.model.typed import near, quoted
from vclab.service.actor import Actor, Authentication, Role
from vclab.service.backend import Backend
from vclab.store import catalog


@dataclass(frozen=True)
class Account:
    """The local account that runs the command."""

    login: str
    keeps_secrets: bool = False  #: may write where the secrets are


async def authenticate(backend: Backend, account: Account, as_user: str = "") -> Actor:
    """Who acts: ``as_user``, else the account if it is a user or an operator, else ``act_as`` of the settings.

    Raises ``NotFound`` for an unknown user. Before ``act_as`` has an entry, who keeps the secrets acts as the account:
    a new installation has no users yet.
    """
    settings = backend.settings
    logins = {as_user, account.login, settings.act_as} - {"", "root"}
    users = await backend.read(lambda session: catalog.users_called(session, logins))
    if as_user:
        if as_user not in users:
            others = [user.login for user in await backend.read(catalog.users) if user.login != "root"]
            raise NotFound(f"there is no user {quoted(as_user)}{near(as_user, others)}")
        return _actor(backend, users[as_user], as_user, Authentication.CLAIM, account)
    if settings.act_as and account.login not in {*users, *settings.operators}:
        if settings.act_as in users:
            return _actor(backend, users[settings.act_as], settings.act_as, Authentication.SETTING, account)
        if not account.keeps_secrets:
            missing = f"the settings say act_as = {quoted(settings.act_as)}, but there is no such user"
            raise NotFound(missing, "use --as USER")
    return _actor(backend, users.get(account.login), account.login, Authentication.ACCOUNT, account)


def unknown(backend: Backend, account: Account) -> Actor:
    """Who calls, as far as the account and the settings tell: the store was not asked."""
    return _actor(backend, None, account.login, Authentication.ACCOUNT, account)


def _actor(backend: Backend, user: User | None, login: str, how: Authentication, account: Account) -> Actor:
    operators = backend.settings.operators
    roles = {Role.USER} if user else set()
    roles |= {Role.OPERATOR} if login in operators else set()
    if how is not Authentication.CLAIM:  # what root may do, nobody else who is named may
        roles |= {Role.ADMINISTRATOR} if account.keeps_secrets else set()
    return Actor(login, frozenset(roles), how, account.login, user)


def local_account(secrets: Path) -> Account:
    """The account of this process."""
    return Account(login_name(), may_write(secrets))


def login_name() -> str:
    """The login name of this process: by its user id, for the environment can say anything."""
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return f"uid {os.getuid()}"


def may_write(folder: Path) -> bool:
    """Whether this account could change what is in the folder, or could make it."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return os.access(there, os.W_OK)
