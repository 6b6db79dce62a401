"""``vclab demo bare-metal``: an image is written to a node's disk; the worker is killed meanwhile; nothing is left of
alice when bob gets it."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from vclab.lab.control import kill_part
from vclab.lab.demo import Demo, must, tell
from vclab.lab.layout import METAL
from vclab.lab.stock import METAL_IMAGE

LONG = 300.0
"""Seconds that a load may take on a busy machine."""
RATE = "6mbit"
"""At which the wire carries the image, so that a worker can be killed in the middle of it."""
_IN_IMAGING = 4
"""The step after which the imaging environment has come over the same wire."""
SECRET = "what-alice-thinks-of-it-%d"
"""A line that alice writes, and that must be on no disk afterwards."""
_WRITTEN = re.compile(r"(\d+) of \d+ MiB written")


class BareMetal(Demo):
    """One run, in one lab."""

    def run(self) -> str:
        """The whole story. Returns the last line."""
        began = time.monotonic()
        tell("1. These computers have a BMC each, and are off:")
        self.vclab("--as", "olga", "computer", "list")
        tell("2. alice reserves one. It starts from the network, and the image is written to its disk:")
        alice, resumed = self._reserved()
        name, node = alice["id"], alice["computer"]
        tell("3. She works on it, as root too. The partition is as large as the disk:")
        self.vclab("connect", name, "--", "id -un; lsblk -o NAME,SIZE,SERIAL; df -h /")
        secret = SECRET % os.getpid()
        self.vclab("connect", name, "--", f"echo {secret} | sudo tee /root/mine > /dev/null; sudo sync")
        must(self._holds(node, secret), f"the disk of {node} does not hold what she wrote")
        tell("4. She ends it. Its power is cut:")
        self.vclab("end", name)
        self.computer(node, lambda seen: not seen["holder"] or not seen["holder"].startswith(name), "taken from her")
        tell("5. It is cleaned, and brought back to its image before anybody gets it:")
        self._loaded(node)
        must(not self._holds(node, secret), f"the disk of {node} still holds what alice wrote")
        typer.echo(f"   {node} is clean: no byte of what alice wrote is on its disk")
        tell("6. So bob waits for a few seconds only:")
        asked = time.monotonic()
        bob = json.loads(self.vclab("--as", "bob", "reserve", METAL_IMAGE.name, "--for", "1h", "--wait", "--json"))
        waited = time.monotonic() - asked
        self.vclab("--as", "bob", "connect", bob["id"], "--", "id -un; hostname")
        self.vclab("--as", "bob", "end", bob["id"])
        return (
            f"demo: ok — {node} was loaded though the worker was killed at {resumed} MiB; nothing of alice was left on "
            f"its disk; bob had one after {waited:.0f} s, all in {time.monotonic() - began:.0f} s"
        )

    def _reserved(self) -> tuple[dict[str, Any], int]:
        """Her reservation, and how far the disk was written when the worker was killed."""
        said = json.loads(self.vclab("reserve", METAL_IMAGE.name, "--for", "1h", "--no-wait", "--json"))
        self._watch(said["id"], lambda seen: (seen["step"] or 0) > _IN_IMAGING)
        with self._narrow():
            seen = self._watch(said["id"], lambda seen: _written(seen) > 0)
            pid = kill_part(self._layout, "worker", signal.SIGKILL)
            at = _written(seen)
            typer.echo(f"   kill -9 {pid}: that was the worker, at {at} MiB. Another one goes on there:")
        found = self._watch(said["id"], lambda seen: seen["state"] == "reserved")
        return found, at

    @contextmanager
    def _narrow(self) -> Iterator[None]:
        """The provisioning network is slow meanwhile."""
        words = ["ip", "netns", "exec", self._layout.management, "tc", "qdisc"]
        slow = ["add", "dev", METAL, "root", "tbf", "rate", RATE, "burst", "64kb", "latency", "400ms"]
        subprocess.run([*words, *slow], capture_output=True, check=False)
        try:
            yield
        finally:
            subprocess.run([*words, "del", "dev", METAL, "root"], capture_output=True, check=False)

    def _watch(self, name: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until it is so, and show what is done, in the words of ``vclab show``."""
        deadline, last = time.monotonic() + LONG, ""
        while True:
            seen: dict[str, Any] = self.json("show", name)
            said = _said(seen)
            if said != last:
                typer.echo(f"   {said}")
                last = said
            if is_so(seen):
                return seen
            must(not seen["needs_help"], f"it needs help: {seen['reason']}")
            must(time.monotonic() < deadline, f"it is not further after {LONG:.0f} s: {said}")
            time.sleep(0.3)

    def _loaded(self, node: str) -> None:
        deadline = time.monotonic() + LONG
        while True:
            seen = self.json("--as", "olga", "computer", "show", node)
            if seen["image"] == METAL_IMAGE.name and seen["state"] == "available" and not seen["holder"]:
                break
            must(time.monotonic() < deadline, f"{node} is not loaded after {LONG:.0f} s: {seen}")
            time.sleep(0.5)
        self.vclab("--as", "olga", "computer", "show", node)

    def _holds(self, node: str, text: str) -> bool:
        """Whether the bytes of its disk hold it anywhere."""
        return holds(self._layout.nodes / node / "disk.raw", text)


def _said(seen: dict[str, Any]) -> str:
    now = seen["now"] or seen
    return ": ".join(filter(None, (str(now["word"]), str(now.get("waits_for") or ""), str(now.get("remark") or ""))))


def _written(seen: dict[str, Any]) -> int:
    """MiB that are on the disk, as the step of the write tells."""
    found = _WRITTEN.search(_said(seen))
    return int(found[1]) if found else 0


def holds(disk: Path, wanted: str) -> bool:
    """Whether a file's bytes have that text anywhere. Holes are not read."""
    text = wanted.encode()
    with disk.open("rb", buffering=0) as file:
        end, at = os.fstat(file.fileno()).st_size, 0
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # no data any more
                return False
            hole = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            if _found(file.fileno(), at, hole, text):
                return True
            at = hole
    return False


def _found(file: int, at: int, end: int, text: bytes, piece: int = 8 << 20) -> bool:
    return any(text in os.pread(file, min(piece + len(text), end - each), each) for each in range(at, end, piece))
