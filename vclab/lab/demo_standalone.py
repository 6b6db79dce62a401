"""``vclab demo standalone``: a lab machine that no vCenter knows is given away, used, and sanitized."""

import json
import subprocess
import time
from pathlib import Path

import typer

from vclab.lab import state
from vclab.lab.demo import VCLAB, Demo, must, tell
from vclab.lab.stock import LAB_IMAGE

LEAVE = (
    "(nohup setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' > /dev/null 2>&1 &); "
    "echo '* * * * * touch /var/tmp/woken' | crontab -; echo secret > /var/tmp/mine; echo x > /dev/shm/mine; "
    "crontab -l; ls -l /var/tmp/mine /dev/shm/mine"
)
FIND = (
    "getent passwd alice; ls -A /home; ls -A /var/spool/cron/crontabs; "
    "find / /dev/shm /run -xdev -uid 20001; cat /proc/[0-9]*/status | grep -w 20001"
)


class Standalone(Demo):
    """One run, in one lab."""

    def run(self) -> str:
        """The whole story. Returns the last line."""
        began = time.monotonic()
        image = LAB_IMAGE.name
        tell("1. The lab has two machines outside of the vCenter. Somebody logs in at the console of lab01:")
        self._inside(
            "lab01", "setsid -c sh -c 'echo $$ > /run/sat; exec login -f root' < /dev/console > /dev/console 2>&1 &"
        )
        time.sleep(1)
        try:
            tell("2. So alice, who wants a lab machine, gets the other one:")
            reservation = json.loads(self.vclab("reserve", image, "--for", "1h", "--wait", "--json"))
            name, address = reservation["id"], reservation["address"]
            must(reservation["computer"] == "lab02", f"it is not lab02: {reservation}")
            tell("3. There is no third one. The refusal says why each is not available:")
            self._refused(image)
        finally:
            self._inside(
                "lab01", "pkill -HUP -s $(cat /run/sat); sleep 0.5; pkill -KILL -s $(cat /run/sat); rm /run/sat"
            )
        tell("4. alice connects, and leaves files and processes behind:")
        self.vclab("connect", name, "--", LEAVE)
        must("20001" in self._inside("lab02", FIND), "she left nothing")
        tell("5. From bob's address the port is closed:")
        self._shut_for_bob(address)
        tell("6. She ends it. A lab machine is sanitized, not removed; it is available again once that is verified:")
        self.vclab("end", name)
        self._available("lab02")
        left = self._inside("lab02", FIND).split()
        must(not left, f"this is left on lab02: {' '.join(left)}")
        typer.echo("   lab02 is available; no account, file, job or process of hers is left")
        tell("7. Nobody is logged in at lab01 any more, so it is available too:")
        again = json.loads(self.vclab("reserve", image, "--for", "1h", "--wait", "--json"))
        must(again["computer"] == "lab01", f"it is not lab01: {again}")
        self.vclab("end", again["id"])
        self._available("lab01")
        return f"demo: ok — {name} lived on lab02, which was sanitized, in {time.monotonic() - began:.0f} s"

    def _inside(self, machine: str, script: str) -> str:
        """Do something on the machine itself, past SSH; what it printed."""
        found = [one.pid for one in state.read(self._layout).machines.values() if one.name == machine]
        must(bool(found), f"{machine} is not on")
        init = Path(f"/proc/{found[0]}/task/{found[0]}/children").read_text().split()[0]
        enter = ["nsenter", "-t", init, "-m", "-p", "-n", "-u", "-i", "-r", "-w", "sh", "-c", script]
        return subprocess.run(enter, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout

    def _refused(self, image: str) -> None:
        typer.secho(f"$ vclab --as olga reserve {image} --for 1h", bold=True)
        command = [str(VCLAB), "reserve", image, "--for", "1h", "--as", "olga"]
        ran = subprocess.run(command, env=self._env, capture_output=True, text=True, check=False)
        typer.echo(f"   {ran.stderr.strip()}")
        must(ran.returncode != 0, "a third machine was given away")
        for reason in ("lab01: somebody is logged in at it", "lab02: is held by"):
            must(reason in ran.stderr, f"the refusal does not say {reason!r}")

    def _available(self, computer: str) -> None:
        self.computer(computer, lambda found: found["state"] == "available" and not found["holder"], "available")
