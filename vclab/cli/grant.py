"""``vclab grant …``: who has which role over what."""

from typing import Annotated

import typer

from vclab.cli.asking import asker
from vclab.cli.nouns import group as noun
from vclab.cli.output import note, say, table
from vclab.cli.params import AsUser, Json, OfUser
from vclab.cli.tables import Column, Fit
from vclab.contract import grants
from vclab.contract.grants import Grant
from vclab.model.access import Role, ToKind

COLUMNS = (
    Column("GRANT", right=True),
    Column("ROLE"),
    Column("TO"),
    Column("OVER"),
    Column("BY", drop=1, fit=Fit.CUT),
)

app = noun("grant", "Who has which role over what: list, add, remove.")

On = Annotated[str, typer.Option("--on", metavar="GROUP", help="Over this group.", show_default=False)]


@app.command("list")
def list_(
    context: typer.Context,
    user: OfUser = "",
    group: Annotated[
        str, typer.Option("--group", metavar="GROUP", help="To this group, or over it.", show_default=False)
    ] = "",
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """List grants, oldest first; to those who neither grant nor audit, the ones that reach them.

    \b
    Examples:
      vclab grant list
      vclab grant list --user alice
      vclab grant list --group class-5b --json
    """
    asker(context).tell(grants.listing, grants.Which(group=group, user=user), json, _list)


@app.command("add")
def add(
    context: typer.Context,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help=f"One of {', '.join(Role)}.", show_default=False)],
    person: Annotated[str, typer.Option("--person", metavar="LOGIN", help="To this user.", show_default=False)] = "",
    group: Annotated[
        str, typer.Option("--group", metavar="GROUP", help="To this group of people.", show_default=False)
    ] = "",
    everyone: Annotated[bool, typer.Option("--everyone", help="To all users.")] = False,
    on: On = "",
    everything: Annotated[bool, typer.Option("--everything", help="Over everything.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Give somebody a role over a group, or over everything. The same again changes nothing.

    \b
    Examples:
      vclab grant add teacher --person dora --on class-5b
      vclab grant add user --group class-5b --on licensed
      vclab grant add help-desk --group help-desk --everything
      vclab grant add image-maker --person alice --everything
    """
    question = grants.Add(role=role, person=person, group=group, everyone=everyone, on=on, everything=everything)
    asker(context).tell(grants.add, question, json, lambda made: say(made.text))


@app.command("remove")
def remove(
    context: typer.Context,
    id: Annotated[int, typer.Argument(metavar="GRANT", help="Its number (see `vclab grant list`).", min=1)],
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Take a grant back. From the next call on nobody has it.

    \b
    Examples:
      vclab grant remove 12
    """
    asker(context).tell(grants.remove, grants.Numbered(id=id), json, lambda gone: say(f"taken back: {gone.text}"))


def _list(found: tuple[Grant, ...]) -> None:
    if found:
        table(COLUMNS, [_row(each) for each in found])
    else:
        note("There are no grants; `vclab grant add --help` says how one is made.")


def _row(grant: Grant) -> tuple[str, ...]:
    whom = {ToKind.EVERYONE: "everyone", ToKind.PERSON: grant.to, ToKind.GROUP: f"group {grant.to}"}[grant.to_kind]
    number = str(grant.id) if grant.id > 0 else ""
    return (number, grant.role, whom, grant.on or "everything", grant.made_by)
