"""``vclab demo spare``: a machine that nobody has used goes to the next reservation, one that was used to nobody."""

import json
import time
from typing import Any

import typer

from vclab.lab.control import Vcsim
from vclab.lab.demo import Demo, must, tell
from vclab.lab.stock import DATASTORE

IMAGE, WHOLE = "debian-12-large", "whole-host"
"""An image of which one machine fits on each of the two hosts, and one that needs a host for itself."""


class Spare(Demo):
    """One run, in one lab."""

    def run(self) -> str:
        """The whole story. Returns the last line."""
        began = time.monotonic()
        made = self._two_spares()
        reservation, seconds = self._handed_out(made)
        self._make_way(made[1 - [one["computer"] for one in made].index(reservation["computer"])])
        self._used(reservation)
        return (
            f"demo: ok — {reservation['computer']} was kept, and given to carol after {seconds:.1f} s; "
            f"the other spare made way; all in {time.monotonic() - began:.0f} s"
        )

    def _two_spares(self) -> list[dict[str, Any]]:
        tell(f"1. alice and bob each reserve a computer with {IMAGE}. It is made, which takes a while:")
        made = [self._reserve(person, IMAGE) for person in ("alice", "bob")]
        uuids = [self._uuid(one["id"]) for one in made]
        tell("2. Both end it before they connect. Nobody can have logged in, so the machines are kept as spares:")
        for one in made:
            self.vclab("end", one["id"], "--as", "olga")
        for one, uuid in zip(made, uuids, strict=True):
            self.computer(one["computer"], lambda found: bool(found["spare_until"]), "a spare")
            must(uuid in self._machines(), f"the machine of {one['computer']} is gone")
            one["uuid"] = uuid
        self.vclab("computer", "show", made[0]["computer"])
        return made

    def _handed_out(self, made: list[dict[str, Any]]) -> tuple[dict[str, Any], float]:
        tell(
            "3. carol wants one too. She gets one that is ready: looked at from outside and inside, and marked as hers:"
        )
        began = time.monotonic()
        reservation = self._reserve("carol", IMAGE)
        seconds = time.monotonic() - began
        known = {one["computer"]: one["uuid"] for one in made}
        uuid = self._uuid(reservation["id"])
        must(uuid == known.get(reservation["computer"]), f"it is another machine: {reservation}")
        typer.echo(f"   the same machine, ready {seconds:.1f} s after the command was typed")
        looks = self.vclab("connect", reservation["id"], "--as", "carol", "--", "id -un; ls -A /home")
        must(looks.split() == ["carol", "carol"], f"somebody else was there before: {looks}")
        return reservation, seconds

    def _make_way(self, spare: dict[str, Any]) -> None:
        tell("4. olga needs a whole host. The other spare takes up room, so it is removed:")
        master = f"[{DATASTORE}] vclab-images/{IMAGE}/1/disk.vmdk"
        size = ["--cpus", "4", "--memory", "12288", "--disk", "16", "--guest-id", "debian12_64Guest"]
        self.vclab("image", "add", WHOLE, "--master", master, *size, "--as", "olga")
        reservation = self._reserve("olga", WHOLE)
        must(spare["uuid"] not in self._machines(), "the spare is still there")
        must(reservation["host"] == spare["host"], f"it is on another host: {reservation}")
        typer.echo(f"   the machine of alice or bob is gone from {spare['host']}")
        self.vclab("end", reservation["id"], "--as", "olga")
        self.computer(reservation["computer"], lambda found: not found["holder"], "free")

    def _used(self, reservation: dict[str, Any]) -> None:
        tell("5. carol was logged in, so her machine is removed:")
        self.vclab("end", reservation["id"], "--as", "carol")
        found = self.computer(reservation["computer"], lambda found: not found["holder"], "free")
        must(not found["spare_until"] and not found["image"], f"it was kept: {found}")
        self._gone(reservation["id"])

    def _reserve(self, person: str, image: str) -> dict[str, Any]:
        answer = self.vclab("reserve", image, "--for", "1h", "--wait", "--json", "--as", person)
        reservation: dict[str, Any] = json.loads(answer)
        must(reservation["state"] == "reserved", f"{reservation['id']} is not ready: {reservation}")
        return reservation

    def _uuid(self, reservation: str) -> str:
        machine = self._machine(reservation)
        must(machine is not None, f"the vCenter knows no machine of {reservation}")
        assert machine is not None
        return str(machine["uuid"])

    def _machines(self) -> set[str]:
        return {str(machine["uuid"]) for machine in Vcsim(self._layout.control_socket).machines()}
