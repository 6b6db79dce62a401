"""``vclab ssh-proxy NAME``: what OpenSSH runs for the names that ``vclab config-ssh`` told it of."""

import os
import re
import socket
from typing import Annotated

import typer

from vclab.cli.client import client_of
from vclab.cli.running import run
from vclab.cli.ssh import write_known_hosts
from vclab.client.protocol import Client
from vclab.contract import acts, reservations
from vclab.contract.reservations import Which
from vclab.contract.views import Reservation
from vclab.model.errors import Invalid, NotFound, Refused, Unreachable

NAME = re.compile(r"vclab-(?P<reservation>[a-z0-9]+)|(?P<image>[a-z0-9][a-z0-9._-]*)\.vclab", re.IGNORECASE)
CONNECT = 15.0
"""Seconds for a connection."""


def ssh_proxy(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="vclab-R, or IMAGE.vclab.", show_default=False)],
) -> None:
    """Open a connection for OpenSSH (see `vclab config-ssh`), and hand it over by its standard output.

    \b
    Examples:
      vclab ssh-proxy vclab-1f3k9
    """
    view = run(_opened(client_of(context), name))
    write_known_hosts(view, name)
    with _connected(view) as connection:
        _hand_over(connection)


async def _opened(client: Client, name: str) -> Reservation:
    """The reservation of that name, opened to the caller. Raises ``NotFound``, ``Refused``."""
    question = acts.Connect(reservation=await reservation_called(client, name))
    view = await client.call(acts.connect, question)
    if not view.has_guest or not view.address:
        raise Refused(f"{view.computer} has no operating system to log in to", f"`vclab connect {view.id}`")
    return view


async def reservation_called(client: Client, name: str) -> str:
    """Its id, as far as the name tells it. Raises ``Invalid``, ``NotFound``, ``Refused``."""
    meant = NAME.fullmatch(name)
    if meant is None:
        raise Invalid(f"{name!r} does not name a reservation", "use vclab-R, or IMAGE.vclab")
    if meant["reservation"]:
        return meant["reservation"].lower()
    image = meant["image"].lower()
    mine = [each for each in await client.call(reservations.listing, Which()) if each.image.lower() == image]
    ready = [each.id for each in mine if each.ready] or [each.id for each in mine]
    if not ready:
        raise NotFound(f"you have no reservation of {image}", "`vclab list` shows yours")
    if len(ready) > 1:
        raise Refused(f"you have several of {image}: {', '.join(ready)}", f"name one: ssh vclab-{ready[0]}")
    return ready[0]


def _connected(view: Reservation) -> socket.socket:
    """Raises ``Unreachable``."""
    try:
        made = socket.create_connection((view.address, 22), timeout=CONNECT)
    except OSError as error:
        why = error.strerror or "no answer"
        raise Unreachable(f"{view.id} does not answer at {view.address}: {why}") from None
    made.settimeout(None)
    return made


def _hand_over(connection: socket.socket) -> None:
    """Give OpenSSH the connection itself (ProxyUseFdpass): no byte of it passes through here. Raises ``Invalid``."""
    try:
        with socket.socket(fileno=os.dup(1)) as openssh:
            socket.send_fds(openssh, [b"\0"], [connection.fileno()])
    except OSError:
        raise Invalid("standard output is not OpenSSH", "`vclab config-ssh` sets it up") from None
