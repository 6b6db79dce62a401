"""Writes a history of every ending, lived on the real stack in a lab of its own with short waits.

    .venv/bin/python -m tests.histories.make     (root; about three minutes)

A history protects the reservations that run while vclab is updated: tests/workflows/test_compatibility.py replays each.
Never replace one that a released version wrote; add `<ending>-<what is new>.json` beside it.
`deleted-scheduled` and those of spares (`deleted-kept`, `released-tainted`, `deleted-evicting`) were lived on a real
server with scripted drivers (tests/cli/node.py).

`released-carried.json` is a second run (continue-as-new) with an address that leaves, a computer that was off, and a
restart. It was lived on the time-skipping server, as in tests/workflows/test_long_lives.py: here a run would be long.

`released-reloaded`, `deleted-waited` and `load-told` (a `Load`) are of a computer that stays, and were lived there too,
as in tests/workflows/test_load_workflow.py; so were `load-failed` and `deleted-scheduled-told` (its load waited for
another), `deleted-late` and `deleted-prepared` (moved far away, and later deleted, when it was loaded before its start:
kept as a spare both times; test_scheduled.py) and `deleted-moved-evicting` (test_spares.py).
`timeout-looked` and `nologin-unseen` (test_last_look.py) are of last looks and of a computer that can't be looked at;
`released-half` is of grants that fail while others press Connect, and of a cancellation in reclaim.

Those `-memo` tell what they wait for in their memo, and were lived there as well: in use with a refused signal and a
restart, a run between two others, and one that is given back before its start.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.labfixture import VCLAB, Lab, eventually
from vclab.model.messages import workflow_id

FOLDER = Path(__file__).parent
SETTINGS = {
    "limits": {"shortest": 1, "at_once": 50},
    "waits": {
        "acknowledge": 30,
        "first_connection": 25,
        "first_connection_look": 1,
        "inuse_look": 2,
        "reconnect": 8,
        "notices": [20, 10],
        "help": 40,
        "preload": 40,
        "preload_margin": 0,
    },
}
SLEEP = 600  #: a session that outlives every test


class Maker:
    """Lives the lives and writes them down."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def ready(self, length: str = "1h") -> str:
        """A reservation that waits for Connect."""
        return str(self.lab.json("reserve", "debian-12", "--for", length)["id"])

    def ended(self, name: str, ending: str) -> str:
        """Wait for it to be over."""
        view = eventually(lambda: self._over(name), 120, 0.5)
        assert view["ending"] == ending, view
        return name

    def _over(self, name: str) -> dict[str, object] | None:
        view: dict[str, object] = self.lab.json("show", name)
        return view if view["state"] in ("complete", "failed") else None

    def deleted(self) -> str:
        name = self.ready()
        self.lab.vclab("end", name)
        return self.ended(name, "deleted")

    def deleted_loading(self) -> str:
        self.lab.vcsim.slow_copies(20)
        name = str(self.lab.json("reserve", "debian-12", "--no-wait")["id"])
        time.sleep(3)
        self.lab.vclab("end", name)
        self.lab.vcsim.mend()
        return self.ended(name, "deleted")

    def released(self) -> str:
        """With an extension, a refused signal, and a second address."""
        name = self.in_use()
        self.lab.vclab("extend", name, "--by", "30m")
        self.lab.vclab("extend", name, "--by", "3d", check=False)
        signal(self.lab, name, "extend", "nonsense", 2)
        signal(self.lab, name, "extend", {"by": "10m"})
        self.lab.vclab("connect", name, "--from", "203.0.113.99", "--print")
        time.sleep(3)
        self.lab.vclab("end", name)
        return self.ended(name, "released")

    def in_use(self, length: str = "1h") -> str:
        """A reservation with an open session that stays."""
        name = self.ready(length)
        self.hold(name)
        eventually(lambda: self.lab.json("show", name)["state"] == "inuse", 20, 0.5)
        return name

    def hold(self, name: str, seconds: int = SLEEP) -> None:
        """Leave a session open in the background."""
        command = [str(VCLAB), "connect", name, "--", f"sleep {seconds}"]
        quiet = subprocess.DEVNULL
        subprocess.Popen(command, env=self.lab.env, stdin=quiet, stdout=quiet, stderr=quiet)

    def noack(self) -> str:
        return self.ended(self.ready(), "noack")

    def nologin(self) -> str:
        name = self.ready()
        self.lab.vclab("connect", name, "--print")
        return self.ended(name, "nologin")

    def timeout(self) -> str:
        name = self.ready()
        self.hold(name, 8)
        return self.ended(name, "timeout")

    def end_of_reservation(self) -> str:
        return self.ended(self.in_use("60s"), "EOR")

    def later(self, seconds: float = 60) -> tuple[str, datetime]:
        """One that starts so much later, and when."""
        start = datetime.now(UTC) + timedelta(seconds=seconds)
        name = self.lab.json("reserve", "debian-12", "--at", start.isoformat(), "--for", "1h")["id"]
        return str(name), start

    def scheduled(self) -> str:
        """Moved, loaded before its start, handed over then."""
        name, start = self.later()
        self.lab.vclab("move", name, "--at", (start + timedelta(seconds=10)).isoformat())
        return self.given_up(name)

    def scheduled_again(self) -> str:
        """Its preload fails, and is done again at the start."""
        for host in ("esx1", "esx2"):
            self.lab.vcsim.refuse_power_on(host)
        name, _ = self.later()
        eventually(lambda: "preload failed" in str(self.lab.json("show", name)["reason"]), 120, 0.5)
        self.lab.vcsim.mend()
        return self.given_up(name)

    def given_up(self, name: str) -> str:
        """Ended as soon as it is ready."""
        eventually(lambda: self.lab.json("show", name)["state"] == "reserved", 180, 0.5)
        self.lab.vclab("end", name)
        return self.ended(name, "deleted")

    def failed(self) -> str:
        """In both places, and nobody helps."""
        name = self.refused("esx1", "esx2")
        over = self.ended(name, "failed")
        self.lab.vcsim.mend()
        return over

    def moved(self) -> str:
        """One host refuses, the other one does not."""
        name = self.refused("esx1")
        eventually(lambda: self.lab.json("show", name)["state"] == "reserved", 60, 0.5)
        self.lab.vcsim.mend()
        self.lab.vclab("end", name)
        return self.ended(name, "deleted")

    def resolved(self) -> str:
        """Mended by an operator, who has it tried again, in vain, and elsewhere."""
        name = self.refused("esx1", "esx2")
        self.needs_help(name)
        self.lab.vclab("--as", "olga", "resolve", name, "retry")
        self.needs_help(name)
        self.lab.vcsim.mend()
        self.lab.vclab("--as", "olga", "resolve", name, "elsewhere")
        eventually(lambda: self.lab.json("show", name)["state"] == "reserved", 60, 0.5)
        self.lab.vclab("end", name)
        return self.ended(name, "deleted")

    def refused(self, *hosts: str) -> str:
        """A reservation that these hosts do not power on."""
        for host in hosts:
            self.lab.vcsim.refuse_power_on(host)
        return str(self.lab.json("reserve", "debian-12", "--no-wait")["id"])

    def needs_help(self, name: str) -> None:
        eventually(lambda: self.lab.json("show", name)["word"] == "Needs help", 60, 0.2)


def signal(lab: Lab, name: str, what: str, *args: object) -> None:
    """As an operator sends it."""

    async def send() -> None:
        client = await Client.connect(f"{lab.layout.address}:7233")
        await client.get_workflow_handle(workflow_id(name)).signal(what, args=list(args))

    asyncio.run(send())


async def fetch(lab: Lab, name: str, file: Path) -> None:
    """Write the history down."""
    client = await Client.connect(f"{lab.layout.address}:7233")
    history = await client.get_workflow_handle(workflow_id(name)).fetch_history()
    content = without_traces(json.loads(history.to_json()))
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def without_traces(value: Any) -> Any:
    """Stack traces name this machine's folders, and no replay needs them."""
    if isinstance(value, dict):
        return {key: without_traces(item) for key, item in value.items() if key != "stackTrace"}
    return [without_traces(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    """All endings, or those that are named."""
    lab = Lab(Path(tempfile.mkdtemp(prefix="vclab-histories-")), SETTINGS)
    maker = Maker(lab)
    lives: dict[str, Callable[[], str]] = {
        "deleted": maker.deleted,
        "deleted-loading": maker.deleted_loading,
        "released": maker.released,
        "noack": maker.noack,
        "nologin": maker.nologin,
        "timeout": maker.timeout,
        "EOR": maker.end_of_reservation,
        "failed": maker.failed,
        "failed-helpless": maker.failed,
        "deleted-moved": maker.moved,
        "deleted-scheduled": maker.scheduled,
        "deleted-scheduled-again": maker.scheduled_again,
        "deleted-resolved": maker.resolved,
    }
    wanted = sys.argv[1:] or list(lives)
    lab.up()
    try:
        for ending in wanted:
            name = lives[ending]()
            asyncio.run(fetch(lab, name, FOLDER / f"{ending}.json"))
            print(f"{ending}: {name}", flush=True)
    finally:
        lab.down("--wipe")


if __name__ == "__main__":
    main()
