"""``vclab demo``: the main job, told while it happens. It uses the command line as a person would, on real parts."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from vclab.lab import lab as embedded
from vclab.lab.control import Vcsim
from vclab.lab.errors import LabError
from vclab.lab.layout import Layout

VCLAB = Path(sys.executable).with_name("vclab")
PATIENCE = 60.0  #: seconds for the worker to take a computer back


class DemoFailed(LabError):
    """Something was not as it must be."""


class Demo:
    """One run, in one lab."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        own = {"VCLAB_LAB": str(layout.folder), "VCLAB_CONFIG": str(layout.settings_file)}
        self._env = {**os.environ, **own}

    def run(self) -> str:
        """The whole story. Returns the last line."""
        began = time.monotonic()
        tell("1. What can be reserved?")
        self.vclab("images")
        tell("2. alice reserves a computer for an hour. Watch the load:")
        reservation = json.loads(self.vclab("reserve", "debian-12", "--for", "1h", "--wait", "--json"))
        name, address = reservation["id"], reservation["address"]
        must(reservation["state"] == "reserved", f"{name} is not ready: {reservation}")
        tell(f"3. The vCenter, asked from outside, has made {reservation['computer']} on {reservation['host']}:")
        machine = self._machine(name)
        must(machine is not None, f"the vCenter knows no machine of {name}")
        assert machine is not None
        typer.echo(f"   {machine['name']}: {machine['state']}, {machine['cpus']} CPU, {machine['memory_mb']} MiB")
        typer.echo(f"   instance UUID {machine['uuid']}, disk {machine['disks'][0]}")
        tell("4. alice connects to a Linux machine of her own:")
        looks = "id -un; hostname; grep PRETTY /etc/os-release; ip -4 -brief address show eth1"
        self.vclab("connect", name, "--", looks)
        must(self.vclab("connect", name, "--", "id -un").strip() == "alice", "the session is not alice's")
        tell("5. From bob's address the port is closed:")
        self._shut_for_bob(address)
        tell("6. alice wants to stay half an hour longer, then ends it:")
        self.vclab("extend", name, "--by", "30m")
        self.vclab("show", name)
        self.vclab("end", name)
        tell("7. The computer is taken back:")
        self._gone(name)
        self.vclab("list", "--all")
        ui = f"{embedded.addresses(self._layout).ui}/namespaces/default/workflows/reservation-{name}"
        tell(f"The whole history of {name} is in the Temporal UI: {ui}")
        typer.echo("   The lab stays up; `vclab down` stops it.")
        return f"demo: ok — {name} lived and was taken back in {time.monotonic() - began:.0f} s"

    def vclab(self, *arguments: str) -> str:
        """Run a command as a person would, show it and what it prints; its standard output. Raises ``DemoFailed``."""
        typer.secho(f"$ vclab {' '.join(_quoted(a) for a in arguments)}", bold=True)
        ran = subprocess.run([VCLAB, *arguments], env=self._env, stdout=subprocess.PIPE, text=True, check=False)
        typer.echo(ran.stdout, nl=False)
        must(ran.returncode == 0, f"`vclab {arguments[0]}` ended with exit code {ran.returncode}")
        return ran.stdout

    def quietly(self, *words: str) -> str:
        """Run a command without showing it; its standard output. Raises ``DemoFailed``."""
        ran = subprocess.run([VCLAB, *words], env=self._env, stdout=subprocess.PIPE, text=True, check=False)
        must(ran.returncode == 0, f"`vclab {' '.join(words)}` ended with exit code {ran.returncode}")
        return ran.stdout

    def json(self, *words: str) -> Any:
        """What such a command prints with ``--json``."""
        return json.loads(self.quietly(*words, "--json"))

    def computer(self, name: str, is_so: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """Wait until a computer is as it should be; what is known of it then. Raises ``DemoFailed``."""
        deadline = time.monotonic() + PATIENCE
        while True:
            command = [str(VCLAB), "computer", "show", name, "--json"]
            ran = subprocess.run(command, env=self._env, capture_output=True, text=True, check=True)
            found: dict[str, Any] = json.loads(ran.stdout)
            if is_so(found):
                return found
            must(time.monotonic() < deadline, f"{name} is not {what} after {PATIENCE:.0f} s: {found}")
            time.sleep(0.5)

    def _machine(self, reservation: str) -> dict[str, Any] | None:
        machines = Vcsim(self._layout.control_socket).machines()
        return next((m for m in machines if reservation in str(m.get("name"))), None)

    def _shut_for_bob(self, address: str) -> None:
        place = ["ip", "netns", "exec", self._layout.person("bob")]
        command = [*place, "ssh", "-T", "-o", "ConnectTimeout=3", "-o", "BatchMode=yes"]
        typer.secho(f"$ {' '.join(command[4:])} alice@{address}", bold=True)
        ran = subprocess.run([*command, f"alice@{address}"], capture_output=True, text=True, check=False)
        typer.echo(f"   {ran.stderr.strip()}")
        must("timed out" in ran.stderr, "bob got an answer from alice's computer")

    def _gone(self, reservation: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._machine(reservation) is not None:
            must(time.monotonic() < deadline, f"the machine of {reservation} is still there after {PATIENCE:.0f} s")
            time.sleep(0.5)
        typer.echo("   gone from the vCenter")


def tell(text: str) -> None:
    """A chapter."""
    typer.secho(f"\n{text}", fg=typer.colors.CYAN)


def must(fact: bool, otherwise: str) -> None:
    """Raises ``DemoFailed`` unless it is so."""
    if not fact:
        raise DemoFailed(otherwise)


def _quoted(argument: str) -> str:
    return f"'{argument}'" if " " in argument else argument
