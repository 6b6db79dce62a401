"""Who calls on the management node itself, past the API: the account that keeps the secrets, as itself."""

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vclab.model.catalog import User
from vclab.service.actor import Actor, Authentication, Role
from vclab.service.backend import Backend
from vclab.store import catalog


@dataclass(frozen=True)
class Account:
    """The local account that runs the command."""

    login: str
    keeps_secrets: bool = False  #: may write where the secrets are


async def authenticate(backend: Backend, account: Account) -> Actor:
    """The account that runs the command, and nobody else. It need not be a user: a new installation has none."""
    users = await backend.read(lambda session: catalog.users_called(session, {account.login} - {"root"}))
    return acting(backend, users.get(account.login), account)


def unknown(account: Account) -> Actor:
    """Who calls, as far as the account tells: the store was not asked."""
    roles = frozenset({Role.ADMINISTRATOR} if account.keeps_secrets else ())
    return Actor(account.login, roles, Authentication.ACCOUNT, account.login)


def acting(backend: Backend, user: User | None, account: Account) -> Actor:
    """An account, with its entry among the users, if it has one."""
    roles = {Role.USER} if user else set()
    roles |= {Role.OPERATOR} if account.login in backend.settings.operators else set()
    roles |= {Role.ADMINISTRATOR} if account.keeps_secrets else set()
    return Actor(account.login, frozenset(roles), Authentication.ACCOUNT, account.login, user)


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
