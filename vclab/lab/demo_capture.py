"""``vclab demo capture``: alice makes an image of her computer; the worker is killed meanwhile; bob gets one of it."""

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import typer

from vclab.lab.control import Vcsim, kill_part
from vclab.lab.demo import PATIENCE, Demo, must, tell
from vclab.lab.disks import data_of
from vclab.model.ids import new_id

LONG = 1200.0
"""Seconds that a capture may take on a busy machine: an 8 GiB disk is read four times."""
SLOW = 20.0
"""Seconds that a copy takes at least, so that a worker can be killed in the middle of it."""

MADE = "/tmp/lab-hello.deb"
"""The package that alice makes and installs: the lab has no internet."""
CONTROL = (
    "Package: lab-hello\\nVersion: 1.0\\nArchitecture: all\\n"
    "Maintainer: Alice <alice@example.org>\\nDescription: says hello\\n"
)
INSTALLS = (
    "mkdir -p hello/DEBIAN hello/usr/bin",
    f'printf "{CONTROL}" > hello/DEBIAN/control',
    'printf "#!/bin/sh\\necho hello from the image\\n" > hello/usr/bin/lab-hello',
    "chmod 755 hello/usr/bin/lab-hello",
    f"dpkg-deb --root-owner-group -b hello {MADE}",
    f"sudo dpkg -i {MADE}",
    "lab-hello",
)
WRITES = (
    "echo what alice wrote > thesis.txt",
    "sudo install -o alice -m 600 thesis.txt /srv/alice.txt",
    "ls -l ~/thesis.txt /srv/alice.txt",
)
LOOKS = (
    "dpkg-query -W lab-hello",
    "lab-hello",
    "cat /etc/machine-id",
)


class Capture(Demo):
    """One run, in one lab."""

    def run(self) -> str:
        """The whole story. Returns the last line."""
        began, image = time.monotonic(), f"demo-{new_id()[-6:]}"
        might = any(
            each["role"] == "image-maker" for each in self.json("--as", "olga", "grant", "list", "--user", "alice")
        )
        tell("1. alice may make images: olga says so. She reserves a computer for that:")
        role = "image-maker", "--person", "alice", "--everything"
        self.vclab("--as", "olga", "grant", "add", *role)
        try:
            said = self._captured(image)
        finally:
            Vcsim(self._layout.control_socket).mend()
            if not might:
                granted = self.json("--as", "olga", "grant", "add", *role)  # again: it only tells its number
                self.quietly("--as", "olga", "grant", "remove", str(granted["id"]))
        return f"demo: ok — {said}, all in {time.monotonic() - began:.0f} s"

    def _captured(self, image: str) -> str:
        alice = self._reserved("debian-12", "--imaging")
        name = alice["id"]
        tell("2. She installs a package, and writes files:")
        self._in(name, INSTALLS)
        self._in(name, WRITES)
        machine_id = self._in(name, ("cat /etc/machine-id",))
        self._in_use(name)
        tell(f"3. She has it captured as {image}. It shuts down, and its disk is copied:")
        began = time.monotonic()
        self._begun(name, image)
        tell("4. She has her computer back, with her file. What was copied is sealed and tried meanwhile:")
        back = time.monotonic() - began
        self.vclab("show", name)
        must(self._in(name, ("cat thesis.txt", "lab-hello")).startswith("what alice wrote"), "her file is gone")
        self._watch(name, lambda seen: not seen["becomes"])
        whole = time.monotonic() - began
        self._tried(name)
        self.vclab("show", name)
        tell("5. It was loaded on another computer, and somebody logged in. Now it is a revision for tests:")
        self.vclab("image", "history", image)
        tell("6. olga gives it to everybody, and bob reserves it:")
        self.vclab("--as", "olga", "image", "promote", image, "1")
        bob = self._reserved(image, user="bob")
        tell("7. The package is there, and nothing of alice:")
        self._nothing_of_alice(alice, machine_id, bob)
        took = self._took(image)
        tell("8. All of it is cleaned up:")
        for user, one in (("alice", name), ("bob", bob["id"])):
            self.vclab("--as", user, "end", one)
        for one in (name, bob["id"]):
            self._gone(one)
        self.vclab("--as", "olga", "image", "remove", image)
        return (
            f"alice had her computer back after {back:.0f} s and an image after {whole:.0f} s, though the worker was "
            f"killed; {took >> 20} MiB of 8 GiB were written; bob got it without anything of hers"
        )

    def _in_use(self, name: str) -> None:
        """Until it was seen that she is there: what nobody uses is not captured."""
        deadline = time.monotonic() + PATIENCE
        while (seen := self._seen(name))["state"] != "inuse":
            must(time.monotonic() < deadline, f"{name} is not in use after {PATIENCE:.0f} s: {_remark(seen)}")
            time.sleep(0.5)

    def _begun(self, name: str, image: str) -> None:
        """The capture runs, and has survived the kill of its worker. The computer is alice's again."""
        vcsim = Vcsim(self._layout.control_socket)
        vcsim.slow_copies(SLOW)
        self.vclab("capture", name, "--as", image, "--title", "Debian 12 that says hello")
        self._watch(name, lambda seen: _runs(seen, "vsphere.copy_raw"))
        time.sleep(1)  # its task runs by now
        pid = kill_part(self._layout, "worker", signal.SIGKILL)
        vcsim.mend()
        typer.echo(f"   kill -9 {pid}: that was the worker, in the middle of the copy. Another one goes on:")
        self.vclab("show", name)
        self._watch(name, lambda seen: _ended(seen, "vsphere.verify_raw") and not _is_saving(seen))
        tries = [one["outcome"] for one in _attempts(self._seen(name), "vsphere.copy_raw")]
        typer.echo(f"   attempts of the copy: {', '.join(each or 'cut off' for each in tries)}")
        must(None in tries[:-1] and tries[-1] == "done", f"the worker was not killed in the copy: {tries}")

    def _tried(self, name: str) -> None:
        """It was captured, tried and published, and her computer is alice's still."""
        seen = self._seen(name)
        must(_ended(seen, "linux.try_login"), f"the image was not tried: {_remark(seen)}")
        must(_ended(seen, "vsphere.publish_copy"), f"the image was not published: {_remark(seen)}")
        must(seen["state"] == "inuse", f"alice has lost her computer: {_remark(seen)}")

    def _nothing_of_alice(self, alice: dict[str, Any], machine_id: str, bob: dict[str, Any]) -> None:
        said = self._in(bob["id"], LOOKS, user="bob").splitlines()
        must(said[0].split() == ["lab-hello", "1.0"] and said[1] == "hello from the image", f"it is not there: {said}")
        must(said[2] != machine_id.strip(), "bob's computer has the machine-id of alice's")
        uid = self.json("--as", "olga", "user", "show", "alice")["uid"]
        looks = ("getent passwd alice; true", f"sudo find / -xdev -uid {uid} -print")
        left = self._in(bob["id"], looks, user="bob").strip()
        must(not left, f"something of alice is left: {left}")
        typer.echo(f"   host key of alice's computer {alice['host_key'][-12:]}, of bob's {bob['host_key'][-12:]}")
        must(bool(bob["host_key"]) and bob["host_key"] != alice["host_key"], "both have one host key")

    def _reserved(self, image: str, *more: str, user: str = "alice") -> dict[str, Any]:
        said = self.vclab("--as", user, "reserve", image, *more, "--for", "1h", "--wait", "--json")
        found: dict[str, Any] = json.loads(said)
        must(found["state"] == "reserved", f"{found['id']} is not ready: {found}")
        return found

    def _in(self, reservation: str, commands: tuple[str, ...], user: str = "alice") -> str:
        """What commands say on the computer; the first that fails ends the story."""
        return self.vclab("--as", user, "connect", reservation, "--", " && ".join(commands))

    def _watch(self, name: str, is_so: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until it is so, and show each step, in the words of ``vclab show``."""
        deadline, last = time.monotonic() + LONG, ""
        while True:
            seen = self._seen(name)
            if seen["capture"] and (step := seen["capture"].partition(",")[0]) != last:
                typer.echo(f"   {seen['word']}; being captured as {seen['capture']}")
                last = step
            if is_so(seen):
                return
            must(not seen["needs_help"], f"the capture needs help: {seen['reason']}")
            must(bool(seen["becomes"]), f"the capture is over: {_remark(seen)}")
            must(time.monotonic() < deadline, f"the capture is not further after {LONG:.0f} s: {seen['capture']}")
            time.sleep(0.3)

    def _took(self, image: str) -> int:
        """The bytes that the revision takes on its datastore."""
        (disk,) = (self._layout.folder / "datastores").glob(f"*/vclab/*/{image}.1/disk.vmdk")
        return data_of(disk, child=False).stat().st_blocks * 512

    def _seen(self, name: str) -> dict[str, Any]:
        seen: dict[str, Any] = self.json("--as", "olga", "show", name)
        return seen


def _attempts(seen: dict[str, Any], step: str) -> list[dict[str, Any]]:
    return [one for one in seen["load"] if one["step"] == step]


def _runs(seen: dict[str, Any], step: str) -> bool:
    return any(one["ended"] is None for one in _attempts(seen, step))


def _ended(seen: dict[str, Any], step: str) -> bool:
    return any(one["outcome"] == "done" for one in _attempts(seen, step))


def _is_saving(seen: dict[str, Any]) -> bool:
    """By its workflow: the store knows that all is taken while the computer is still off."""
    return "Saving" in ((seen["now"] and seen["now"]["word"]) or seen["word"])


def _remark(seen: dict[str, Any]) -> str:
    """What `vclab show` says of it."""
    return str((seen["now"] and seen["now"]["remark"]) or seen["reason"] or seen["word"])
