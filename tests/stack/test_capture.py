"""Captures on the whole stack: true bytes, whatever is killed meanwhile, and what goes wrong is told and put back."""

import copy
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.labfixture import eventually, wait
from tests.stack.captured_disk import SourceDisk
from tests.stack.conftest import LONG, SETTINGS, Session, Stack, everything, marks
from vclab.lab import records, rootfs, seed, stock
from vclab.model.ids import new_id

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]

SMALL = "small"
"""An image with a disk of 1 GiB: all of it is read several times in a capture."""
DELETED, KEPT = b"this was deleted before the capture 7c1f", b"this is to be in the image 91ab"
KINDS = (
    "vsphere.check_machine",  # short work at the endpoint
    "linux.check_capture",  # in the guest
    "vsphere.await_off",  # a look
    "vsphere.copy_raw",  # a copy
    "vsphere.verify_raw",  # reading back
    "linux.seal",
    "vsphere.copy_sealed",
    "linux.try_login",  # at the end of the boot test
)


@pytest.fixture(scope="module", autouse=True)
def with_help(whole: Stack) -> Iterator[None]:
    """What fails waits for an operator; alice may capture; there is an image with a small disk."""
    settings = copy.deepcopy(SETTINGS)
    settings["waits"]["help"] = 3600
    whole.configure(settings)
    whole.worker_works()
    whole.vclab("--as", "olga", "grant", "add", "image-maker", "--person", "alice", "--everything")
    image = stock.image(SMALL, SMALL, 1, 512, 1)
    seed.put_master(whole.layout, image, "debian-12", rootfs.tree(print))
    records.fill_store(whole.layout, (image,))
    yield
    whole.configure(SETTINGS)
    whole.worker_works()


@pytest.fixture
def quick_to_give_up(whole: Stack) -> Iterator[None]:
    """A step that waits in vain ends sooner."""
    settings = copy.deepcopy(SETTINGS)
    settings["waits"] |= {"help": 3600, "step_ceiling": 60}
    whole.configure(settings)
    whole.worker_works()
    yield
    settings["waits"] |= {"step_ceiling": 600}
    whole.configure(settings)
    whole.worker_works()


class Imaging:
    """A computer that alice uses, and that is captured."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.image = stack, f"made-{new_id()[-6:]}"
        self.r = stack.reserve("--wait", "--imaging", image=SMALL)["id"]
        self.session = Session(stack, self.r)
        stack.is_in(self.r, "inuse")
        for name, words in (("gone", DELETED), ("stays", KEPT)):
            self.inside(
                f"for n in $(seq 200); do echo '{words.decode()}'; done | sudo tee /srv/{name} > /dev/null; sync"
            )
        self.inside("echo mine > ~/notes; sudo rm /srv/gone; sync")
        self.key = stack.show(self.r)["host_key"]

    def kept_disk(self, folder: Path) -> SourceDisk:
        """What its disk holds while it is captured: the worker stands still meanwhile, at the copy or its reading."""
        with self.stack.frozen("worker"):
            (machine,) = [m for m in self.stack.machines_of(self.r) if marks(m)["member"] == "0"]
            return SourceDisk(self.stack, machine, folder)

    def inside(self, line: str) -> str:
        return self.stack.vclab("connect", self.r, "--", line).stdout

    def hook(self, script: str) -> None:
        """Its image has that run, on the machine that is sealed."""
        place = "/usr/local/vcl/vcl_pre_capture"
        self.inside(f"sudo mkdir -p /usr/local/vcl; printf %s {shlex.quote(script)} | sudo tee {place} > /dev/null")

    def capture(self, *options: str) -> None:
        self.stack.vclab("capture", self.r, "--as", self.image, *options)

    def revision(self) -> Any:
        """It; none before it is there."""
        ran = self.stack.vclab("image", "history", self.image, "--json", check=False)
        return self.stack.json("image", "history", self.image)[0] if ran.returncode == 0 else None

    def captured(self) -> Any:
        """Wait for the revision."""
        return eventually(self.revision, 4 * LONG, 0.5)

    def needs_help(self) -> str:
        """Wait until an operator is asked; what they read."""
        waits = "SELECT help_since FROM reservations WHERE id = ?"
        eventually(lambda: self.stack.column(waits, self.r)[0], 4 * LONG, 0.5)
        return self.stack.vclab("--as", "olga", "needs-help").stdout

    def files(self) -> list[Path]:
        """What lies where copies are, but for finished ones of images."""
        found = self.stack.layout.folder.glob("datastores/*/vclab/images.of_*/*")
        return [path for path in found if not path.name.startswith(self.image)]

    def published(self) -> Path:
        """The bytes of the revision's copy."""
        (flat,) = self.stack.layout.folder.glob(f"datastores/*/vclab/images.of_*/{self.image}.1/disk-flat.vmdk")
        return flat

    def is_unharmed(self) -> None:
        """It is its user's again, as it was."""
        eventually(lambda: self.stack.show(self.r)["word"] == "In use", LONG, 0.5)
        assert self.inside("cat ~/notes; sudo cat /srv/stays | head -n 1") == f"mine\n{KEPT.decode()}\n"
        assert self.stack.show(self.r)["host_key"] == self.key

    def nothing_is_left(self) -> None:
        """Beside the reservation's own machine and the revision."""
        held = "SELECT holder FROM tenures WHERE released_at IS NULL AND purpose = 'capture'"
        eventually(lambda: not self.stack.column(held), LONG, 0.5)
        claims = "SELECT holder FROM claims WHERE NOT released AND holder LIKE 'capture-%'"
        eventually(lambda: not self.stack.column(claims), LONG, 0.5)
        assert [path.name for path in self.files() if path.name.startswith(("capture-", "read-"))] == []
        machines = [m for m in everything(self.stack.vcenter()) if marks(m).get("reservation") == self.r]
        assert [marks(m)["member"] for m in machines] in (["0"], [])


@pytest.fixture
def made(stack: Stack) -> Imaging:
    return Imaging(stack)


def is_as_its_source(made: Imaging, source: SourceDisk) -> None:
    """The raw copy had the same bytes; the published revision differs by what sealing may change."""
    made.captured()
    assert made.stack.column("SELECT raw_sha256 FROM captures WHERE image = ?", made.image) == [source.sha256]
    assert source.differences(made.published()) == []


def is_right(made: Imaging) -> None:
    """The revision has what is to be in it, and nothing else; whoever reserves it gets it."""
    stack, found = made.stack, made.captured()
    made.nothing_is_left()
    held = made.published().read_bytes()
    assert KEPT in held and DELETED not in held
    assert (found["state"], found["untried"], found["made_by"]) == ("test", False, "alice")
    stack.vclab("image", "promote", made.image, "1")
    r = stack.reserve("--wait", image=made.image, user="bob")["id"]
    said = stack.vclab("--as", "bob", "connect", r, "--", "head -n 1 /srv/stays; getent passwd alice; ls /home")
    assert said.stdout == f"{KEPT.decode()}\nbob\n"
    assert stack.show(r)["host_key"] != made.key
    stack.end(r)
    stack.vclab("image", "disable", made.image)


def test_what_is_captured_is_true_to_the_byte(made: Imaging, tmp_path: Path) -> None:
    """And the computer is its user's meanwhile, who restarts and extends it."""
    made.capture()
    assert made.session.over(LONG) != 0
    made.stack.in_step(made.r, "vsphere.copy_raw")
    source = made.kept_disk(tmp_path / "source")
    made.stack.in_step(made.r, "linux.seal", 3 * LONG)
    made.is_unharmed()
    made.stack.vclab("extend", made.r, "--by", "30m")
    made.stack.vclab("reboot", made.r)
    is_as_its_source(made, source)
    is_right(made)
    eventually(lambda: made.stack.show(made.r)["now"]["waits_for"] != f"{made.r} to restart", LONG)
    made.is_unharmed()


@pytest.mark.parametrize("part", ["worker", "temporal", "vcsim"])
def test_killed_in_each_kind_of_step(made: Imaging, part: str, tmp_path: Path) -> None:
    made.stack.vcsim.slow_copies(5)
    made.capture()
    for step in KINDS:
        made.stack.in_step(made.r, step, 4 * LONG)
        if step == "vsphere.copy_raw":
            source = made.kept_disk(tmp_path / "source")
        made.stack.kill(part)
        if part == "worker":
            made.stack.worker_works()
    is_as_its_source(made, source)
    made.is_unharmed()
    is_right(made)


def test_one_that_ends_while_it_is_sealed(made: Imaging) -> None:
    made.capture()
    made.stack.in_step(made.r, "linux.seal", 4 * LONG)
    made.stack.vclab("end", made.r)
    is_right(made)
    made.stack.finished(made.r)
    made.stack.nothing_left(made.r)


def test_a_throw_away_machine_that_is_deleted_by_hand(made: Imaging) -> None:
    """Another one is made."""
    made.capture()
    made.stack.in_step(made.r, "linux.seal", 4 * LONG)
    (machine,) = [m for m in made.stack.machines_of(made.r) if marks(m)["member"] == "1"]
    wait(machine.PowerOffVM_Task())
    wait(machine.Destroy_Task())
    is_right(made)
    made.is_unharmed()


def test_a_datastore_that_fills_in_the_middle(made: Imaging) -> None:
    made.stack.vcsim.slow_copies(5)
    made.capture()
    made.stack.in_step(made.r, "vsphere.copy_raw")
    made.stack.vcsim.full("ds1")
    said = made.needs_help()
    assert "datastore ds1 has no space for a copy of" in said
    made.stack.vcsim.mend()
    made.stack.vclab("--as", "olga", "resolve", made.r, "retry")
    is_right(made)
    made.is_unharmed()


def test_a_machine_with_a_second_disk(made: Imaging) -> None:
    """It is told, before anything is touched; given up, it is its user's all the time."""
    (machine,) = made.stack.machines_of(made.r)
    vim = made.stack.vcenter().vim
    device = vim.vm.device
    backing = device.VirtualDisk.FlatVer2BackingInfo(fileName=f"[ds1] {made.image}.vmdk", diskMode="persistent")
    disk = device.VirtualDisk(key=-1, controllerKey=1000, unitNumber=3, capacityInKB=1024, backing=backing)
    change = device.VirtualDeviceSpec(operation="add", fileOperation="create", device=disk)
    wait(machine.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))
    made.capture()
    assert "has 2 disks, and vclab knows one" in made.needs_help()
    ran = made.stack.vclab("capture", made.r, "--as", "other", check=False)
    assert "is being captured already" in made.stack.one_line(ran, 3)
    made.stack.vclab("--as", "olga", "resolve", made.r, "give-up")
    made.is_unharmed()
    assert made.revision() is None
    made.nothing_is_left()


NOT_THERE = "has no private address|shows no host key"
HOOKS = {
    "that no user can be made in": ("mv /usr/sbin/useradd /usr/sbin/useradd.off", "useradd"),
    "that forces a new password": (
        "printf '#!/bin/sh\\n/usr/sbin/chpasswd; chage -d 0 vclab-test || true\\n' > /usr/local/sbin/chpasswd\n"
        "chmod 755 /usr/local/sbin/chpasswd",
        "vclab-test is let in, but a command of theirs ends with exit status",
    ),
    "without a network": ("sed -i s/udhcpc/no-dhcp/ /etc/init.d/boot", NOT_THERE),
    "that does not boot": ("sed -i '2i sleep 9999' /etc/init.d/boot", NOT_THERE),
    "whose disk fills": (
        'while free=$(df -k --output=avail / | tail -n 1) && [ "$free" -gt 0 ]; do '
        "fallocate -l ${free}K /opt/filler.$free || break; done; echo x >> /opt/last; true",
        "No space left on device",
    ),
}
"""What an image's own hook does to the machine that is sealed, and what an operator reads then."""


@pytest.mark.parametrize("kind", HOOKS)
def test_an_image(quick_to_give_up: None, made: Imaging, kind: str) -> None:
    """It is never published. Given up, nothing is left of it, and the source is as it was."""
    hook, said = HOOKS[kind]
    made.hook(hook)
    made.capture()
    assert re.search(said, made.needs_help())
    made.stack.vclab("--as", "olga", "resolve", made.r, "give-up")
    made.is_unharmed()
    assert made.revision() is None
    made.nothing_is_left()


def test_an_endpoint_without_an_imaging_network(made: Imaging) -> None:
    """It is told, before anything is touched; when there is one, it goes on."""
    made.stack.vclab("--as", "olga", "endpoint", "edit", "lab-vcenter", "--imaging-network", "")
    made.capture()
    said = made.needs_help()
    assert "has no imaging network" in said
    assert "has no imaging network" in made.stack.vclab("show", made.r).stdout
    made.stack.vclab("--as", "olga", "endpoint", "edit", "lab-vcenter", "--imaging-network", "imaging")
    made.stack.vclab("--as", "olga", "resolve", made.r, "retry")
    is_right(made)
    made.is_unharmed()


@pytest.mark.parametrize("forced", [True, False])
def test_one_that_does_not_shut_down(made: Imaging, forced: bool) -> None:
    """It is powered off only with its user's word. Else that is told, and whoever has switched it off goes on."""
    (address,) = made.stack.column("SELECT private_address FROM reservations WHERE id = ?", made.r)
    made.hook("cp -p /etc/inittab.was /etc/inittab; telinit q")
    made.inside("sudo cp -p /etc/inittab /etc/inittab.was")
    made.stack.ignore_shutdown(address)
    made.capture(*(["--force-off"] if forced else []))
    if not forced:
        assert "does not shut down, after 300 s" in made.needs_help()
        (machine,) = made.stack.machines_of(made.r)
        wait(machine.PowerOffVM_Task())
        made.stack.vclab("--as", "olga", "resolve", made.r, "retry")
    is_right(made)


def test_two_of_one_name_and_what_can_not_be_captured(stack: Stack) -> None:
    first, second = Imaging(stack), Imaging(stack)
    first.capture()
    ran = stack.vclab("capture", second.r, "--as", first.image, check=False)
    assert f"another computer is being captured as {first.image}" in stack.one_line(ran, 3)
    lab = stack.reserve("--wait", "--imaging", image="lab-debian")["id"]
    session = Session(stack, lab)
    stack.is_in(lab, "inuse")
    ran = stack.vclab("capture", lab, "--as", "other", check=False)
    assert "the provisioning module standalone captures nothing yet" in stack.one_line(ran, 3)
    session.close()
    first.captured()
    first.nothing_is_left()
