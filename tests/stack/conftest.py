"""One whole lab for this folder: real Temporal server, vCenter, worker and machines, used as people use them.

Everything is done through the command line; what comes of it is looked at from outside as well: pyvmomi, OpenSSH from
the users' places, Temporal's client, the files on the datastore.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any, TypeVar

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue

from tests.labfixture import VCLAB, Lab, Ran, Vcenter, eventually
from vclab.lab import rootfs
from vclab.lab.errors import LabError
from vclab.lab.stock import OPERATOR
from vclab.provisioning.vsphere.api import vmodl
from vclab.settings import TemporalSettings
from vclab.temporal.client import connect

SETTINGS: dict[str, Any] = {
    "waits": {"first_connection_look": 0.5, "inuse_look": 1, "remove_retry": 2, "help": 0},
    "reconcile": {"every": 2, "grace": 12},
}
"""Looks often, so that tests need not wait, nor for an operator's help; all limits and other waits are the defaults."""

STEPS = (
    "vsphere.remove_previous",
    "vsphere.create_vm",
    "vsphere.power_on",
    "vsphere.find_address",
    "linux.wait_ssh",
    "linux.post_load",
    "linux.read_public_address",
)
DEDICATED = "debian-12-dedicated"
"""An image whose machines have full copies of their disk: that takes a step more, which can be made slow."""
ADMIN = ("--as", OPERATOR)
"""Who keeps what the lab consists of."""
LONG = 180.0
"""Seconds that a load may take on a busy machine, a killed worker's start included."""

Json = dict[str, Any]
T = TypeVar("T")


class Stack(Lab):
    """The lab, and what these tests ask of it."""

    # Reservations, by the command line.

    def reserve(self, *arguments: str, image: str = "debian-12", user: str = "alice") -> Json:
        """``vclab reserve IMAGE --for 1h --json``."""
        made: Json = self.json("--as", user, "reserve", image, "--for", "1h", *arguments)
        return made

    def listed(self, user: str = "alice") -> list[Json]:
        """``vclab list --json``, without those of earlier tests that failed: they stay listed until their end."""
        return [one for one in self.json("--as", user, "list") if not one["ending"]]

    def show(self, reservation: str, user: str = "olga") -> Json:
        """``vclab show R --json``; by default as the operator, who sees all."""
        seen: Json = self.json("--as", user, "show", reservation)
        return seen

    def status(self) -> dict[str, Json]:
        """``vclab status --json`` as the operator: its parts by name."""
        ran = self.vclab("--as", "olga", "status", "--json", check=False)
        assert ran.returncode in (0, 5), ran
        return {part["name"]: part for part in json.loads(ran.stdout)["parts"]}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The command line in the background."""
        return subprocess.Popen(
            [str(VCLAB), *arguments],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def reserve_in_background(self, *arguments: str, image: str = "debian-12") -> "tuple[subprocess.Popen[str], str]":
        """``vclab reserve IMAGE --for 1h --wait --json``, and the new reservation's id."""
        known = set(self.column("SELECT id FROM reservations"))
        client = self.start("reserve", image, "--for", "1h", "--wait", "--json", *arguments)
        (new,) = eventually(lambda: set(self.column("SELECT id FROM reservations")) - known, LONG, 0.02)
        return client, new

    def is_in(self, reservation: str, state: str, seconds: float = LONG) -> None:
        """Wait until the reservation is in that state."""
        query = "SELECT state FROM reservations WHERE id = ?"
        eventually(lambda: self.column(query, reservation) == [state], seconds)

    def finished(self, reservation: str, seconds: float = LONG) -> None:
        """Wait until the computer is taken back."""
        query = "SELECT finished_at FROM reservations WHERE id = ?"
        eventually(lambda: self.column(query, reservation)[0], seconds, 0.1)

    def end(self, *reservations: str) -> None:
        """End them and wait until their computers are gone."""
        clients = [self.start("--as", "olga", "end", reservation) for reservation in reservations]
        assert [client.wait(LONG) for client in clients] == [0] * len(clients)
        for reservation in reservations:
            self.finished(reservation)

    def one_line(self, ran: Ran, code: int) -> str:
        """The one line on stderr of a command that went wrong as it should."""
        assert ran.returncode == code, ran
        assert "Traceback" not in ran.stderr + ran.stdout, ran
        (line,) = ran.stderr.strip().splitlines()
        return line

    # The database, read only, from outside.

    def column(self, query: str, *values: str) -> list[Any]:
        """The first column of a query."""
        with closing(sqlite3.connect(f"file:{self.layout.database}?mode=ro", uri=True, timeout=10)) as connection:
            return [row[0] for row in connection.execute(query, values)]

    def in_step(self, reservation: str, step: str, seconds: float = LONG) -> None:
        """Wait until a load has begun that step."""
        query = "SELECT id FROM load_log WHERE reservation = ? AND name = ?"
        eventually(lambda: self.column(query, reservation, step), seconds, 0.005)

    # Temporal, as any client of it.

    def temporal(self, ask: Callable[[Client], Awaitable[T]]) -> T:
        """What Temporal answers the lab's operator."""

        async def asked() -> T:
            profile = TemporalSettings(profile="default", config_file=self.layout.temporal_profile)
            return await ask(await connect(profile))

        return asyncio.run(asked())

    def workflow(self, reservation: str, ask: Callable[[WorkflowHandle[Any, Any]], Awaitable[T]]) -> T:
        """What it answers about the workflow of a reservation."""
        return self.temporal(lambda client: ask(client.get_workflow_handle(f"reservation-{reservation}")))

    def signal(self, reservation: str, name: str, *inputs: str) -> None:
        """An operator's signal, with inputs in JSON, as Temporal's own command line and UI send it."""
        payloads = [RawValue(Payload(metadata={"encoding": b"json/plain"}, data=one.encode())) for one in inputs]
        self.workflow(reservation, lambda handle: handle.signal(name, args=payloads))

    def workflow_status(self, reservation: str) -> str:
        """As "COMPLETED"."""
        status = self.workflow(reservation, lambda handle: handle.describe()).status
        assert status is not None
        return status.name

    def search_attributes(self, reservation: str) -> dict[str, Any]:
        """What Temporal can find the reservation by."""
        found = self.workflow(reservation, lambda handle: handle.describe())
        return {pair.key.name: pair.value for pair in found.typed_search_attributes}

    # Faults.

    killed_worker = 0
    """The process id of the worker that was killed last."""

    def kill(self, part: str, number: int = SIGKILL) -> int:
        """Kill a part; returns at once. The supervisor starts it again."""
        pid = super().kill(part, number)
        if part == "worker" and number not in (SIGSTOP, SIGCONT):
            self.killed_worker = pid
        return pid

    @property
    def worker_log(self) -> Path:
        """What the lab's workers say."""
        return self.layout.logs / "worker.log"

    def worker_works(self) -> None:
        """Wait until the worker, after the last kill another one, takes work."""

        def works() -> bool:
            worker = self.state.parts["worker"]
            return worker.ok and worker.pid not in (0, self.killed_worker)

        eventually(works, LONG)

    @contextmanager
    def frozen(self, part: str) -> Iterator[None]:
        """A part hangs: it takes connections and answers nothing."""
        self.kill(part, SIGSTOP)
        try:
            yield
        finally:
            self.kill(part, SIGCONT)

    @contextmanager
    def cut_off(self, port: int) -> Iterator[None]:
        """Nobody gets through to a port of the management node: as if its server were down, whoever restarts it."""
        rule = "type filter hook input priority 10; policy accept;"
        self.nft("add", "table", "inet", "cut")
        try:
            self.nft("add", "chain", "inet", "cut", "in", f"{{ {rule} }}")
            self.nft("add", "rule", "inet", "cut", "in", "tcp", "dport", str(port), "reject", "with", "tcp", "reset")
            yield
        finally:
            self.nft("delete", "table", "inet", "cut")

    def nft(self, *words: str) -> None:
        """A change of the management node's firewall."""
        ran = self.manage("nft", *words)
        assert ran.returncode == 0, ran.stderr

    # vCenter and its datastore.

    def vcenter_answers(self) -> bool:
        """True when it lets in whoever has its password."""
        try:
            return bool(self.vcenter())
        except (OSError, vmodl.MethodFault):
            return False  # it is being started

    def machines_of(self, reservation: str) -> list[Any]:
        """All virtual machines in vCenter with our mark for a reservation, by pyvmomi."""
        return [m for m in everything(self.vcenter()) if marks(m).get("reservation") == reservation]

    def files_of(self, reservation: str) -> list[Path]:
        """All files and directories of a reservation on the datastore."""
        return [path for path in self.layout.datastore.parent.rglob("*") if reservation in path.name]

    def created(self, reservation: str) -> int:
        """How many machines vCenter says were ever created for a reservation (since it was last started)."""
        vcenter = self.vcenter()
        spec = vcenter.vim.event.EventFilterSpec(eventTypeId=["VmCreatedEvent"])
        events = vcenter.content.eventManager.QueryEvents(spec)
        return sum(reservation in event.vm.name for event in events)

    def nothing_left(self, *reservations: str) -> None:
        """Neither vCenter, nor the datastore, nor the lab's real machines know anything of them any more."""
        for reservation in reservations:
            assert self.machines_of(reservation) == []
            assert self.files_of(reservation) == []
            assert not any(reservation in machine.name for machine in self.state.machines.values())


def everything(vcenter: Vcenter) -> list[Any]:
    """All virtual machines of a vCenter."""
    kind = [vcenter.vim.VirtualMachine]
    view = vcenter.content.viewManager.CreateContainerView(vcenter.datacenter, kind, True)
    try:
        return list(view.view)
    finally:
        view.Destroy()


def marks(machine: Any) -> dict[str, str]:
    """Our marks on a virtual machine, by their last word; none when it is gone."""
    prefix = "vclab."
    try:
        options = machine.config.extraConfig
    except vmodl.fault.ManagedObjectNotFound:
        return {}  # it went while we looked
    return {o.key.removeprefix(prefix): str(o.value) for o in options if o.key.startswith(prefix)}


class Session:
    """A user's open ``vclab connect`` that writes a line all the time."""

    PROGRAM = "while sleep 0.2; do echo tick; done"

    def __init__(self, stack: Stack, reservation: str, user: str = "alice") -> None:
        self._said = stack.layout.folder / f"session-{reservation}-{user}"
        with self._said.open("w") as said:
            words = [str(VCLAB), "--as", user, "connect", reservation, "--", self.PROGRAM]
            self._client = subprocess.Popen(words, env=stack.env, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        eventually(lambda: "tick" in self._said.read_text() or self._client.poll() is not None, LONG)
        assert self._client.poll() is None, self._said.read_text()

    def goes_on(self) -> None:
        """It is still the very same session, and it still says something."""
        before = self._said.stat().st_size
        eventually(lambda: self._said.stat().st_size > before, 30)
        assert self._client.poll() is None, self._said.read_text()

    def over(self, seconds: float = 30.0) -> int:
        """Wait until it is closed from the other side; its exit code."""
        return self._client.wait(seconds)

    def close(self) -> None:
        """Hang up."""
        self._client.terminate()
        self._client.wait(30)


@pytest.fixture(scope="package")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running lab of this folder."""
    if os.geteuid():
        pytest.skip("the embedded lab needs root")
    rootfs.tree(lambda text: print(text, file=sys.stderr))  # may take a minute: not within a test's time
    made = Stack(Path(tmp_path_factory.mktemp("stack")), SETTINGS)
    made.up()
    made.add_image(DEDICATED, boots="debian-12", dedicated=True)
    yield made
    made.down("--wipe")


@pytest.fixture
def stack(whole: Stack) -> Iterator[Stack]:
    """The lab, well and empty; whatever a test leaves behind is ended after it."""
    whole.worker_works()
    yield whole
    eventually(lambda: _mended(whole), LONG)
    left = whole.column("SELECT id FROM reservations WHERE finished_at IS NULL")
    whole.end(*left)


def _mended(stack: Stack) -> bool:
    try:
        stack.vcsim.mend()
    except LabError:
        return False  # it is being started again
    return True


def elapsed(start: float) -> float:
    """Seconds since ``time.monotonic()`` was ``start``."""
    return time.monotonic() - start
