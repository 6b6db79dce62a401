"""What the administrator's verbs share: who may, the store to write to, and how a group of verbs is made."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import typer

from vclab.cli.context import Lab, login_name
from vclab.cli.root import Root
from vclab.model.errors import NotFound, Refused
from vclab.secrets.store import SecretStore
from vclab.service import authentication
from vclab.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from vclab.store.engine import Store

T = TypeVar("T")


def group(noun: str, text: str) -> typer.Typer:
    """The verbs of a noun: ``vclab user add …``."""

    def remember_verb(context: typer.Context) -> None:
        root = context.find_object(Root)
        if root is not None:
            root.verb = f"{noun} {context.invoked_subcommand or ''}".strip()

    app = typer.Typer(name=noun, help=text, no_args_is_help=True, rich_markup_mode=None)
    app.callback(help=text)(remember_verb)
    return app


class Administration:
    """The administrator's side of one command."""

    def __init__(self, settings: Settings, who: str) -> None:
        from vclab.store.engine import open_store

        self.settings = settings
        self.who = who
        self._store = open_store(settings.database)

    @property
    def store(self) -> "Store":
        """The store, of whatever schema version."""
        return self._store

    @property
    def secrets(self) -> SecretStore:
        """The secret store."""
        return SecretStore(self.settings.secrets_dir)

    def write(self, change: Callable[["Session"], T]) -> T:
        """One transaction. Raises ``Refused`` when the schema is of another version, ``Unreachable``."""
        self._store.check()
        return self._store.run(change)

    def read(self, question: Callable[["Session"], T]) -> T:
        """Ask the store. Raises as ``write``."""
        self._store.check()
        with self._store.read() as session:
            return question(session)


def administration(lab: Lab) -> Administration:
    """For operators, and for root and the account whose secrets these are. Raises ``Refused`` for all others.

    A new installation has no users yet: an operator is one by login name alone.
    """
    settings, login = lab.settings, login_name()
    if not lab.as_user and (authentication.may_write(settings.secrets_dir) or login in settings.operators):
        return Administration(settings, login)
    if not lab.actor.operator:
        raise Refused(f"this is for operators and root, and {lab.actor.login} is not an operator")
    return Administration(settings, lab.actor.login)


def may_administer(lab: Lab) -> bool:
    """Whether ``administration`` would have this account."""
    try:
        administration(lab)
    except (Refused, NotFound):
        return False
    return True
