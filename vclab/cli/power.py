"""``vclab power NAME status|on|off|reset|boot-device``: switch a computer."""

from typing import Annotated

import typer

from vclab.cli.asking import asker
from vclab.cli.errors import Usage
from vclab.cli.output import say
from vclab.cli.params import AsUser, ComputerName, Json
from vclab.cli.times import parse_length
from vclab.model.power import PowerVerb
from vclab.service import power
from vclab.service.power import Seen


def power_(
    context: typer.Context,
    name: ComputerName,
    verb: Annotated[PowerVerb, typer.Argument(metavar="status|on|off|reset|boot-device", show_default=False)],
    device: Annotated[
        str,
        typer.Argument(metavar="DEVICE", help="default, disk, network, cd or setup.", show_default=False),
    ] = "",
    always: Annotated[bool, typer.Option("--always", help="Boot from it each time, not the next time only.")] = False,
    soft: Annotated[
        str,
        typer.Option("--soft", metavar="TIME", help="Off: let its system shut down for so long.", show_default=False),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Although somebody holds the computer.")] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Tell or change the power of a computer, and what it boots from.

    A BMC is believed only when the change is seen. A computer that somebody holds is switched with --force only. Where
    it is switched, `vclab computer edit NAME --bmc ADDRESS` says; a virtual machine is switched by its endpoint.

    \b
    Examples:
      vclab power pc-07 on
      vclab power metal01 off --soft 2m
      vclab power metal01 boot-device network
    """
    if soft and verb is not PowerVerb.OFF:
        raise Usage("--soft is for off")
    question = power.Switch(
        name=name,
        verb=verb,
        soft_seconds=parse_length(soft) if soft else 0.0,
        device=device,
        always=always,
        force=force,
    )
    asker(context).tell(power.switch, question, json, _tell)


def _tell(seen: Seen) -> None:
    if seen.device:
        say(f"{seen.computer}  boots from {seen.device}{', always' if seen.always else ''}")
    else:
        say(f"{seen.computer}  {seen.power}{f' ({seen.why})' if seen.why else ''}")
