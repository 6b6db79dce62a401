"""``vclab repository …``: the folders that keep the bytes of images."""

from typing import Annotated

import typer

from vclab.cli.asking import asker, given
from vclab.cli.nouns import group
from vclab.cli.output import fields, note, say, table
from vclab.cli.params import AsUser, Json
from vclab.cli.tables import Column, Fit
from vclab.cli.transfers import sized
from vclab.contract import repositories
from vclab.contract.repositories import DetailedRepository, Repository
from vclab.contract.retiring import Named
from vclab.contract.use_case import Nothing

COLUMNS = (Column("REPOSITORY"), Column("SITE", drop=1), Column("FOLDER", fit=Fit.CUT))

app = group("repository", "The folders that keep the bytes of images: list, show, add, check, rebuild.")

Name = Annotated[str, typer.Argument(metavar="REPOSITORY", help="Its name.", show_default=False)]


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the repositories.

    \b
    Examples:
      vclab repository list
    """
    asker(context).tell(repositories.listing, Nothing(), json, _list)


@app.command("show")
def show(context: typer.Context, name: Name, json: Json = False, as_user: AsUser = "") -> None:
    """Show a repository: its room, and what is in it. Its folder must be reached from here.

    \b
    Examples:
      vclab repository show main
    """
    asker(context).tell(repositories.show, given(context, Named), json, _tell)


@app.command("add")
def add(
    context: typer.Context,
    name: Name,
    folder: Annotated[str, typer.Option("--folder", metavar="PATH", help="A folder that all workers reach.")],
    site: Annotated[str | None, typer.Option("--site", help="Of these workers [default: this one's].")] = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Make a repository in a new or empty folder, or take one that is there (then see `vclab repository rebuild`).

    The workers of the site read from it and write into it by this very path: it is on a file system that all of them
    mount there, or there is one worker.

    \b
    Examples:
      vclab repository add main --folder /srv/vclab/images
    """
    asker(context).tell(repositories.add, given(context, repositories.Add), json, _tell)


@app.command("check")
def check(context: typer.Context, name: Name, json: Json = False, as_user: AsUser = "") -> None:
    """Delete what was half-written when somebody died, and compare what is there with what should be.

    The bytes of a revision are read by `vclab image verify`.

    \b
    Examples:
      vclab repository check main
    """
    asker(context).tell(repositories.check, given(context, Named), json, _tell)


@app.command("rebuild")
def rebuild(context: typer.Context, name: Name, json: Json = False, as_user: AsUser = "") -> None:
    """Enter into the database what is only in the repository: a library outlives its database.

    Bytes are read first, and what is not as its record says is left out. What the database knows stays as it is.

    \b
    Examples:
      vclab repository add main --folder /srv/vclab/images && vclab repository rebuild main
    """
    asker(context).tell(repositories.rebuild, given(context, Named), json, _tell)


def _list(found: tuple[Repository, ...]) -> None:
    if found:
        table(COLUMNS, [(each.name, each.site, each.folder) for each in found])
    else:
        note("There are no repositories yet; `vclab repository add --help` says how one is added.")


def _tell(found: DetailedRepository) -> None:
    promised = f" (of them promised: {sized(found.promised)})" if found.promised else ""
    fields(
        [
            ("Repository", found.name),
            ("Site", found.site),
            ("Folder", found.folder),
            ("Free", f"{sized(found.free)}{promised}"),
            ("Deleted", f"{found.swept} half-written" if found.swept else ""),
            *(("Missing", each) for each in found.missing),
            *(("Fault", each) for each in found.faults),
        ]
    )
    if found.kept:
        say("")
        rows = [
            (f"{each.image}/{each.revision}", sized(each.bytes), each.recorded or "not in the database")
            for each in found.kept
        ]
        table(("REVISION", "TAKES", "STATE"), rows)
