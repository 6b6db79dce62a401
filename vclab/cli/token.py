"""``vclab token …``: what programs show a server instead of a password."""

from typing import Annotated

import typer

from vclab.cli.asking import asker, given
from vclab.cli.nouns import group
from vclab.cli.output import note, say, say_json, table
from vclab.cli.params import Json, OfUser
from vclab.cli.tables import Column, Fit
from vclab.cli.times import clock, utc_now
from vclab.contract import tokens
from vclab.contract.tokens import Create, Made, One, Token, Whose
from vclab.model.durations import parse_duration

app = group("token", "Tokens, by which programs are you at a server: list, create, revoke.")

COLUMNS = (
    Column("ID"),
    Column("NAME", fit=Fit.CUT),
    Column("KIND", drop=4),
    Column("MAY", drop=3),
    Column("FROM", drop=6),
    Column("LAST USED", drop=2),
    Column("EXPIRES", drop=1),
    Column("NOTE", drop=5, fit=Fit.CUT),
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What it is for, for people.", show_default=False)]
Id = Annotated[str, typer.Argument(metavar="TOKEN", help="Its id (see `vclab token list`).", show_default=False)]
Scopes = Annotated[
    list[str] | None,
    typer.Option("--scope", metavar="SCOPE", help="read, act or admin; may be repeated.", show_default=False),
]
Lasts = Annotated[str, typer.Option("--for", metavar="DURATION", help="Until it expires.")]


@app.command("list")
def list_(context: typer.Context, user: OfUser = "", json: Json = False) -> None:
    """List tokens, and browsers that are signed in. The tokens themselves are nowhere: only what is known of them.

    \b
    Examples:
      vclab token list
      vclab token list --user alice
    """
    ask = asker(context)
    found = ask(tokens.listing, given(context, Whose))
    if json:
        say_json(tokens.listing.document(found))
    elif not found:
        note("No tokens.")
    else:
        zone = ask.zone()

        def row(one: Token) -> list[str]:
            used = clock(one.used, zone) if one.used else "never"
            return [one.id, one.name, one.kind, ",".join(one.scopes), one.created_from, used, clock(one.expires, zone)]

        table(COLUMNS, [[*row(one), _ended(one)] for one in found])


def _ended(one: Token) -> str:
    if one.ended is not None:
        return f"ended: {one.why_ended}" if one.why_ended else "ended"
    return "expired" if one.expires <= utc_now() else ""


@app.command("create")
def create(context: typer.Context, name: Name, scope: Scopes = None, for_: Lasts = "30d", json: Json = False) -> None:
    """Make a token for a program, which is printed once and never again.

    It may read only, unless a --scope says more: act (reserve, extend, end), admin (what your roles allow beyond that).
    It can't do more than the token that makes it. Keep it in a file that only its program can read.

    \b
    Examples:
      vclab token create nightly > token
      vclab token create ci --scope act --for 90d --json
      VCLAB_URL=https://lab.example.org VCLAB_TOKEN_FILE=token vclab list
    """
    days = parse_duration(for_) / 86400
    scopes = tuple(dict.fromkeys(("read", *(scope or ()))))

    def text(made: Made) -> None:
        say(made.secret)
        note(f"This is shown once. `vclab token revoke {made.token.id}` ends it.")

    asker(context).tell(tokens.create, Create(name=name, scopes=scopes, days=days), json, text)


@app.command("revoke")
def revoke(context: typer.Context, token: Id, json: Json = False) -> None:
    """End a token: from now on it is worth nothing.

    \b
    Examples:
      vclab token revoke 3f9ab2c41d
    """

    def text(ended: Token) -> None:
        note(f"{ended.id} ({ended.name}) has ended.")

    asker(context).tell(tokens.revoke, One(id=token), json, text)
