"""``vclab login URL`` and ``vclab logout``: signing in at a server, in a browser or with a token."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from vclab.cli.asking import confirmed_certificate, typed_secret
from vclab.cli.client import server_of
from vclab.cli.output import note
from vclab.cli.running import run
from vclab.client import device
from vclab.client.contexts import Chosen, Context, Contexts, checked_token, checked_url
from vclab.client.http import Http
from vclab.contract import tokens
from vclab.contract.people import me
from vclab.contract.use_case import Nothing
from vclab.model.errors import Invalid, NotFound, Refused, VclabError


def login(
    context: typer.Context,
    url: Annotated[
        str, typer.Argument(metavar="[URL]", help="The server; else the one in use.", show_default=False)
    ] = "",
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What to call it; else its host.", show_default=False)
    ] = "",
    ca: Annotated[
        Path | None,
        typer.Option("--ca", metavar="FILE", help="The authority of its certificate (PEM).", show_default=False),
    ] = None,
    fingerprint: Annotated[
        str,
        typer.Option("--fingerprint", metavar="HEX", help="SHA-256 of its certificate, confirmed.", show_default=False),
    ] = "",
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read a token from standard input.")] = False,
) -> None:
    """Sign in at a server, and use it from now on.

    It shows a page and a code; open the page in a browser anywhere, sign in there, and compare the code.
    A program gets a token instead, by standard input (see `vclab token create`). The token is kept in a file that
    only you can read. A certificate that no known authority has signed is shown to be compared, and pinned.

    \b
    Examples:
      vclab login https://lab.example.org
      vclab login lab.example.org --ca campus-ca.pem
      vclab login https://192.0.2.10:8443 --name small --fingerprint 12:ab:…
      vclab login https://lab.example.org --token-stdin < token
    """
    contexts = Contexts.own()
    chosen = _server(context, contexts, url, name)
    chosen = replace(chosen, context=_trusted(chosen.context, ca, fingerprint))
    if token_stdin:
        chosen = replace(chosen, token=checked_token(typed_secret("Token", "token"), "there"))
    else:
        chosen = replace(chosen, token=run(_confirmed(chosen)))
    who = run(Http(chosen).call(me, Nothing()))
    contexts.put(chosen.name, chosen.context.model_copy(update={"login": who.login}), chosen.token)
    note(f"Logged in at {chosen.context.url} as {who.login}. Commands go there now (context {chosen.name}).")


def _server(context: typer.Context, contexts: Contexts, url: str, name: str) -> Chosen:
    """The server that is meant, and what is known of it, without a token. Raises ``Invalid``, ``Refused``."""
    if not url:
        known = contexts.called(name) if name else None
        used = Chosen(name, known, "") if known else server_of(context)
        if used is None or not used.name:
            raise Invalid("which server?", "name its URL: vclab login https://lab.example.org")
        return replace(used, token="")
    url = checked_url(url)
    name = name or contexts.name_for(url)
    try:
        known = contexts.called(name)
    except NotFound:
        return Chosen(name, Context(url=url), "")
    if known.url != url:
        raise Refused(f"the context {name} is {known.url}", "choose another --name, or `vclab context remove` it first")
    return Chosen(name, known, "")


def _trusted(context: Context, ca: Path | None, fingerprint: str) -> Context:
    """With what its certificate is to be checked by. Raises ``Refused``, ``Unreachable``."""
    if not context.url.startswith("https:"):
        return context
    from vclab.client.certificates import is_trusted, read_authority, shown_by

    wanted = fingerprint.replace(":", "").strip().lower()
    if ca is not None:
        context = context.model_copy(update={"ca_file": read_authority(ca), "certificate": ""})
    if not wanted and is_trusted(context.url, context):
        return context
    if ca is not None:
        raise Refused(f"the certificate of {context.url} is not of the authority in {ca}")
    shown = shown_by(context.url)
    if wanted and wanted != shown.fingerprint:
        raise Refused(f"{context.url} shows another certificate, with the fingerprint {shown.fingerprint}")
    if not wanted:
        confirmed_certificate(context.url, shown.fingerprint)
    return context.model_copy(update={"certificate": shown.pem, "ca_file": ""})


async def _confirmed(chosen: Chosen) -> str:
    """The token that the server gives when the person has confirmed the code in a browser. Raises ``Refused``."""
    server = Http(chosen)
    begun = await device.begin(server)
    note(f"Open {begun.page}\nand confirm there that it shows the code {begun.user_code}")
    return await device.token(server, begun)


def logout(context: typer.Context) -> None:
    """Sign out: the token of this context ends at the server, and is deleted here. The server stays known.

    \b
    Examples:
      vclab logout
      vclab --context campus logout
    """
    chosen = server_of(context)
    if chosen is None or not chosen.name:
        raise Refused("there is no context to log out of", "`vclab context list` shows those there are")
    if chosen.token:
        run(_end(chosen))
    Contexts.own().forget_token(chosen.name)
    note(f"Logged out of {chosen.name}." if chosen.token else f"Nobody was logged in at {chosen.name}.")


async def _end(chosen: Chosen) -> None:
    """End the token at the server; one that it does not know has ended. Raises as ``Client.call``."""
    try:
        await Http(chosen).call(tokens.sign_out, Nothing())
    except VclabError as error:
        if error.code != "unauthenticated":
            raise
