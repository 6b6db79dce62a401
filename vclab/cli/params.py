"""Parameters that several verbs share, with their completion."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vclab.client.protocol import Client

Words = list[str | tuple[str, str]]

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,199}", re.ASCII)
_SHELL = re.compile(r"""[^\w .,:;+/()%=—–-]""")


def _ids(incomplete: str) -> Words:
    from vclab.contract import reservations
    from vclab.contract.reservations import Which

    async def ask(client: "Client") -> Words:
        found = await client.call(reservations.listing, Which())
        return [(each.id, f"{each.image}: {each.word}") for each in found]

    return _beginning(incomplete, ask)


def _images(incomplete: str) -> Words:
    from vclab.contract import reservations
    from vclab.contract.use_case import Nothing

    async def ask(client: "Client") -> Words:
        return [(each.name, each.title) for each in await client.call(reservations.images, Nothing())]

    return _beginning(incomplete, ask)


def _beginning(incomplete: str, ask: "Callable[[Client], Coroutine[Any, Any, Words]]") -> Words:
    """What begins so. A completion that fails must not spoil the prompt.

    A server says names, administrators of images their titles, and zsh's completion evaluates both: in double quotes,
    of which what was escaped for them can get out. So no name is offered that a shell understands in another way, and
    no such character of a title.
    """
    from vclab.cli.client import make_client

    try:
        found = asyncio.run(ask(make_client()))
    except Exception:  # whatever it is
        return []
    pairs = [(each, "") if isinstance(each, str) else each for each in found]
    return [
        (name, _SHELL.sub(" ", text)[:200]) if text else name
        for name, text in pairs
        if name.startswith(incomplete.lower()) and _PLAIN.fullmatch(name)
    ]


def _logins(incomplete: str) -> Words:
    from vclab.contract import users

    async def ask(client: "Client") -> Words:
        return [each.login for each in await client.call(users.listing, users.Which())]

    return _beginning(incomplete, ask)


def _computers(incomplete: str) -> Words:
    from vclab.contract import computers

    async def ask(client: "Client") -> Words:
        return [each.name for each in await client.call(computers.listing, computers.Which())]

    return _beginning(incomplete, ask)


def _endpoints(incomplete: str) -> Words:
    from vclab.contract import endpoints
    from vclab.contract.use_case import Nothing

    async def ask(client: "Client") -> Words:
        return [each.name for each in await client.call(endpoints.listing, Nothing())]

    return _beginning(incomplete, ask)


def _hosts(incomplete: str) -> Words:
    from vclab.contract import hosts
    from vclab.contract.use_case import Nothing

    async def ask(client: "Client") -> Words:
        return [each.host for each in await client.call(hosts.names, Nothing())]

    return _beginning(incomplete, ask)


ReservationId = Annotated[
    str,
    typer.Argument(metavar="R", help="The reservation's id, or its first 4 characters or more.", autocompletion=_ids),
]
ReservationIds = Annotated[
    list[str],
    typer.Argument(metavar="R…", help="The reservations' ids (see `vclab list`).", autocompletion=_ids),
]
ImageName = Annotated[
    str, typer.Argument(metavar="IMAGE", help="The image's name (see `vclab images`).", autocompletion=_images)
]
Login = Annotated[
    str, typer.Argument(metavar="LOGIN", help="The login name.", show_default=False, autocompletion=_logins)
]
ComputerName = Annotated[
    str, typer.Argument(metavar="COMPUTER", help="Its name.", show_default=False, autocompletion=_computers)
]
ComputerNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="COMPUTER…", help="Their names.", show_default=False, autocompletion=_computers),
]
EndpointName = Annotated[
    str, typer.Argument(metavar="ENDPOINT", help="Its name in vclab.", show_default=False, autocompletion=_endpoints)
]
HostName = Annotated[
    str,
    typer.Argument(
        metavar="HOST",
        help="Its name, or ENDPOINT/HOST if several endpoints have a host of that name.",
        autocompletion=_hosts,
    ),
]
OfComputer = Annotated[
    str,
    typer.Option(
        "--computer",
        metavar="C",
        help="Of this computer.",
        show_default=False,
        autocompletion=_computers,
    ),
]
OfUser = Annotated[
    str,
    typer.Option("--user", metavar="U", help="Of this person.", show_default=False, autocompletion=_logins),
]
AsUser = Annotated[
    str,
    typer.Option(
        "--as", metavar="NAME", help="Use the token of this context (see `vclab context`).", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs: stable keys, times in UTC.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Reason shown to users.", show_default=False)]
