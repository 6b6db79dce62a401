"""The one place where the command line chooses what it talks to."""

from importlib.util import find_spec
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from vclab.cli.root import Root
from vclab.cli.transfers import Progress
from vclab.client.contexts import Chosen, Contexts, chosen
from vclab.client.protocol import Client
from vclab.client.way import Way
from vclab.contract.people import me
from vclab.contract.use_case import Nothing
from vclab.model.errors import Invalid, Refused
from vclab.model.times import zone_of

if TYPE_CHECKING:
    from vclab.service.actor import Actor
    from vclab.service.backend import Backend
    from vclab.settings import Settings


def client_of(context: typer.Context, as_user: str = "") -> Client:
    """The client of a verb; its own ``--as`` wins over the one before the verb. Raises as ``make_client``."""
    root = context.find_object(Root) or Root()
    return make_client(as_user or root.as_user, root.context)


def server_of(context: typer.Context, as_user: str = "") -> Chosen | None:
    """The server that a verb talks to, if there is one. Raises as ``chosen``."""
    root = context.find_object(Root) or Root()
    return server_called(as_user or root.as_user, root.context)


def make_client(as_user: str = "", named: str = "") -> Client:
    """A client of the server that is in use, or ``named``, or for which there is a token of ``as_user``.

    Raises as ``chosen``; ``Refused`` when there is no server, and no installation here.
    """
    if server := server_called(as_user, named):
        from vclab.client.http import Http
        from vclab.client.place import enter

        if server.context.network:
            enter(server.context.network)
        return Http(server, Progress())
    if as_user:
        raise Refused(f"there is no token of {as_user} here", "`vclab login URL` gets one; --as names its context")
    return _as_this_account()


def server_called(as_user: str, named: str) -> Chosen | None:
    """Whose token it is says who one is: ``--as`` is the context of that name. Raises as ``chosen``; ``Invalid`` for
    two different ones."""
    if as_user and named and as_user != named:
        why = f"--as {as_user} and --context {named} name two contexts, each with a token of its own"
        raise Invalid(why, "leave one of them out")
    if as_user and not named and (chosen() or as_user in Contexts.own().all()):
        return chosen(as_user)
    return chosen(named)


async def way_of(client: Client, server: Chosen | None) -> Way:
    """How the caller reaches computers from here. Raises as ``Client.call``."""
    if server:
        return Way(via=server.context.via, identity_file=server.context.identity_file)
    person = _settings().people.get((await client.call(me, Nothing())).login)
    return Way(person.via, person.address, person.identity_file) if person else Way()


async def zone_for(client: Client) -> ZoneInfo:
    """The zone in which the caller reads times."""
    return zone_of((await client.call(me, Nothing())).zone)


# --- on the management node, without a server: how the first users and endpoints of an installation are entered -------


def _as_this_account() -> Client:
    """Calls use cases itself, as the account that runs it: the one that keeps the secrets, such as root.

    Raises ``Refused`` for everybody else, and for bad settings.
    """
    if find_spec("vclab.service") is None:
        raise Refused("no server is known here", "run `vclab login URL`")
    from vclab.service.authentication import authenticate, local_account, unknown
    from vclab.service.backend import Backend
    from vclab.service.client import InProcess

    backend = Backend(_settings())
    account = local_account(backend.settings.secrets_dir)
    if not account.keeps_secrets:
        raise Refused(f"{account.login} has not logged in at a server", "run `vclab login URL`")

    async def who(backend: "Backend") -> "Actor":
        return await authenticate(backend, account)

    return InProcess(backend, who, unknown(account), Progress())


def _settings() -> "Settings":
    from vclab.settings import config_file, load

    try:
        return load()
    except (OSError, ValueError) as error:  # ValueError: not TOML, not UTF-8
        raise Refused(f"the settings file {config_file()} can't be read: {error}") from None
