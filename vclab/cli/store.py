"""``vclab store …``: the database as a whole."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vclab.cli.administer import administration, group
from vclab.cli.context import lab_of
from vclab.cli.output import say, say_json
from vclab.cli.params import Json
from vclab.model.errors import Refused, Unreachable

if TYPE_CHECKING:
    from vclab.store.engine import Store

app = group("store", "The database: migrate.")


@app.command("migrate")
def migrate(context: typer.Context, json: Json = False) -> None:
    """Bring the database's schema to this program's version; makes the tables of a new one.

    Run it after each update, with the workers stopped. It may be run again: then it changes nothing.

    \b
    Examples:
      vclab store migrate
    """
    from vclab.store.migrations import HEAD

    store = administration(lab_of(context)).store
    before = _version(store)
    if before > HEAD:
        raise Refused(f"{store.shown_url} is at schema version {before}, newer than this program: update the program")
    store.migrate()
    if not before and store.file is not None:
        _give_away(store.file)
    after = store.version()
    if json:
        say_json({"database": store.shown_url, "before": before or None, "version": after})
    else:
        came = "as before" if before == after else f"was {before}" if before else "new"
        say(f"{store.shown_url} is at schema version {after} ({came})")


def _version(store: "Store") -> str:
    """The version now; empty where there is nothing yet. An SQLite file that is not there is made by migrating."""
    try:
        return store.version()
    except Unreachable:
        return ""


def _give_away(file: Path) -> None:
    """A file that root made belongs to whom its folder belongs: the worker's account must be able to write it."""
    if os.geteuid() == 0:
        folder = file.parent.stat()
        os.chown(file, folder.st_uid, folder.st_gid)
