"""``vclab store …``: the database as a whole. A local tool of the management node."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

app = group("store", "The database: migrate, roles.")


@app.command("migrate")
def migrate(context: typer.Context, json: Json = False) -> None:
    """Upgrade the database's schema to this program's version; create the tables of a new database.

    Run it as root or as the worker's account, after each update, with the workers stopped. Running it again changes
    nothing. Where PostgreSQL has the roles of `vclab store roles`, they get their rights on new tables.

    \b
    Examples:
      vclab store migrate
    """
    from vclab.store import roles
    from vclab.store.migrations import HEAD

    store = _backend().store
    before = _version(store)
    if before > HEAD:
        raise Refused(f"{store.shown_url} is at schema version {before}, newer than this program", "update the program")
    store.migrate()
    if not before and store.file is not None:
        _give_away(store.file)
    store.run(roles.apply_where_there)
    after = store.version()
    if json:
        say_json({"database": store.shown_url, "before": before or None, "version": after})
    else:
        came = "unchanged" if before == after else f"was {before}" if before else "new"
        say(f"{store.shown_url} is at schema version {after} ({came})")


Prefix = Annotated[str, typer.Option(help="How the roles' names begin.", metavar="NAME")]
Apply = Annotated[bool, typer.Option("--apply", help="Run the SQL; without it, it is only printed.")]


@app.command("roles")
def roles(context: typer.Context, prefix: Prefix = "vclab", apply: Apply = False, json: Json = False) -> None:
    """Print the SQL of PostgreSQL's roles and their rights, or run it.

    There are four: NAME_migrator owns the tables, NAME_worker writes state, NAME_api writes what people ask for and
    what the lab consists of, NAME_reader only reads. A role that is missing is made without a password. What a role
    could do before and should not is taken from it. Running it again changes nothing. With --apply it runs in the
    database of the settings, in one transaction: as a superuser, or as the tables' owner where the roles are there.

    \b
    Examples:
      vclab store roles | psql -d vclab
      VCLAB_DATABASE=postgresql://postgres@/vclab vclab store roles --apply
    """
    from vclab.store import roles as rights

    lines = rights.statements(prefix)
    if apply:
        store = _backend().store
        store.run(lambda session: rights.apply(session, prefix))
        done = f"{store.shown_url} has the roles {', '.join(f'{prefix}_{role}' for role in rights.ROLES)}"
        say_json({"database": store.shown_url, "statements": list(lines), "applied": True}) if json else say(done)
    elif json:
        say_json({"database": None, "statements": list(lines), "applied": False})
    else:
        say("BEGIN;\n" + ";\n".join(lines) + ";\nCOMMIT;")


def _backend() -> Backend:
    """For root and the account whose secrets these are. Raises ``Refused`` for all others."""
    backend = Backend(load())
    if not may_write(backend.settings.secrets_dir):
        raise Refused("only root and the worker's account can do this to the database", "run this as one of them")
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
