"""The lab's vCenter makes one disk of a child that was written: when it is copied, and when it is exported."""

import http.client
import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.lab import merged
from tests.lab.merged import digest, inside
from tests.lab.test_chains import child, free_bytes, until
from tests.lab.test_relocate import migrate
from tests.lab.test_transfers import open_url, ready
from tests.lab.test_vcsim import Center, vim, vmodl, wait
from tests.vcsim import VcsimProcess
from vclab.lab import disks

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")

PARENT = "vclab-images/there/1/disk.vmdk"
COPY = "[ds2] copies/made.vmdk"
MIB = 1 << 20
WRITTEN = {"etc/of-the-child": b"written by the machine"}


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    vcsim = VcsimProcess(tmp_path / "center", datastores={"ds1": 4, "ds2": 1})
    for name in ("tree/etc", "layer"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tree/etc/of-the-master").write_text("of the master")
    disks.make_master(vcsim.datastore("ds1") / PARENT, tmp_path / "tree", tmp_path / "layer", 1)
    made = Center(vcsim.start())
    made.content.fileManager.MakeDirectory("[ds2] copies", made.dc, True)
    yield made
    vcsim.stop()


def master(center: Center) -> Path:
    return disks.data_of(center.vcsim.datastore("ds1") / PARENT, child=False)


def delta(center: Center) -> Path:
    return center.vcsim.datastore("ds1") / "vclab/c1/c1-delta.vmdk"


def written(center: Center, mib: int = 0) -> Any:
    """A machine with a child in which something was written; 512 MiB take a second or more to copy."""
    machine = child(center, "c1", 1, parent=f"[ds1] {PARENT}")
    inside(partial(merged.write, WRITTEN), master(center), delta(center))
    inside(partial(merged.fill, mib), master(center), delta(center))
    return machine


def copy(center: Center, source: str = "[ds1] vclab/c1/c1.vmdk", target: str = COPY) -> Any:
    return center.content.virtualDiskManager.CopyVirtualDisk_Task(source, center.dc, target, center.dc, None, False)


def copies(center: Center) -> Path:
    return center.vcsim.datastore("ds2") / "copies"


def nothing_is_left(center: Center) -> None:
    """Nor does anybody work on it."""
    assert list(copies(center).iterdir()) == []
    until(lambda: not runs(center))
    until(lambda: str(delta(center)) not in disks.run("losetup", "--all"))
    scratch = center.vcsim.folder / "journal/scratch"
    until(lambda: not [*scratch.glob("flatten*"), *scratch.glob("export*")])


def runs(center: Center) -> bool:
    ran = subprocess.run(["pgrep", "-f", f"vclab.lab.flatten {center.vcsim.folder}"], capture_output=True)
    return ran.returncode == 0


def test_a_copy_of_a_child_has_its_files_and_no_parent(center: Center) -> None:
    written(center)
    before, seen = free_bytes(center, "ds2"), inside(merged.manifest, master(center), delta(center))
    wait(copy(center))
    made = copies(center) / "made.vmdk"
    assert "parentFileNameHint" not in made.read_text() and 'thinProvisioned = "1"' in made.read_text()
    flat = disks.data_of(made, child=False)
    assert flat.stat().st_size == 1 << 30
    assert 0 < before - free_bytes(center, "ds2") < 16 * MIB
    wait(copy(center, target="[ds2] copies/again.vmdk"))
    assert digest(copies(center) / "again-flat.vmdk") == digest(flat)
    assert inside(merged.manifest, flat) == seen and "./etc/of-the-child" in seen
    with pytest.raises(vim.fault.FileAlreadyExists):
        wait(copy(center))


def test_a_copy_of_a_child_that_was_never_written_is_one_of_its_parent(center: Center) -> None:
    child(center, "c1", 1, parent=f"[ds1] {PARENT}")
    wait(copy(center))
    assert digest(copies(center) / "made-flat.vmdk") == digest(master(center))


def test_a_copy_of_a_child_that_was_moved(center: Center) -> None:
    machine = written(center)
    seen = inside(merged.manifest, master(center), delta(center))
    migrate(center, machine, "ds2")
    wait(copy(center, source="[ds2] c1/c1.vmdk"))
    assert inside(merged.manifest, copies(center) / "made-flat.vmdk") == seen


def test_a_copy_of_a_child_of_one_that_was_moved(center: Center) -> None:
    machine = written(center)
    migrate(center, machine, "ds2")
    child(center, "c2", 2, parent="[ds2] c1/c1.vmdk")
    moved = center.vcsim.datastore("ds2") / "c1"
    layers = (center.vcsim.datastore("ds1") / "vclab/c2/c2-delta.vmdk", moved / "c1-delta.vmdk")
    inside(partial(merged.write, {"etc/of-the-second": b"written by another"}), moved / "c1-flat.vmdk", *layers)
    seen = inside(merged.manifest, moved / "c1-flat.vmdk", *layers)
    assert {"./etc/of-the-master", "./etc/of-the-child", "./etc/of-the-second"} <= set(seen)
    wait(copy(center, source="[ds1] vclab/c2/c2.vmdk"))
    assert inside(merged.manifest, copies(center) / "made-flat.vmdk") == seen


def test_a_disk_in_use_is_refused_and_one_that_is_copied_can_not_be_used(center: Center) -> None:
    machine = written(center)
    wait(machine.PowerOnVM_Task())
    with pytest.raises(vim.fault.FileLocked):
        wait(copy(center))
    wait(machine.PowerOffVM_Task())
    center.vcsim.control("POST", "/fault", {"kind": "copy_delay", "ms": 2000})
    task = copy(center)
    until(lambda: task.info.state == "running")
    with pytest.raises(vim.fault.FileLocked):
        wait(machine.PowerOnVM_Task())
    wait(task)
    wait(machine.PowerOnVM_Task())


def test_a_machine_that_was_just_switched_off_is_waited_for(center: Center) -> None:
    written(center)
    device = disks.run("losetup", "--find", "--show", str(delta(center))).strip()
    try:
        task = copy(center)
        time.sleep(1)
        assert task.info.state == "running" and list(copies(center).iterdir()) == []
    finally:
        disks.run("losetup", "--detach", device)
    wait(task)


def test_room_is_looked_for_before_anything_is_written(center: Center) -> None:
    written(center, 200)
    filler = center.vcsim.datastore("ds2") / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 900 * MIB)
    with pytest.raises(vim.fault.NoDiskSpace):
        wait(copy(center))
    filler.unlink()
    center.vcsim.control("POST", "/fault", {"kind": "copy_delay", "ms": 5000})
    task = copy(center)
    until(lambda: free_bytes(center, "ds2") < (1 << 30) - 200 * MIB)
    assert list(copies(center).iterdir()) == [], "the room is taken, and nothing has a name"
    center.vcsim.control("POST", "/fault", {"kind": "no_space", "datastore": "ds2"})
    with pytest.raises(vim.fault.NoDiskSpace):
        wait(task)
    nothing_is_left(center)
    until(lambda: free_bytes(center, "ds2") == 1 << 30)


def test_a_copy_tells_how_far_it_is_and_can_be_cancelled(center: Center) -> None:
    written(center, 512)
    task = copy(center)
    until(lambda: 0 < (task.info.progress or 0) < 100)
    task.CancelTask()
    with pytest.raises(vmodl.fault.RequestCanceled):
        wait(task)
    nothing_is_left(center)
    wait(copy(center))


def test_a_vcenter_that_is_killed_while_it_copies_leaves_nothing(center: Center) -> None:
    written(center, 512)
    task = copy(center)
    until(lambda: (task.info.progress or 0) > 0)
    center.vcsim.restart(kill=True)
    nothing_is_left(center)
    wait(copy(Center(center.vcsim)))


def test_what_is_no_file_system_fails_with_the_reason(center: Center) -> None:
    machine = child(center, "c1", 1, parent=f"[ds1] {PARENT}")
    with delta(center).open("r+b") as file:
        file.write(bytes([1]) * 4096)
    with pytest.raises(vim.fault.GenericVmConfigFault, match="mount failed"):
        wait(copy(center))
    nothing_is_left(center)
    wait(machine.Destroy_Task())


def test_an_export_gives_the_same_bytes_as_a_copy(center: Center, tmp_path: Path) -> None:
    machine = written(center)
    wait(copy(center))
    lease = ready(machine.ExportVm())
    got = [open_url(center, lease) for _ in range(2)]
    lease.HttpNfcLeaseComplete()
    for number, vmdk in enumerate(got):
        raw = tmp_path / f"got{number}.raw"
        (tmp_path / "got.vmdk").write_bytes(vmdk)
        disks.run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", str(tmp_path / "got.vmdk"), str(raw))
        assert digest(raw) == digest(copies(center) / "made-flat.vmdk")
    wait(machine.PowerOnVM_Task())


def test_an_export_of_which_nobody_waits_for_the_bytes_ends(center: Center) -> None:
    machine = written(center, 512)
    lease = ready(machine.ExportVm())
    url = urlsplit(lease.info.deviceUrl[0].url)
    context = ssl._create_unverified_context()
    client = http.client.HTTPSConnection(center.vcsim.address, center.vcsim.port, context=context)
    client.request("GET", url.path)
    until(lambda: runs(center))
    client.close()
    nothing_is_left(center)
    lease.HttpNfcLeaseAbort()
