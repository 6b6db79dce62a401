"""A lab of its own for tests, in a temporary folder: ``lab`` is shared by the tests of a folder, and ends with them.

Use it from any ``conftest.py``: ``from tests.labfixture import lab`` (once, as high up as it is needed).
"""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from vclab.lab import control, records, rootfs, seed, state, stock
from vclab.lab.control import Vcsim
from vclab.lab.layout import VCENTER_PORT, Layout

VCLAB = Path(sys.executable).parent / "vclab"
QUICK = {"waits": {"first_connection_look": 0.5, "inuse_look": 1}}
"""Settings of the shared lab: it looks often, so that tests need not wait."""

Ran = subprocess.CompletedProcess[str]


class Lab:
    """One lab: its life, its command line, its users' places, and its faults."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        self.layout = Layout.of(folder)
        self.vcsim = Vcsim(self.layout.control_socket)
        folder.mkdir(parents=True, exist_ok=True)
        self._write_local(settings or {})

    @property
    def env(self) -> dict[str, str]:
        """The environment in which the command line uses this lab."""
        own = {"VCLAB_LAB": str(self.layout.folder), "VCLAB_CONFIG": str(self.layout.settings_file)}
        return {**os.environ, **own, "COLUMNS": "200"}

    def vclab(self, *arguments: str, check: bool = True, timeout: float = 120.0, typed: str = "") -> Ran:
        """Run the command line as people do. With ``check``, exit codes other than 0 fail the test."""
        ran = run(str(VCLAB), *arguments, env=self.env, timeout=timeout, typed=typed)
        assert not check or ran.returncode == 0, f"vclab {' '.join(arguments)}: {ran.stderr}{ran.stdout}"
        return ran

    def json(self, *arguments: str, timeout: float = 120.0) -> Any:
        """What the command line answers with ``--json``."""
        return json.loads(self.vclab(*arguments, "--json", timeout=timeout).stdout)

    def up(self, *arguments: str) -> Ran:
        """``vclab up``."""
        return self.vclab("up", *arguments)

    def down(self, *arguments: str) -> Ran:
        """``vclab down``."""
        return self.vclab("down", *arguments)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Other settings for the API and, from now on, the worker. Both are started again; the API answers then."""
        self._write_local(settings)
        seed.write_settings(self.layout)
        self.kill("worker", signal.SIGTERM)
        former = self.kill("api", signal.SIGTERM)
        eventually(lambda: (now := self.state.parts["api"]).ok and now.pid != former)

    def _write_local(self, settings: Mapping[str, Any]) -> None:
        """Machines are removed at once, unless the settings say otherwise: tests look whether they are gone."""
        table = {**settings, "waits": {"spare": 0, **settings.get("waits", {})}}
        self.layout.local_settings_file.write_text("\n".join(seed.to_toml(table)) + "\n")

    def add_image(
        self, name: str, boots: str = stock.NO_SSH, cpus: int = 1, memory_mb: int = 1024, dedicated: bool = False
    ) -> None:
        """An image more, with a master from which the root file system ``boots`` boots (if there is such)."""
        image = stock.image(name, name, cpus, memory_mb, 4, dedicated)
        seed.put_master(self.layout, image, boots, rootfs.tree(print))
        records.fill_store(self.layout, (image,))

    # Places.

    def manage(self, *command: str, timeout: float = 60.0) -> Ran:
        """Run a command where the worker runs."""
        return run("ip", "netns", "exec", self.layout.management, *command, timeout=timeout)

    def as_person(self, login: str, *command: str, timeout: float = 60.0) -> Ran:
        """Run a command where a test user sits."""
        return run("ip", "netns", "exec", self.layout.person(login), *command, timeout=timeout)

    def ignore_shutdown(self, address: str) -> None:
        """From now on the machine stays on when it is to shut down; also at its next boots. A hard power-off works.
        Each attempt is a line in /run/ignored."""
        change = "sed -i 's|^l0:.*|l0:0:wait:/bin/sh -c \"echo >> /run/ignored; telinit 2\"|' /etc/inittab && telinit q"
        ran = self.ssh_root(address, change)
        assert ran.returncode == 0, ran.stderr

    def ssh_root(self, address: str, *command: str) -> Ran:
        """Run a command as root on a machine, as the management node does."""
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ConnectTimeout=3"]
        flags = [word for option in (*options, "LogLevel=ERROR") for word in ("-o", option)]
        return self.manage("ssh", *flags, "-i", str(self.layout.ssh_key), f"root@{address}", *command)

    def reaches(self, login: str, address: str, port: int = 22) -> bool:
        """True if a port of a machine answers a test user."""
        program = f"import socket; socket.create_connection(({address!r}, {port}), 2)"
        return self.as_person(login, sys.executable, "-c", program).returncode == 0

    # Parts, machines and faults.

    @property
    def state(self) -> state.LabState:
        """What runs."""
        return state.read(self.layout)

    def kill(self, part: str, number: int = signal.SIGKILL) -> int:
        """Kill a part ("temporal", "vcsim", "dnsmasq", "worker") or the "supervisor"; its pid."""
        return control.kill_part(self.layout, part, number)

    def machine(self, name: str) -> int:
        """The pid of the real machine behind a virtual one; 0 when it is off."""
        return next((m.pid for m in self.state.machines.values() if m.name == name and m.pid), 0)

    def vcenter(self) -> "Vcenter":
        """A plain client of the lab's vCenter, from outside."""
        return Vcenter(self)


def run(*command: str, env: Mapping[str, str] | None = None, timeout: float = 60.0, typed: str = "") -> Ran:
    """Run a command and keep what it says; ``typed`` is its standard input."""
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=timeout, input=typed)


def eventually(true: Callable[[], Any], seconds: float = 60.0, every: float = 0.05) -> Any:
    """Wait until it is true; what it was then. Fails the test after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(every)
    return value


class Vcenter:
    """pyvmomi, without anything of ours in between."""

    def __init__(self, lab: Lab) -> None:
        import pyVim.connect
        import pyVmomi

        self.vim: Any = pyVmomi.vim
        connect: Any = pyVim.connect
        self.service: Any = connect.SmartConnect(
            host=lab.layout.address,
            port=VCENTER_PORT,
            user=stock.VCENTER_USER,
            pwd=(lab.layout.vcenter / "password").read_text(),
            sslContext=ssl._create_unverified_context(),
        )
        self.content: Any = self.service.content
        self.datacenter: Any = self.content.rootFolder.childEntity[0]

    def make(
        self, name: str, number: int, image: str = "debian-12", child: bool = False, isolated: bool = False
    ) -> Any:
        """A virtual machine with a copy of an image's master, or a child of it, a private and a public card; off.
        ``isolated``: the private card is on the imaging network, and the public one is not connected."""
        folder = f"[{stock.DATASTORE}] by-hand/{name}"
        self.content.fileManager.MakeDirectory(folder, self.datacenter, True)
        master = f"[{stock.DATASTORE}] vclab-images/{image}/1/disk.vmdk"
        here, spec = self.datacenter, self._spec(folder, name, number, isolated)
        if child:
            spec.deviceChange[1].fileOperation = "create"
            kind = self.vim.vm.device.VirtualDisk.FlatVer2BackingInfo
            spec.deviceChange[1].device.backing.parent = kind(fileName=master, diskMode="persistent")
        else:
            disks = self.content.virtualDiskManager
            wait(disks.CopyVirtualDisk_Task(master, here, f"{folder}/{name}.vmdk", here, None, False))
        host = here.hostFolder.childEntity[number % 2]
        return wait(here.vmFolder.CreateVM_Task(spec, host.resourcePool, host.host[0]))

    def _spec(self, folder: str, name: str, number: int, isolated: bool) -> Any:
        kinds, device = self.vim.vm, self.vim.vm.device
        backing = device.VirtualDisk.FlatVer2BackingInfo(fileName=f"{folder}/{name}.vmdk", diskMode="persistent")
        devices = [
            device.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus="noSharing"),
            device.VirtualDisk(key=-1, controllerKey=1000, unitNumber=0, capacityInKB=8 << 20, backing=backing),
        ]
        for index, network in enumerate(("imaging" if isolated else "private", "public")):
            card = device.VirtualEthernetCard.NetworkBackingInfo(deviceName=network)
            mac = f"02:00:00:0{index}:00:{number:02x}"
            on = index == 0 or not isolated
            link = device.VirtualDevice.ConnectInfo(startConnected=on, connected=on, allowGuestControl=on)
            devices.append(
                device.VirtualVmxnet3(
                    key=-10 - index, addressType="manual", macAddress=mac, backing=card, connectable=link
                )
            )
        return kinds.ConfigSpec(
            name=name,
            numCPUs=1,
            memoryMB=512,
            guestId="debian12_64Guest",
            instanceUuid=str(uuid.uuid4()),
            files=kinds.FileInfo(vmPathName=f"{folder}/{name}.vmx"),
            deviceChange=[device.VirtualDeviceSpec(operation="add", device=d) for d in devices],
        )

    def _name(self, machine: Any) -> str:
        """Its name; none when it has just been removed."""
        import pyVmomi

        try:
            return str(machine.name)
        except pyVmomi.vmodl.fault.ManagedObjectNotFound:
            return ""

    def find(self, name: str) -> Any:
        """A machine by its name; None when there is none."""
        view = self.content.viewManager.CreateContainerView(self.datacenter, [self.vim.VirtualMachine], True)
        try:
            return next((machine for machine in view.view if self._name(machine) == name), None)
        finally:
            view.Destroy()


def wait(task: Any, seconds: float = 30.0) -> Any:
    """A vCenter task's result; raises its error."""
    info = eventually(lambda: task.info.state not in ("queued", "running") and task.info, seconds, 0.02)
    if info.state == "error":
        raise info.error
    return info.result


def addresses(machine: Any) -> tuple[str, str]:
    """The private and the public address of a machine of ``Vcenter.make``, once its guest tools report both."""

    def found() -> list[str]:
        known = [card.ipAddress[0] for card in machine.guest.net if card.ipAddress]
        return known if len(known) == 2 else []

    private, public = eventually(found)
    return private, public


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running lab, shared by the tests of a folder. Leave it running, and without faults."""
    if os.geteuid():
        pytest.skip("the embedded lab needs root")
    rootfs.tree(lambda text: print(text, file=sys.stderr))  # may take a minute: not within a test's time
    made = Lab(Path(tmp_path_factory.mktemp("lab")), QUICK)
    made.up()
    eventually(lambda: made.state.parts["worker"].ok, 60)
    yield made
    made.down("--wipe")
