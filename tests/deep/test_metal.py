"""A real Debian on real disks of machines that really boot: by BIOS and by UEFI, loaded by the module bare-metal, which
switches them by their BMCs; captured, and loaded on another controller.

Only `make test-deep` runs these: a boot takes half a minute of processor time.
"""

import os
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.deep import image, ovmf
from tests.deep.image import Image
from tests.deep.rig import BOOT_SECONDS, Context, Loading, Machine, Rig, rig, say
from vclab.imaging import reading
from vclab.library import content
from vclab.library.content import Told, nobody
from vclab.library.repository import Repository
from vclab.model.errors import Unreachable
from vclab.model.revisions import RevisionRecord

pytestmark = [
    pytest.mark.deep,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]
CUT_AT = 10
"""Percent of an image that are written when the power is cut."""
MARK = "/etc/mark"


@pytest.fixture(scope="module")
def real() -> Image:
    return image.image(say)


@pytest.fixture(scope="module")
def repository(real: Image, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """One with the real image."""
    found = Repository.make(tmp_path_factory.mktemp("repository") / "images")

    def write(disk: Path, told: Told) -> None:
        content.copy(real.disk, disk, told)

    found.keep(record(1), image.SIZE, write)
    return found


def record(revision: int) -> RevisionRecord:
    made_at = datetime(2026, 11, 28, tzinfo=UTC)
    return RevisionRecord("debian", revision, "Debian", "", 0, "bare-metal", "linux", 1, 1024, made_at, "deep")


@pytest.fixture(scope="module")
def made(real: Image, repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig(tmp_path_factory.mktemp("deep") / "machines", real.key, repository) as found:
        yield found


@pytest.fixture(scope="module")
def bios(made: Rig) -> Loading:
    """A load that has not begun, of a machine with a BIOS."""
    return Loading(made, made.machine("ahci", "bios"))


class PowerCut(Context):
    """The power is cut while the image is written."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine

    def progress(self, text: str) -> None:
        """Once that much is written."""
        super().progress(text)
        found = re.search(r"written \(([0-9]+) %\)", text)
        if found and int(found[1]) >= CUT_AT:
            self._machine.pull_plug()


def test_a_disk_whose_load_was_cut_off_does_not_boot(bios: Loading) -> None:
    bios.run(upto="clean")
    with pytest.raises(Unreachable):
        bios.step("write", PowerCut(bios.machine))
    before = len(bios.machine.console.lines)
    bios.step("boot_disk")
    shell, failed = "Minimal BASH-like line editing", "Failed to boot"  # without its menu, or with it
    bios.machine.console.wait_for(shell, BOOT_SECONDS, before, or_text=failed)
    assert "Linux version" not in "\n".join(bios.machine.console.lines[before:]), "GRUB finds no kernel"


def test_a_real_system_boots_by_bios(bios: Loading) -> None:
    bios.run()
    must_be_up(bios)


def must_be_up(load: Loading) -> None:
    """Its own system, from its disk, with all room of it."""
    load.machine.console.wait_for("GRUB of the disk starts Debian", 1)
    size = int(load.system("df --output=size --block-size=1 / | tail -n 1"))
    assert size > 0.9 * (load.machine.build.disk - image.ROOT[0]), "its root file system has grown"
    assert load.system("findmnt --noheadings --output FSTYPE,TARGET /boot/efi").split() == ["vfat", "/boot/efi"]
    assert load.system("systemctl is-system-running || systemctl --failed").strip() == "running"


def test_a_real_system_boots_by_uefi(made: Rig) -> None:
    load = Loading(made, made.machine("nvme", "efi"))
    load.run(upto="set_boot_entry")
    load.machine.pull_plug()
    kept = ovmf.variables(load.machine.variables)
    order = ovmf.order(kept)
    labels = [ovmf.label(kept[name]) for name in order]
    ours = labels.index("vclab")
    assert ours >= 1 and all("PXE" in each or "HTTP" in each for each in labels[:ours]), labels
    assert not any("PXE" in each for each in labels[ours:]), labels
    entry = kept[order[ours]]
    assert "\\EFI\\debian\\shimx64.efi".encode("utf-16-le") in entry
    load.run(after="set_boot_entry")
    must_be_up(load)
    booted = load.system("efibootmgr")
    assert f"BootCurrent: {order[ours].removeprefix('Boot')}" in booted, booted
    esp = uuid.UUID(load.system("lsblk --noheadings --output PARTUUID /dev/nvme0n1p2").strip())
    assert esp.bytes_le in entry


def test_what_was_captured_boots_on_another_controller(bios: Loading, repository: Repository) -> None:
    if not bios.is_up:
        bios.run()
    bios.system(f"echo captured >{MARK}; systemctl poweroff")
    bios.machine.await_off()
    bios.run(upto="find_disk")
    with bios.there() as node:
        kept = reading.capture(node, reading.look(node), repository, record(2), nobody)
    bios.machine.pull_plug()
    assert kept.size == bios.machine.build.disk
    assert content.allocated(repository.disk("debian", 2)) < image.SIZE, "what is free is not read"
    other = Loading(bios.rig, bios.rig.machine("virtio-scsi", "bios"), 2)
    other.run()
    must_be_up(other)
    assert other.system(f"cat {MARK}") == "captured\n"
    (disk,) = other.system("lsblk --nodeps --noheadings --output NAME,TRAN,SERIAL").splitlines()
    assert other.machine.build.serial in disk, disk
    assert "virtio" in other.system("readlink -f /sys/block/sda")
