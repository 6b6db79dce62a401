"""``vclab group …``: groups of people, of images and of computers."""

from typing import Annotated

import typer

from vclab.cli.asking import asker, given
from vclab.cli.nouns import group as noun
from vclab.cli.output import fields, note, say, table
from vclab.cli.params import AsUser, Json
from vclab.cli.tables import Column, Fit
from vclab.contract import groups
from vclab.contract.groups import DetailedGroup, Group
from vclab.contract.retiring import Named
from vclab.contract.use_case import Paged
from vclab.model.access import GroupKind, ResourceKind

COLUMNS = (
    Column("GROUP"),
    Column("OF"),
    Column("MEMBERS", right=True),
    Column("GRANTS", drop=2, right=True),
    Column("TITLE", drop=1, fit=Fit.CUT),
)

app = noun("group", "Groups of people, images and computers: list, show, add, edit, join, leave, remove.")

Name = Annotated[str, typer.Argument(metavar="GROUP", help="Its name.", show_default=False)]
Title = Annotated[str, typer.Option("--title", metavar="TEXT", help="What people read.", show_default=False)]
Of = Annotated[GroupKind, typer.Option("--of", help="What is in it.", show_default=False)]
People = Annotated[list[str] | None, typer.Option("--person", metavar="LOGIN", help="A user.", show_default=False)]
Images = Annotated[list[str] | None, typer.Option("--image", metavar="IMAGE", help="An image.", show_default=False)]
Computers = Annotated[
    list[str] | None, typer.Option("--computer", metavar="COMPUTER", help="A lab machine.", show_default=False)
]
Endpoints = Annotated[
    list[str] | None,
    typer.Option("--endpoint", metavar="ENDPOINT", help="All computers of an endpoint.", show_default=False),
]


@app.command("list")
def list_(context: typer.Context, json: Json = False, as_user: AsUser = "") -> None:
    """List the groups; to those who neither grant nor audit, the ones that they are in or have a role over.

    \b
    Examples:
      vclab group list
    """
    asker(context).tell(groups.listing, Paged(), json, _list)


@app.command("show")
def show(context: typer.Context, name: Name, json: Json = False, as_user: AsUser = "") -> None:
    """Show what is in a group.

    \b
    Examples:
      vclab group show class-5b
    """
    asker(context).tell(groups.show, given(context, Named), json, _tell)


@app.command("add")
def add(
    context: typer.Context, name: Name, of: Of, title: Title = "", json: Json = False, as_user: AsUser = ""
) -> None:
    """Add an empty group. Adding the same again changes nothing.

    \b
    Examples:
      vclab group add class-5b --of people --title "Class 5b, biology"
      vclab group add licensed --of images
      vclab group add room-12 --of computers
    """
    asker(context).tell(groups.add, given(context, groups.Add, kind=of), json, _tell)


@app.command("edit")
def edit(context: typer.Context, name: Name, title: Title, json: Json = False, as_user: AsUser = "") -> None:
    """Change a group's title.

    \b
    Examples:
      vclab group edit class-5b --title "Class 6b, biology"
    """
    asker(context).tell(groups.edit, given(context, groups.Edit), json, _tell)


@app.command("join")
def join(
    context: typer.Context,
    name: Name,
    person: People = None,
    image: Images = None,
    computer: Computers = None,
    endpoint: Endpoints = None,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Put people, images or computers into a group.

    An image or computer that is in a group is only for those who may use one of its groups: see `vclab grant add`.

    \b
    Examples:
      vclab group join class-5b --person alice --person bob
      vclab group join room-12 --computer pc07 --endpoint annex
    """
    asker(context).tell(
        groups.join, groups.Members(name=name, **_named(person, image, computer, endpoint)), json, _tell
    )


@app.command("leave")
def leave(
    context: typer.Context,
    name: Name,
    person: People = None,
    image: Images = None,
    computer: Computers = None,
    endpoint: Endpoints = None,
    all_: Annotated[bool, typer.Option("--all", help="Whatever is in it.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Take something out of a group. An image or computer that is in no other one is for every user then.

    \b
    Examples:
      vclab group leave class-5b --person bob
      vclab group leave class-5b --all
    """
    named = _named(person, image, computer, endpoint)
    asker(context).tell(groups.leave, groups.Leave(name=name, all=all_, **named), json, _tell)


@app.command("remove")
def remove(context: typer.Context, name: Name, json: Json = False, as_user: AsUser = "") -> None:
    """Remove a group that is empty and that no grant names.

    \b
    Examples:
      vclab group leave class-5b --all && vclab group remove class-5b
    """
    asker(context).tell(groups.remove, given(context, Named), json, lambda _: say(f"{name} is removed"))


def _named(
    people: list[str] | None, images: list[str] | None, computers: list[str] | None, endpoints: list[str] | None
) -> dict[str, tuple[str, ...]]:
    named = {"people": people, "images": images, "computers": computers, "endpoints": endpoints}
    return {field: tuple(names or ()) for field, names in named.items()}


def _list(found: tuple[Group, ...]) -> None:
    if found:
        table(COLUMNS, [(each.name, each.kind, str(each.members), str(each.grants), each.title) for each in found])
    else:
        note("There are no groups; `vclab group add --help` says how one is added.")


def _tell(found: DetailedGroup) -> None:
    named = {kind: [each.name for each in found.has if each.kind == kind] for kind in ResourceKind}
    fields(
        [
            ("Group", found.name),
            ("Of", found.kind),
            ("Title", found.title),
            ("Grants", f"{found.grants} (`vclab grant list --group {found.name}`)" if found.grants else "none"),
            *((kind.capitalize(), name) for kind, names in named.items() for name in names),
        ]
    )
