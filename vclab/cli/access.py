"""``vclab access explain``: why somebody may do something, or may not."""

from typing import Annotated

import typer

from vclab.cli.asking import asker
from vclab.cli.nouns import group as noun
from vclab.cli.output import fields
from vclab.cli.params import AsUser, Json, Login
from vclab.contract import access
from vclab.contract.access import Explained
from vclab.model.access import Permission

app = noun("access", "Who may do what, and why: explain.")


@app.command("explain")
def explain(
    context: typer.Context,
    name: Login,
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION",
            help=f"One of {', '.join(Permission)}; or an act as `vclab audit` names it.",
            show_default=False,
        ),
    ],
    thing: Annotated[
        str,
        typer.Argument(
            metavar="THING",
            help="A reservation's id, the name of an image, computer, endpoint or user, or KIND:NAME; or lab.",
            show_default=False,
        ),
    ],
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Say whether somebody may do something, by which grant, or which one it would take.

    \b
    Examples:
      vclab access explain alice reserve debian-12
      vclab access explain dora end 3f9kq2
      vclab access explain bob maintain computer:pc07
      vclab access explain olga grant lab --json
    """
    asker(context).tell(access.explain, access.Explain(user=name, action=action, thing=thing), json, _tell)


def _tell(found: Explained) -> None:
    rows = [
        ("Allowed", "yes" if found.allowed else "no"),
        ("To", f"{found.permission} {found.thing}"),
        *(("Because", each) for each in found.because),
    ]
    if not found.allowed and not found.needs_role:
        rows += [("Reason", found.reason)]
    elif not found.allowed:
        rows += [("Needs", " or ".join(found.needs_role)), ("Over", " or ".join(found.needs_over))]
    fields(rows)
