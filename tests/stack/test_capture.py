"""Captures on the whole stack: true bytes, whatever is killed meanwhile, and what goes wrong is told and put back."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.labfixture import eventually, wait
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
    whole.vclab("--as", "olga", "user", "edit", "alice", "--imaging")
    image = stock.image(SMALL, SMALL, 1, 512, 1)
    seed.put_master(whole.layout, image, "debian-12", rootfs.tree(print))
    records.fill_store(whole.layout, (image,))
    yield
    whole.configure(SETTINGS)
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

    def inside(self, line: str) -> str:
        return self.stack.vclab("connect", self.r, "--", line).stdout

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


def is_right(made: Imaging) -> None:
    """The revision has what is to be in it, and nothing else; whoever reserves it gets it."""
    stack, found = made.stack, made.captured()
    made.nothing_is_left()
    (flat,) = stack.layout.folder.glob(f"datastores/*/vclab/images.of_*/{made.image}.1/disk-flat.vmdk")
    held = flat.read_bytes()
    assert KEPT in held and DELETED not in held
    assert (found["state"], found["untried"], found["made_by"]) == ("test", False, "alice")
    stack.vclab("image", "promote", made.image, "1")
    r = stack.reserve("--wait", image=made.image, user="bob")["id"]
    said = stack.vclab("--as", "bob", "connect", r, "--", "head -n 1 /srv/stays; getent passwd alice; ls /home")
    assert said.stdout == f"{KEPT.decode()}\nbob\n"
    assert stack.show(r)["host_key"] != made.key
    stack.end(r)
    stack.vclab("image", "disable", made.image)


def test_what_is_captured_is_true_to_the_byte(made: Imaging) -> None:
    """And the computer is its user's meanwhile, who restarts and extends it."""
    made.capture()
    assert made.session.over(LONG) != 0
    made.stack.in_step(made.r, "linux.seal", 3 * LONG)
    made.is_unharmed()
    made.stack.vclab("extend", made.r, "--by", "30m")
    made.stack.vclab("reboot", made.r)
    (raw,) = made.stack.column("SELECT raw_sha256 FROM captures WHERE image = ?", made.image)
    assert len(raw) == 64
    is_right(made)
    eventually(lambda: made.stack.show(made.r)["now"]["waits_for"] != f"{made.r} to restart", LONG)
    made.is_unharmed()


@pytest.mark.parametrize("part", ["worker", "temporal", "vcsim"])
def test_killed_in_each_kind_of_step(made: Imaging, part: str) -> None:
    made.capture()
    for step in KINDS:
        made.stack.in_step(made.r, step, 4 * LONG)
        made.stack.kill(part)
        if part == "worker":
            made.stack.worker_works()
    made.captured()
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


def test_an_image_that_no_user_can_log_in_to(made: Imaging) -> None:
    """The boot test finds that; given up, nothing is left of it."""
    made.inside("sudo mkdir -p /usr/local/vcl; echo 'mv /usr/sbin/useradd /usr/sbin/useradd.off; exit 0' > /tmp/h")
    made.inside("(echo '#!/bin/sh'; cat /tmp/h) | sudo tee /usr/local/vcl/vcl_pre_capture > /dev/null")
    made.inside("sudo chmod 755 /usr/local/vcl/vcl_pre_capture")
    made.capture()
    said = made.needs_help()
    assert "useradd" in said
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


def test_one_that_does_not_shut_down(made: Imaging) -> None:
    """It is powered off only with its user's word."""
    (address,) = made.stack.column("SELECT private_address FROM reservations WHERE id = ?", made.r)
    made.stack.ignore_shutdown(address)
    made.capture("--force-off")
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
