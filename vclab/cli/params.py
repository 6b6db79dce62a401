"""Parameters that several verbs share, with their completion."""

from collections.abc import Callable
from typing import Annotated

import typer

from vclab.cli.context import Lab


def _ids(incomplete: str) -> list[tuple[str, str]]:
    try:
        return [(v.id, f"{v.image}: {v.word}") for v in Lab().visible() if v.id.startswith(incomplete)]
    except Exception:  # a completion that fails must not spoil the prompt
        return []


def _images(incomplete: str) -> list[tuple[str, str]]:
    try:
        return [(i.name, i.title) for i in Lab().records.images() if i.name.startswith(incomplete)]
    except Exception:  # as above
        return []


def _logins(incomplete: str) -> list[str]:
    return _beginning(incomplete, lambda lab: [user.login for user in lab.records.users()])


def _computers(incomplete: str) -> list[str]:
    return _beginning(incomplete, lambda lab: [computer.name for computer in lab.records.computers()])


def _endpoints(incomplete: str) -> list[str]:
    return _beginning(incomplete, lambda lab: [endpoint.name for endpoint in lab.records.endpoints()])


def _hosts(incomplete: str) -> list[str]:
    return _beginning(incomplete, lambda lab: [host for _, host in lab.records.known_hosts()])


def _beginning(incomplete: str, names: Callable[[Lab], list[str]]) -> list[str]:
    try:
        return [name for name in names(Lab()) if name.startswith(incomplete)]
    except Exception:  # as above
        return []


ReservationId = Annotated[
    str, typer.Argument(metavar="R", help="The reservation's id (see `vclab list`).", autocompletion=_ids)
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
EndpointName = Annotated[
    str, typer.Argument(metavar="ENDPOINT", help="Its name here.", show_default=False, autocompletion=_endpoints)
]
HostName = Annotated[
    str,
    typer.Argument(
        metavar="HOST", help="Its name, or ENDPOINT/HOST if several have one so called.", autocompletion=_hosts
    ),
]
OfComputer = Annotated[
    str,
    typer.Option("--computer", metavar="C", help="Of this computer.", show_default=False, autocompletion=_computers),
]
OfUser = Annotated[
    str, typer.Option("--user", metavar="U", help="Of this person.", show_default=False, autocompletion=_logins)
]
AsUser = Annotated[str, typer.Option("--as", metavar="USER", help="Act as this user.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs: stable keys, times in UTC.")]
