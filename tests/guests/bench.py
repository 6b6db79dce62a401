"""One real Linux machine, the management node's place and the test users' places, for the tests of guests.

The code under test dials plain addresses. So a test runs it in a thread whose network is that of the place.
"""

import asyncio
import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
import pytest

from tests.secret_store import secret_store
from vclab.guests.linux import Linux
from vclab.guests.ssh import Patience, Shell
from vclab.lab import disks, network, rootfs
from vclab.lab.layout import Layout
from vclab.lab.machines import Machine, Spec
from vclab.lab.parts import dnsmasq_command
from vclab.lab.process_tree import Ended
from vclab.model.errors import NotYet
from vclab.model.plans import Becomes, Facts, StepInput, Target

T = TypeVar("T")
MANAGEMENT = "10.77.0.1"
ALICE, BOB = "203.0.113.11", "203.0.113.12"
PATIENCE = Patience(connect=10, login=10, command=20)


def run_in(namespace: str, work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that runs in a network namespace, in an event loop of its own."""
    answer: list[T] = []
    errors: list[BaseException] = []

    def inside() -> None:
        try:
            with network.entered(network.NETNS / namespace):
                answer.append(asyncio.run(work))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return answer[0]


@dataclass
class Context:
    """The runner's side of a step; counts the fences."""

    remembered: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    fences: int = 0
    cancelled: bool = False
    stale: Exception | None = None

    def progress(self, text: str) -> None:
        self.said.append(text)

    def remember(self, **details: str) -> None:
        self.remembered.update(details)

    def fence(self) -> None:
        self.fences += 1
        if self.stale:
            raise self.stale


def target_of(spec: Spec, **changes: Any) -> Target:
    """A tenure of the machine."""
    target = Target(
        reservation="r1",
        computer="vm01",
        generation=1,
        installation="vclab-test",
        module="vsphere",
        guest="linux",
        endpoint="vc1",
        host="esx1",
        storage="ds1",
        image="debian-12",
        revision=1,
        cpus=1,
        memory_mb=512,
        disk_gb=8,
        private_mac=spec.cards[0].mac,
        public_mac=spec.cards[1].mac,
    )
    return replace(target, **changes)


class Bench:
    """Networks, DHCP, a key and machines in one folder."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout.of(folder)
        self.key = folder / "id_ed25519"
        self.secrets = secret_store(folder / "secrets")
        self.machines: list[Machine] = []
        self._master = self.layout.datastore / "debian-12.vmdk"
        self._dhcp: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        """Make all but the machines."""
        self.new_key("id_ed25519")
        network.up(self.layout)
        for directory in (self.layout.leases.parent, self.layout.run):
            directory.mkdir(parents=True, exist_ok=True)
        self._dhcp = subprocess.Popen(
            dnsmasq_command(self.layout), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        layer = self.layout.layers / "debian-12"
        rootfs.make_layer(layer, self.key.with_suffix(".pub").read_text())
        disks.make_master(self._master, rootfs.tree(print), layer, 8)

    def new_key(self, name: str) -> Path:
        """A new private key's file; the public half is beside it."""
        file = self.layout.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)], check=True)
        return file

    def down(self) -> None:
        """Remove all that was made."""
        for machine in self.machines:
            machine.stop()
        if self._dhcp:
            self._dhcp.terminate()
            self._dhcp.wait()
        network.down(self.layout)
        shutil.rmtree(self.layout.run, ignore_errors=True)

    def machine(self, name: str, source: "Place | None" = None) -> "Place":
        """A machine that has been powered on just now. ``source``: its disk is a child of that machine's, which is
        off."""
        spec = Spec.by_hand(self.layout, name, source.machine.spec.disk if source else self._master)
        if source:
            spec = replace(spec, parents=(source.machine.spec.disk, *source.machine.spec.parents))
        machine = Machine(self.layout, spec)
        self.machines.append(machine)
        machine.start()
        return Place(self, machine)

    def linux(self, patience: Patience = PATIENCE, key: Path | None = None) -> Linux:
        """The guest under test."""
        return Linux(key or self.key, self.secrets, [MANAGEMENT], patience)

    def manage(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the management node's place."""
        return run_in(self.layout.management, work)

    def person(self, login: str, work: Coroutine[Any, Any, T]) -> T:
        """Run in a test user's place."""
        return run_in(self.layout.person(login), work)


class Place:
    """A machine of the bench, with the tenure it is in."""

    def __init__(self, bench: Bench, machine: Machine) -> None:
        self.bench = bench
        self.machine = machine
        self.target = target_of(machine.spec)
        self.facts = Facts()

    def wait_for_addresses(self) -> Mapping[str, str]:
        """By MAC; as the hypervisor's tools would tell."""
        deadline = time.monotonic() + 30
        while not (guest := self.machine.guest()).complete(self.machine.spec):
            assert time.monotonic() < deadline, self.machine.console_log.read_text()
            time.sleep(0.05)
        return guest.addresses

    def step(
        self,
        name: str,
        context: Context | None = None,
        linux: Linux | None = None,
        becomes: Becomes | None = None,
        **changes: Any,
    ) -> Facts:
        """Run one step of a load, or of a capture, as the worker does."""
        target = target_of(self.machine.spec, **changes) if changes else self.target
        given = StepInput(name, name, target, self.facts, becomes=becomes)
        step = (linux or self.bench.linux()).steps()[name]
        return self.bench.manage(_awaited(step(context or Context(), given)))

    def load(self) -> "Place":
        """Bring the machine to where a plan's guest steps leave it."""
        addresses = self.wait_for_addresses()
        self.facts = Facts(private_address=addresses[self.target.private_mac])
        self.facts = self.facts.merged(self.wait_ssh())
        self.step("linux.post_load")
        self.facts = self.facts.merged(self.step("linux.read_public_address"))
        return self

    def wait_ssh(self) -> Facts:
        """Look until SSH answers."""
        for _ in range(100):
            try:
                return self.step("linux.wait_ssh")
            except NotYet as error:
                logging.debug("%s", error)
                time.sleep(0.1)
        raise AssertionError(self.machine.console_log.read_text())

    def shut(self, login: str, port: int = 22, address: str = "") -> bool:
        """Whether the port of the machine's public address lets nobody in who comes from that test user's place."""
        return not self.bench.person(login, _answers(address or self.facts.public_address, port, 0.5))

    def opens(self, login: str, port: int = 22, address: str = "") -> bool:
        """Whether it lets them in."""
        return self.bench.person(login, _answers(address or self.facts.public_address, port, 5))

    async def password_login(self, user: str, password: str, address: str = "") -> bool:
        """Whether sshd lets the user in with that password, by either way of giving one."""
        for method in ("password", "keyboard-interactive"):
            try:
                async with asyncssh.connect(
                    address or self.facts.public_address,
                    username=user,
                    password=password,
                    preferred_auth=[method],
                    client_keys=None,
                    known_hosts=([asyncssh.import_public_key(self.facts.host_key)], [], []),
                    config=None,
                    agent_path=None,
                    connect_timeout=5,
                ) as connection:
                    await connection.run("id -un", check=True)
                    return True
            except asyncssh.PermissionDenied:
                pass
        return False

    def hash_of(self, user: str) -> str:
        """The password's hash in the machine."""
        return self.inside("getent", "shadow", user).split(":")[1]

    def crypt(self, password: str, salt: str) -> str:
        """What the machine's own crypt(3) makes of a password."""
        return self.inside("perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password, salt)

    def write(self, path: str, text: str) -> None:
        """Put a file into the machine."""
        self.inside("sh", "-c", 'printf %s "$2" > "$1"', "sh", path, text)

    def ssh(self, login: str, key: Path, user: str, *command: str) -> "subprocess.CompletedProcess[str]":
        """OpenSSH's own client in a test user's place; the pinned host key is the only one known."""
        known = self.bench.layout.folder / "known_hosts"
        known.write_text(f"{self.facts.public_address} {self.facts.host_key}\n")
        options = ["-F", "none", "-i", str(key), "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes"]
        options += ["-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=3", "-o", "IdentitiesOnly=yes"]
        enter = ["ip", "netns", "exec", self.bench.layout.person(login)]
        return subprocess.run(
            [*enter, "ssh", *options, f"{user}@{self.facts.public_address}", *command], capture_output=True, text=True
        )

    def inside(self, *command: str, check: bool = True) -> str:
        """Run a command in the machine, past SSH: how the tests see what is really there."""
        init = str(self.machine.init())
        enter = ["nsenter", "-t", init, "-m", "-p", "-n", "-u", "-i", "-r", "-w"]
        ran = subprocess.run([*enter, *command], capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
        assert not check or ran.returncode == 0, ran.stderr
        return ran.stdout


def wait_until_off(place: Place) -> Ended:
    """Why it ended."""
    deadline = time.monotonic() + 20
    while (ended := place.machine.ended()) is None:
        assert time.monotonic() < deadline, "it does not shut down"
        time.sleep(0.05)
    return ended


async def _answers(address: str, port: int, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    return True


async def _awaited(work: Any) -> Facts:
    facts: Facts = await work
    return facts


def interrupted(patch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    """Have the worker die after each action in a computer in turn, until the work is done; how many there are."""
    real, done, allowed = Shell.act, 0, 0

    async def dying(self: Shell, what: str, script: str, *arguments: str, text: str = "", secret: str = "") -> str:
        nonlocal done
        said = await real(self, what, script, *arguments, text=text, secret=secret)
        if done == allowed:
            raise ConnectionAbortedError
        done += 1
        return said

    with patch.context() as patched:
        patched.setattr(Shell, "act", dying)
        for allowed in range(20):  # noqa: B007  # read by the function above
            done = 0
            try:
                work()
            except ConnectionAbortedError:
                continue
            return done
    raise AssertionError("never done")
