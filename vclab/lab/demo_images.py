"""``vclab demo images``: a disk image is imported, copied once for two machines, replaced by a new one, and retired."""

import json
import subprocess
import time
from typing import Any

import typer

from vclab.lab import rootfs
from vclab.lab.control import Vcsim
from vclab.lab.demo import Demo, must, tell
from vclab.lab.disks import data_of, make_master
from vclab.model.ids import new_id

DISK_GB = 2


class Images(Demo):
    """One run, in one lab."""

    def run(self) -> str:
        """The whole story. Returns the last line."""
        began = time.monotonic()
        image = f"demo-{new_id()[-6:]}"
        tell("1. Somebody gives us a disk image. It is looked at, read, and kept in the library with its hash:")
        self._given("given.qcow2")
        first = self._imported(image, "--title", "A demonstration", "--cpus", "1", "--memory", "512")
        must(first["state"] == "production", f"it is not in production: {first}")
        tell("2. alice and bob reserve it, on two hosts. Nobody has it there yet: it is copied, once:")
        a = self._reserved("alice", image)
        self.vclab("--as", "olga", "host", "rest", a["host"], "--reason", "so that bob gets the other one")
        b = self._reserved("bob", image)
        self.vclab("--as", "olga", "host", "wake", a["host"])
        must(a["host"] != b["host"], f"both are on {a['host']}")
        tell("3. One copy, two machines whose disks are its children. Their own disks hold what they have written:")
        self.vclab("--as", "olga", "image", "history", image)
        self._one_copy_two_children(a["id"], b["id"])
        tell("4. There is a new revision. It is for tests until it is promoted; then new reservations get it:")
        second = self._imported(image, "--notes", "the new one")
        must((second["revision"], second["state"]) == (2, "test"), f"it is not for tests: {second}")
        self.vclab("--as", "olga", "image", "promote", image, "2")
        c = self._reserved("carol", image)
        must(c["revision"] == 2, f"carol got revision {c['revision']}")
        tell("5. The old one is retired. Who has it keeps it:")
        self.vclab("--as", "olga", "image", "retire", image, "1")
        must(self.vclab("--as", "alice", "connect", a["id"], "--", "id", "-un").strip() == "alice", "alice is out")
        tell("6. What is exported has the same content:")
        self._exported(image, second["sha256"])
        for user, reservation in (("alice", a), ("bob", b), ("carol", c)):
            self.vclab("--as", user, "end", reservation["id"])
        for reservation in (a, b):  # carol's is of the revision in production: it may be kept as a spare
            self._gone(reservation["id"])
        self.vclab("--as", "olga", "image", "history", image)
        return f"demo: ok — {image} was imported, shared, replaced and retired in {time.monotonic() - began:.0f} s"

    def _given(self, name: str) -> None:
        """A disk image, as one gets it from elsewhere: made of the lab's own Debian."""
        disk = self._layout.folder / "demo" / "disk.vmdk"
        make_master(disk, rootfs.tree(typer.echo), self._layout.layers / "debian-12", DISK_GB)
        self._file = disk.with_name(name)
        flat = str(data_of(disk, child=False))
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", flat, str(self._file)], check=True)
        typer.echo(f"   {self._file}: {self._file.stat().st_size >> 20} MiB")

    def _imported(self, image: str, *more: str) -> dict[str, Any]:
        said = self.vclab("--as", "olga", "image", "import", str(self._file), "--as", image, *more, "--json")
        found: dict[str, Any] = json.loads(said)
        return found

    def _reserved(self, user: str, image: str) -> dict[str, Any]:
        said = self.vclab("--as", user, "reserve", image, "--for", "1h", "--wait", "--json")
        found: dict[str, Any] = json.loads(said)
        must(found["state"] == "reserved", f"{found['id']} is not ready: {found}")
        return found

    def _one_copy_two_children(self, *reservations: str) -> None:
        machines = Vcsim(self._layout.control_socket).machines()
        found = [m for m in machines if any(r in str(m.get("name")) for r in reservations)]
        parents = {str(m["parents"]) for m in found}
        must(len(found) == 2 and len(parents) == 1, f"there is not one parent of two machines: {found}")
        for machine in found:
            delta = data_of(self._layout.folder / machine["disks"][0], child=True)
            typer.echo(f"   {machine['name']} on {machine['host']}: {delta.stat().st_blocks // 2} KiB of its own")

    def _exported(self, image: str, sha256: str) -> None:
        file = self._layout.folder / "exported.raw"
        file.unlink(missing_ok=True)
        self.vclab("--as", "olga", "image", "export", image, str(file), "--format", "raw")
        said = subprocess.run(["sha256sum", str(file)], stdout=subprocess.PIPE, text=True, check=True).stdout
        file.unlink()
        must(said.split()[0] == sha256, f"its content has another hash: {said}")
        typer.echo(f"   sha256sum says {said.split()[0]}")
