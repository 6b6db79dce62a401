"""``vclab power NAME status|on|off|reset|boot-device``: switch a computer."""

from typing import Annotated

import typer

from vclab.cli.asking import asker
from vclab.cli.errors import Usage
from vclab.cli.output import note, say
from vclab.cli.params import AsUser, ComputerName, Json
from vclab.cli.times import parse_length
from vclab.contract import power
from vclab.contract.power import Seen
from vclab.model.power import PowerVerb
from vclab.model.typed import quoted

VERBS = [verb.value for verb in PowerVerb if verb not in (PowerVerb.CHECK, PowerVerb.CONSOLE)]


def power_(
    context: typer.Context,
    name: ComputerName,
    verb: Annotated[str, typer.Argument(metavar="|".join(VERBS), show_default=False)],
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
    if verb not in VERBS:
        raise Usage(f"there is no {quoted(verb)}", f"use one of {', '.join(VERBS)}")
    if soft and verb != PowerVerb.OFF:
        raise Usage("--soft is for off")
    question = power.Switch(
        name=name,
        verb=PowerVerb(verb),
        soft_seconds=parse_length(soft) if soft else 0.0,
        device=device,
        always=always,
        force=force,
    )
    asker(context).tell(power.switch, question, json, tell)


def tell(seen: Seen) -> None:
    """What was seen; first what is to be warned of."""
    for warning in seen.warnings:
        note(f"Warning: {warning}.")
    if seen.device:
        say(f"{seen.computer}  boots from {seen.device}{', always' if seen.always else ''}")
    else:
        say(f"{seen.computer}  {seen.power}{f' ({seen.why})' if seen.why else ''}")
