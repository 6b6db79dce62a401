"""``vclab context …``: the servers that this command line knows."""

import os
from typing import Annotated

import typer

from vclab.cli.nouns import group
from vclab.cli.output import JsonValue, note, say_json, table
from vclab.cli.params import Json
from vclab.client.contexts import Chosen, Context, Contexts, chosen

app = group("context", "The servers that `vclab` talks to: list, use, remove.")


def _names(incomplete: str) -> list[str]:
    """A completion that fails must not spoil the prompt."""
    try:
        return [name for name in Contexts.own().all() if name.startswith(incomplete)]
    except Exception:  # whatever it is
        return []


Name = Annotated[str, typer.Argument(metavar="CONTEXT", help="Its name.", show_default=False, autocompletion=_names)]


@app.command("list")
def list_(json: Json = False) -> None:
    """List the servers that you have logged in to. The one in use has a star.

    `vclab login URL` adds one. --context, then VCLAB_CONTEXT, then VCLAB_URL name another for one command.

    \b
    Examples:
      vclab context list
      vclab --context campus list
    """
    contexts, used = Contexts.own(), chosen()
    known = {name: (context, bool(contexts.token(name))) for name, context in contexts.all().items()}
    if json:
        say_json([_document(name, *each, used) for name, each in known.items()])
    elif known:
        rows = [
            ("*" if used and used.name == name else "", name, context.url, _who(context, signed_in))
            for name, (context, signed_in) in known.items()
        ]
        table(("", "NAME", "SERVER", "LOGGED IN AS"), rows)
    else:
        note("No contexts; `vclab login URL` makes one.")
    if used and not used.name:
        note(f"VCLAB_URL is set: commands go to {used.context.url}.")


def _document(name: str, context: Context, signed_in: bool, used: Chosen | None) -> dict[str, JsonValue]:
    current = used is not None and used.name == name
    return {
        "name": name,
        "url": context.url,
        "login": context.login or None,
        "signed_in": signed_in,
        "current": current,
    }


def _who(context: Context, signed_in: bool) -> str:
    return context.login or "yes" if signed_in else "no"


@app.command("use")
def use(name: Name) -> None:
    """Talk to this server from now on.

    \b
    Examples:
      vclab context use campus
    """
    Contexts.own().use(name)
    beside = next((variable for variable in ("VCLAB_CONTEXT", "VCLAB_URL") if os.environ.get(variable)), "")
    note(f"Commands go to {name} now" + (f", where {beside} does not say otherwise." if beside else "."))


@app.command("remove")
def remove(name: Name) -> None:
    """Forget a server, and the token for it. It stays valid there: `vclab logout` revokes it.

    \b
    Examples:
      vclab context remove campus
    """
    Contexts.own().remove(name)
    note(f"{name} is forgotten.")
