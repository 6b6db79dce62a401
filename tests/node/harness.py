"""A management node of the tests' own: Temporal server, worker and command line as processes, on a pretended world.

What the embedded lab can't be given is given here: another database, a disk of its own, a clock of its own. Nothing of
it needs root. The pretended machines are files, so they outlive a worker.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.labfixture import Ran, eventually, run
from tests.secret_store import secret_store
from tests.temporal_server import free_ports
from vclab.lab import tools
from vclab.lab.parts import temporal_server
from vclab.model.catalog import Endpoint, IdentityPool, Image, User
from vclab.store import catalog
from vclab.store.engine import Store, open_store

COMMAND = (sys.executable, "-m", "tests.command")
"""The command line, which does here itself what a server would do for it, as whom it is told."""
PATIENCE = 90.0
"""Seconds that anything may take on a busy machine."""

SETTINGS = """
database = "{database}"
secrets_dir = "{disk}/secrets"
operators = ["olga"]
temporal.address = "{address}"
limits.at_once = 5
waits.spare = 0
waits.inuse_look = 1
waits.first_connection_look = 0.5
waits.remove_retry = 2
reconcile.every = 2
people.alice.address = "198.51.100.1"
people.olga.address = "198.51.100.9"
fake.enabled = true
fake.world = "{folder}/world"
fake.connects_after = 0.2
"""

Json = dict[str, Any]


class Node:
    """The node. ``disk`` has what vclab keeps, ``server_disk`` that of the Temporal server and the logs;
    ``folder`` is the world outside."""

    def __init__(
        self, folder: Path, disk: Path, server_disk: Path | None = None, database: str = "", settings: str = ""
    ) -> None:
        (self._port,) = free_ports(1)
        self.folder, self.server_disk = folder, server_disk or disk
        self.address = f"127.0.0.1:{self._port}"
        self.settings_file = folder / "vclab.toml"
        url = database or f"sqlite:///{disk}/vclab.db"
        filled = SETTINGS.format(database=url, folder=folder, disk=disk, address=self.address)
        self.settings_file.write_text(filled + settings)
        self.store: Store = open_store(url)
        self.store.migrate()
        secret_store(disk / "secrets")
        self.store.run(_seed)
        self.environment: dict[str, str] = {}
        """What worker and command line are given on top."""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    # Parts.

    def start_server(self) -> None:
        """The Temporal server; returns when it answers."""
        database = self.server_disk / "temporal.db"
        self._start("server", *temporal_server(tools.temporal(), self.address, database))

    async def answers(self) -> Client:
        """A client, when the server answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await Client.connect(self.address)
            except RuntimeError:
                assert time.monotonic() < deadline, self.log("server")
                time.sleep(0.1)

    def start_worker(self) -> None:
        """The worker; returns when it works."""
        before = self.log("worker").count("working:")
        self._start("worker", sys.executable, "-m", "worker")
        eventually(lambda: self.log("worker").count("working:") > before or self._processes["worker"].poll(), PATIENCE)
        assert self._processes["worker"].poll() is None, self.log("worker")

    def _start(self, name: str, *words: str) -> None:
        with (self.server_disk / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(words, stdout=log, stderr=log, env=self.env)

    def kill(self, name: str) -> None:
        """As a power cut would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(20)

    def log(self, name: str) -> str:
        """What a part has said."""
        file = self.server_disk / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def stop(self) -> None:
        """End it all."""
        for name in list(self._processes):
            self.kill(name)
        self.store.close()

    # The command line.

    @property
    def env(self) -> dict[str, str]:
        """The environment in which the command line uses this node. Compiled modules are kept, as by people."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        compiled = str(self.folder.parent / "compiled")
        own = {
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "VCLAB_CONFIG": str(self.settings_file),
            "COLUMNS": "200",
            "PYTHONPYCACHEPREFIX": compiled,
        }
        return kept | own | self.environment

    def vclab(self, *words: str, check: bool = True, typed: str = "") -> Ran:
        """Run the command line. With ``check``, exit codes other than 0 fail the test."""
        ran = run(*COMMAND, *words, env=self.env, timeout=120, typed=typed)
        assert not check or ran.returncode == 0, ran
        return ran

    def in_background(self, *words: str) -> "subprocess.Popen[str]":
        """The command line, not waited for."""
        pipes: Mapping[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([*COMMAND, *words], env=self.env, text=True, **pipes)

    def reserve(self, *words: str) -> str:
        """``vclab reserve fake-1 --for 1h``; the id."""
        made: Json = json.loads(self.vclab("reserve", "fake-1", "--for", "1h", "--json", *words).stdout)
        return str(made["id"])

    def show(self, reservation: str) -> Json:
        """``vclab show R --json``."""
        seen: Json = json.loads(self.vclab("show", reservation, "--json").stdout)
        return seen

    def one_line(self, *words: str) -> str:
        """The one line of a command that can't do anything now: exit code 5, no traceback."""
        ran = self.vclab(*words, check=False)
        assert ran.returncode == 5 and "Traceback" not in ran.stderr + ran.stdout, ran
        (line,) = ran.stderr.strip().splitlines()
        return line

    # What is so.

    def states(self) -> dict[str, str]:
        """The state of each reservation, by id."""
        listed: list[Json] = json.loads(self.vclab("list", "--all", "--json").stdout)
        return {one["id"]: one["state"] for one in listed}

    def machines(self) -> list[Json]:
        """The machines of the pretended world."""
        return [json.loads(file.read_text()) for file in (self.folder / "world").rglob("*.json")]

    def set(self, text: str) -> None:
        """Further lines of the settings; a worker that is started from now on goes by them."""
        with self.settings_file.open("a") as file:
            file.write(text)


def _seed(session: Any) -> None:
    catalog.put_user(session, User("alice", 20001))
    catalog.put_user(session, User("olga", 20002))
    catalog.put_image(session, Image("fake-1", "Fake", 1, "fake", "fake", 1, 1024, 8))
    catalog.put_endpoint(session, Endpoint("fakes", "fake", "fake:", "", "", ""))
    catalog.put_pool(session, IdentityPool("fk", 20))
