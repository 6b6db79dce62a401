"""``vclab store …``: the database as a whole. A local tool of the management node."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vclab.cli.nouns import group
from vclab.cli.output import say, say_json
from vclab.cli.params import Json
from vclab.model.errors import Refused, Unreachable
from vclab.service.authentication import may_write
from vclab.service.backend import Backend
from vclab.settings import load

if TYPE_CHECKING:
    from vclab.store.engine import Store

app = group("store", "The database: migrate.")


@app.command("migrate")
def migrate(context: typer.Context, json: Json = False) -> None:
    """Upgrade the database's schema to this program's version; create the tables of a new database.

    Run it as root or as the worker's account, after each update, with the workers stopped. Running it again changes
    nothing.

    \b
    Examples:
      vclab store migrate
    """
    from vclab.store.migrations import HEAD

    store = _backend().store
    before = _version(store)
    if before > HEAD:
        raise Refused(f"{store.shown_url} is at schema version {before}, newer than this program", "update the program")
    store.migrate()
    if not before and store.file is not None:
        _give_away(store.file)
    after = store.version()
    if json:
        say_json({"database": store.shown_url, "before": before or None, "version": after})
    else:
        came = "unchanged" if before == after else f"was {before}" if before else "new"
        say(f"{store.shown_url} is at schema version {after} ({came})")


def _backend() -> Backend:
    """For root and the account whose secrets these are. Raises ``Refused`` for all others."""
    backend = Backend(load())
    if not may_write(backend.settings.secrets_dir):
        raise Refused("only root and the worker's account can migrate the database", "run this as one of them")
    return backend


def _version(store: "Store") -> str:
    """The present version; empty where there is no database yet. Migrating creates a missing SQLite file."""
    try:
        return store.version()
    except Unreachable:
        return ""


def _give_away(file: Path) -> None:
    """A file that root made gets the owner of its folder: the worker's account must be able to write it."""
    if os.geteuid() == 0:
        folder = file.parent.stat()
        os.chown(file, folder.st_uid, folder.st_gid)
