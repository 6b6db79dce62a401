"""``vclab demo needs-help``: a host refuses, another one is tried, both fail; an operator mends it, and it goes on."""

import json
import subprocess
import time
from collections import Counter
from typing import Any

import typer

from vclab.lab.control import Vcsim
from vclab.lab.demo import VCLAB, Demo, must, tell
from vclab.lab.stock import HOSTS, IMAGES

LONG = 180.0
"""Seconds that a load may take on a busy machine."""


class NeedsHelp(Demo):
    """One run, in one lab."""

    def run(self) -> str:
        """The whole story. Returns the last line."""
        began, vcsim = time.monotonic(), Vcsim(self._layout.control_socket)
        tell("1. Both hosts of the lab refuse to power machines on:")
        try:
            for host in (text.partition("=")[0] for text in HOSTS.split(",")):
                vcsim.refuse_power_on(host)
                typer.echo(f"   {host}: no")
            tell("2. alice reserves a computer, and waits for it:")
            waiting = self._reserve()
            name = self._needs_help(waiting)
            tell("3. The load failed on one host, then on the other. Now it needs the help of olga, an operator:")
            self.vclab("--as", "olga", "needs-help")
            before = self._loaded(name)
            self._show(before)
            machine = self._machine(name)
            must(machine is not None, "what was made was not kept")
            assert machine is not None
            must(machine["state"] != "poweredOn", f"{machine['name']} is on")
        finally:
            vcsim.mend()
        tell("4. olga repairs the hosts, and resumes the load from the failed step:")
        self.vclab("--as", "olga", "resolve", name, "retry")
        out, _ = waiting.communicate(timeout=LONG)
        must(waiting.returncode == 0, f"alice's reserve ended with {waiting.returncode}: {out}")
        reservation = json.loads(out)
        must(reservation["state"] == "reserved", f"{name} is not ready: {reservation}")
        tell(f"5. alice gets {reservation['computer']} on {reservation['host']}, the machine that was made before:")
        now = self._machine(name)
        must(now is not None and now["uuid"] == machine["uuid"], f"it is another machine: {now}")
        must(self.vclab("connect", name, "--", "id -un").strip() == "alice", "the session is not alice's")
        after = self._loaded(name)
        self._show(after)
        twice = [step for step, times in after.items() if times > 1]
        must(not twice, f"done twice: {twice}")
        must(before.items() <= after.items(), "something that was done is not told any more")
        tell("6. The time that she waited was given back to her:")
        self.vclab("show", name)
        self.vclab("end", name)
        self._gone(name)
        return f"demo: ok — {name} failed in two places, was mended and resumed, in {time.monotonic() - began:.0f} s"

    def _reserve(self) -> "subprocess.Popen[str]":
        words = ["reserve", self._image(), "--for", "1h", "--json"]
        typer.secho(f"$ vclab {' '.join(words)} &", bold=True)
        return subprocess.Popen([VCLAB, *words], env=self._env, stdout=subprocess.PIPE, text=True)

    def _image(self) -> str:
        """An image of which no spare is kept: that would be handed out, and powers nothing on."""
        computers = json.loads(self._quietly("--as", "olga", "computer", "list", "--json"))
        kept = {computer["image"] for computer in computers if computer["spare_until"]}
        free = [image.name for image in IMAGES if image.name not in kept]
        must(bool(free), "the lab keeps a spare of each image: try it in half an hour, or in another lab (--lab DIR)")
        return free[0]

    def _needs_help(self, waiting: "subprocess.Popen[str]") -> str:
        """Wait until it does; its id."""
        deadline = time.monotonic() + LONG
        while True:
            found: list[dict[str, Any]] = json.loads(self._quietly("--as", "olga", "needs-help", "--json"))
            if found:
                return str(found[-1]["id"])
            must(waiting.poll() is None, f"alice's reserve ended with {waiting.returncode}")
            must(time.monotonic() < deadline, f"nothing needs help after {LONG:.0f} s")
            time.sleep(0.5)

    def _loaded(self, name: str) -> Counter[tuple[int, str]]:
        """How often each step of each generation was done, by the load log."""
        steps = json.loads(self._quietly("--as", "olga", "show", name, "--json"))["load"]
        return Counter((s["generation"], s["step"]) for s in steps if s["outcome"] == "done")

    def _show(self, done: Counter[tuple[int, str]]) -> None:
        for (generation, step), times in sorted(done.items(), key=lambda item: item[0][0]):
            typer.echo(f"   generation {generation}: {step} done {times} time{'s' if times > 1 else ''}")

    def _quietly(self, *words: str) -> str:
        ran = subprocess.run([VCLAB, *words], env=self._env, stdout=subprocess.PIPE, text=True, check=False)
        must(ran.returncode == 0, f"`vclab {' '.join(words)}` ended with exit code {ran.returncode}")
        return ran.stdout
