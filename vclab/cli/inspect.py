"""``vclab computer inspect NAME``: read what hardware a computer has, and compare it with the record."""

import asyncio
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from vclab.cli.asking import given
from vclab.cli.client import client_of
from vclab.cli.errors import Usage
from vclab.cli.output import fields, note, say, say_json
from vclab.cli.params import AsUser, ComputerName, Json
from vclab.cli.running import run
from vclab.cli.transfers import sized
from vclab.client.protocol import Client
from vclab.contract import inspections
from vclab.contract.inspections import Inspection
from vclab.contract.retiring import Named
from vclab.model.bmc_facts import facts_of, not_told
from vclab.model.errors import Failed

POLL = 0.5
"""Seconds between two looks."""
EVERY = 5.0
"""Seconds between two lines about the same step."""


def inspect(
    context: typer.Context,
    name: ComputerName,
    accept: Annotated[bool, typer.Option("--accept", help="What is found becomes the record.")] = False,
    last: Annotated[
        bool, typer.Option("--last", help="Begin nothing: tell what the newest one has found; follow it while it runs.")
    ] = False,
    json: Json = False,
    as_user: AsUser = "",
) -> None:
    """Read the hardware of a computer that nobody holds: CPUs, memory, disks, network cards, firmware.

    It is started into the imaging environment, which changes nothing on its disks; then it is on or off again, as it
    was before. The first report is the record. What differs from it later is shown; a computer that has less than
    is recorded goes into maintenance. --accept makes what is found the record.
    Ctrl-C stops watching; the inspection goes on.

    \b
    Examples:
      vclab computer inspect metal01
      vclab computer inspect metal01 --accept --json
      vclab computer inspect metal01 --last
    """
    if accept and last:
        raise Usage("--last begins no inspection, and so accepts nothing", "use one of them")
    client = client_of(context, as_user)
    if not last:
        run(client.call(inspections.inspect, given(context, inspections.Begin)))
    try:
        found = run(_follow(client, name))
    except KeyboardInterrupt:
        note(f"\nNo longer watching; the inspection goes on: `vclab computer inspect {name} --last` shows it")
        raise
    if json:
        say_json(inspections.look.document(found))
    if found.why_not:
        raise Failed(f"{name} was not inspected: {found.why_not.removeprefix(f'{name}: ')}")
    if not json:
        _tell(found)


async def _follow(client: Client, name: str) -> Inspection:
    """Until it has ended."""
    shown, told = (0, ""), 0.0
    while not (seen := await client.call(inspections.look, Named(name=name))).ended:
        now = time.monotonic()
        if seen.step and (seen.step != shown[0] or (seen.said != shown[1] and now - told > EVERY)):
            shown, told = (seen.step, seen.said), now
            said = f", {seen.said}" if seen.said else ""
            note(f"{name}  Inspecting ({seen.step}/{seen.steps}): {seen.step_title}{said}")
        await asyncio.sleep(POLL)
    return seen


def _tell(found: Inspection) -> None:
    fields([("Computer", found.computer), *hardware_rows(found.hardware)])
    for text in found.differences:
        say(f"Differs: {text}")
    if found.recorded:
        note("This is the record from now on.")
    elif not found.differences:
        note("It is as it is recorded.")
    else:
        note(f"`vclab computer inspect {found.computer} --accept` makes it the record.")
    if found.out_of_service:
        note(f"{found.computer} is out of service: {found.out_of_service}")


def hardware_rows(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known of it."""
    yield "Model", _joined(said, "vendor", "product", "serial")
    yield "CPUs", f"{said.get('cpus') or ''} {said.get('cpu_model') or ''}".strip()
    yield "Memory", sized(said["memory_mib"] << 20) if said.get("memory_mib") else ""
    yield "Firmware", _joined(said, "firmware", "firmware_vendor", "firmware_version")
    for disk in said.get("disks", ()):
        serial = f"serial {disk['serial']}" if disk["serial"] else ""
        yield "Disk", ", ".join(filter(None, (f"{disk['path']} {sized(disk['size'])}", disk["model"], serial)))
    for card in said.get("cards", ()):
        yield "Card", " ".join(filter(None, (card["mac"], card["name"], card["driver"])))
    bmc = said.get("bmc") or {}
    yield "BMC", f"firmware {bmc['version']}" if bmc.get("version") else ""
    for account in bmc.get("accounts") or ():
        yield "Account", account
    if bmc:
        yield "Not compared", ", ".join(not_told(facts_of(bmc)))


def _joined(said: dict[str, Any], *names: str) -> str:
    return " ".join(str(said[name]) for name in names if said.get(name))
