"""``vclab connect R``: open the computer to yourself, and log in."""

import asyncio
import shlex
import time
import uuid
from typing import Annotated

import typer

from vclab.cli.context import Lab, lab_of
from vclab.cli.extend import workflow_gone
from vclab.cli.follow import Seen, look, sentence
from vclab.cli.output import note, say
from vclab.cli.params import AsUser, ReservationId
from vclab.cli.ssh import caller_address, run_ssh, ssh_command, write_known_hosts
from vclab.cli.times import utc_now
from vclab.model.errors import Failed, NotFound, Refused, Unreachable
from vclab.model.messages import Acknowledge
from vclab.model.reservations import ReservationView

OPENING = 300.0  #: seconds that opening the firewall may take: a slow computer needs ten for each of a dozen commands
TOLD = 15.0  #: seconds after which it is told that this takes long
LOOK = 0.3  #: seconds between looks at whether it is open


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
    What has no operating system to log in to is handed out: where it is is printed.

    \b
    Examples:
      vclab connect 1f3k9
      vclab connect 1f3k9 -- id -un
      vclab connect 1f3k9 -- 'ls /etc | wc -l'
      vclab connect 1f3k9 --from 192.0.2.7 --print
      vclab connect 1f3k9 --password
    """
    lab = lab_of(context, as_user)
    view = lab.reservation(r)
    if not view.has_guest:
        say(asyncio.run(_hand_out(lab, view, bool(command or password))))
        return
    view = asyncio.run(_open(lab, view, from_))
    if print_:
        say(shlex.join(ssh_command(view, lab.person(), write_known_hosts(view), command or ())))
    if password:
        say(_password(lab, view))
    if not (print_ or password):
        raise typer.Exit(run_ssh(view, lab.person(), command or ()))


async def _hand_out(lab: Lab, view: ReservationView, enters: bool) -> str:
    """Press Connect; where the thing is."""
    if enters:
        raise Refused(f"{view.computer} has no operating system to log in to; `vclab connect {view.id}` hands it out")
    seen = Seen(view)
    _must_be_ready(seen if seen.settled else await look(lab, view.id))
    await _acknowledge(lab, view.id, "")
    return lab.reservation(view.id).handover


async def _acknowledge(lab: Lab, reservation: str, address: str) -> None:
    try:
        message = Acknowledge(address=address, request_id=uuid.uuid4().hex)
        await (await lab.reservations()).acknowledge(reservation, message)
    except NotFound:
        raise workflow_gone(lab, reservation) from None


def _must_be_ready(seen: Seen) -> None:
    if seen.ended:
        raise Failed(
            f"{seen.view.id} has ended ({seen.view.ending}); reserve again with `vclab reserve {seen.view.image}`"
        )
    if not seen.settled:
        raise Refused(
            f"{seen.view.id} is not ready yet: {sentence(seen, utc_now())}; `vclab watch {seen.view.id}` follows it"
        )


async def _open(lab: Lab, view: ReservationView, from_: str) -> ReservationView:
    """Press Connect, and wait until the computer lets the caller's address in."""
    reservation, seen = view.id, Seen(view)
    _must_be_ready(seen if seen.settled else await look(lab, reservation))
    address = caller_address(from_, lab.person(), view.public_address)
    await _acknowledge(lab, reservation, address)
    began, told = time.monotonic(), False
    while True:
        view = lab.reservation(reservation)
        _must_be_ready(Seen(view))
        if view.access_open and address in view.remote_addresses:
            return view
        if address not in view.remote_addresses:
            status = (await look(lab, reservation)).status
            why = (status.reason if status else "") or view.reason or "try it again"
            raise Refused(f"{reservation} could not be opened to {address}: {why}")
        waited = time.monotonic() - began
        if waited >= TOLD and not told:
            told = True
            note(f"It takes long to open {reservation} to {address}; that goes on, at most {OPENING / 60:.0f} min.")
        if waited >= OPENING:
            seen = await look(lab, reservation)
            raise Unreachable(
                f"{reservation} was not opened to {address} within {OPENING:.0f} s "
                f"({seen.why_not or sentence(seen, utc_now())}); `vclab status` tells whether a worker runs"
            )
        await asyncio.sleep(LOOK)


def _password(lab: Lab, view: ReservationView) -> str:
    from vclab.secrets.store import SecretMissing, SecretStore

    try:
        return SecretStore(lab.settings.secrets_dir).get(view.password_ref) if view.password_ref else _no_password(view)
    except (SecretMissing, PermissionError):
        return _no_password(view)


def _no_password(view: ReservationView) -> str:
    raise Refused(f"no password of {view.id} can be read here; your SSH key lets you in")
