"""``vclab connect R``: open the computer to yourself, and log in."""

import asyncio
import shlex
from collections.abc import Awaitable
from typing import Annotated, TypeVar

import typer

from vclab.cli.client import client_of, server_of, way_of
from vclab.cli.output import note, say
from vclab.cli.params import AsUser, ReservationId
from vclab.cli.running import run
from vclab.cli.ssh import caller_address, run_ssh, ssh_command, write_known_hosts
from vclab.client.contexts import Chosen
from vclab.client.protocol import Client
from vclab.client.way import Way
from vclab.contract import acts, reservations
from vclab.contract.reservations import Named
from vclab.contract.views import Reservation
from vclab.model.addresses import checked_address
from vclab.model.errors import Refused

LONG = 15.0  #: seconds after which a remark says that this takes long

T = TypeVar("T")


def connect(
    context: typer.Context,
    r: ReservationId,
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND…]", help="Run this there.")] = None,
    from_: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="The address or prefix you come from.", show_default=False)
    ] = "",
    print_: Annotated[bool, typer.Option("--print", help="Print the OpenSSH command, don't run it.")] = False,
    password: Annotated[bool, typer.Option("--password", help="Print the one-time password, don't run ssh.")] = False,
    as_user: AsUser = "",
) -> None:
    """Open the computer to your address, and log in.

    With OpenSSH; the computer's host key is pinned.
    A single COMMAND argument is a shell line for the computer; several are passed exactly as they are.
    Exit code: that of ssh, so that of COMMAND.
    What has no operating system to log in to is handed out: its place is printed.

    \b
    Examples:
      vclab connect 1f3k9
      vclab connect 1f3k9 -- id -un
      vclab connect 1f3k9 -- 'ls /etc | wc -l'
      vclab connect 1f3k9 --from 192.0.2.7 --print
      vclab connect 1f3k9 --password
    """
    client = client_of(context, as_user)
    server = server_of(context, as_user)
    view, way = run(_known(client, server, r))
    if not view.has_guest:
        if command or password:
            hint = f"`vclab connect {view.id}` hands it out"
            raise Refused(f"{view.computer} has no operating system to log in to", hint)
        say(run(client.call(acts.connect, acts.Connect(reservation=view.id))).handover or "")
        return
    # A server sees where its caller comes from; nobody else does.
    address = checked_address(from_) if server and from_ else ""
    view = run(_open(client, view, address if server else caller_address(from_, way, view.address or "")))
    if print_:
        say(shlex.join(ssh_command(view, way, write_known_hosts(view), command or ())))
    if password:
        say(run(client.call(acts.password, Named(reservation=view.id))).password)
    if not (print_ or password):
        raise typer.Exit(run_ssh(view, way, command or ()))


async def _known(client: Client, server: Chosen | None, r: str) -> tuple[Reservation, Way]:
    """The reservation, and how the caller reaches computers from here."""
    view = await client.call(reservations.look, Named(reservation=r))
    return view, await way_of(client, server)


async def _open(client: Client, view: Reservation, address: str) -> Reservation:
    """Press Connect, and wait until the computer lets the address in; empty: the one that the server sees."""
    question = acts.Connect(reservation=view.id, address=address)
    minutes, where = f"{acts.OPENING / 60:.0f}", address or "your address"
    remark = f"Opening {view.id} to {where} takes long. Still waiting, at most {minutes} min."
    return await _with_remark(client.call(acts.connect, question), remark)


async def _with_remark(work: Awaitable[T], remark: str) -> T:
    """Wait for it, with a remark when that takes long."""
    timer = asyncio.get_running_loop().call_later(LONG, note, remark)
    try:
        return await work
    finally:
        timer.cancel()
