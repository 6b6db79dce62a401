"""Child disks in the lab's vCenter: what is enforced of parents, in both ways that real ones differ."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.test_vcsim import Center, vim, wait
from tests.vcsim import VcsimProcess

PARENT = "vclab-images/linked/1/disk.vmdk"
CONTENT = bytes(range(256)) * 4096


def vcenter(folder: Path, keep_parents: bool) -> VcsimProcess:
    vcsim = VcsimProcess(folder, datastores={"ds1": 10, "ds2": 3}, keep_parents=keep_parents)
    vcsim.master("ds1", PARENT, gib=4, content=CONTENT)
    return vcsim.start()


@pytest.fixture(params=[True, False], ids=["parents kept", "parents free"])
def center(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Center]:
    vcsim = vcenter(tmp_path, request.param)
    yield Center(vcsim)
    vcsim.stop()


@pytest.fixture
def free(tmp_path: Path) -> Iterator[Center]:
    vcsim = vcenter(tmp_path, keep_parents=False)
    yield Center(vcsim)
    vcsim.stop()


def child(center: Center, name: str, number: int, parent: str = f"[ds1] {PARENT}", capacity: int = 0) -> Any:
    """A machine whose disk is a child, as vSphere Integrated Containers made them."""
    spec = center.spec(name, number)
    center.content.fileManager.MakeDirectory(f"[ds1] vclab/{name}", center.dc, True)
    spec.deviceChange[1].fileOperation = "create"
    disk = spec.deviceChange[1].device
    disk.capacityInKB = capacity
    disk.backing.parent = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(fileName=parent, diskMode="persistent")
    resource = next(cr for cr in center.dc.hostFolder.childEntity if cr.name == "esx1")
    return wait(center.dc.vmFolder.CreateVM_Task(spec, resource.resourcePool, center.host("esx1")))


def backing(machine: Any) -> Any:
    return next(d.backing for d in machine.config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk))


def free_bytes(center: Center, name: str) -> int:
    found: int = next(ds for ds in center.dc.datastore if ds.name == name).summary.freeSpace
    return found


def until(what: Callable[[], bool], within: float = 8.0) -> None:
    """What runs writes is published every two seconds."""
    deadline = time.monotonic() + within
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_child_takes_no_room_and_names_its_parent(center: Center) -> None:
    before = free_bytes(center, "ds1")
    machines = [child(center, f"c{n}", n) for n in range(1, 4)]
    assert {backing(machine).parent.fileName for machine in machines} == {f"[ds1] {PARENT}"}
    disk = next(d for d in machines[0].config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk))
    assert disk.capacityInKB == 4 << 20
    assert before - free_bytes(center, "ds1") < 1 << 20
    wait(machines[0].PowerOnVM_Task())
    event = center.vcsim.wait_event(name="c1", state="poweredOn")
    assert event["parents"] == [str(center.vcsim.datastore("ds1") / PARENT)]


def test_what_a_child_holds_counts_and_is_told_of_its_machine_alone(center: Center) -> None:
    machine, other = child(center, "c1", 1), child(center, "c2", 2)
    (center.vcsim.datastore("ds1") / "vclab/c1/c1-delta.vmdk").write_bytes(bytes([1]) * (8 << 20))
    until(lambda: machine.storage.perDatastoreUsage[0].unshared >= 8 << 20)
    until(lambda: other.storage.perDatastoreUsage[0].unshared == 0)
    assert machine.storage.perDatastoreUsage[0].committed >= (8 << 20) + len(CONTENT)


def test_a_parent_in_use_is_locked(center: Center) -> None:
    machine = child(center, "c1", 1)
    wait(machine.PowerOnVM_Task())
    disks, files = center.content.virtualDiskManager, center.content.fileManager
    tries: tuple[Callable[[], Any], ...] = (
        lambda: disks.DeleteVirtualDisk_Task(f"[ds1] {PARENT}", center.dc),
        lambda: disks.MoveVirtualDisk_Task(f"[ds1] {PARENT}", center.dc, "[ds1] moved.vmdk", center.dc, False),
        lambda: files.DeleteDatastoreFile_Task("[ds1] vclab-images/linked", center.dc),
    )
    for task in tries:
        with pytest.raises(vim.fault.FileLocked):
            wait(task())


def test_a_parent_of_machines_that_are_off(center: Center, request: pytest.FixtureRequest) -> None:
    machine = child(center, "c1", 1)
    delete = center.content.virtualDiskManager.DeleteVirtualDisk_Task
    if "kept" in request.node.callspec.id:
        with pytest.raises(vim.fault.CannotDeleteFile):
            wait(delete(f"[ds1] {PARENT}", center.dc))
        wait(machine.Destroy_Task())
        with pytest.raises(vim.fault.CannotDeleteFile):  # after its last child too
            wait(delete(f"[ds1] {PARENT}", center.dc))
        wait(center.content.fileManager.DeleteDatastoreFile_Task("[ds1] vclab-images/linked", center.dc))
    else:
        wait(delete(f"[ds1] {PARENT}", center.dc))  # and the machine is lost
        with pytest.raises(vim.fault.FileNotFound):
            wait(machine.PowerOnVM_Task())


def test_a_child_lives_through_a_restart_and_remembers_its_parent(free: Center) -> None:
    machine = child(free, "c1", 1)
    wait(machine.PowerOnVM_Task())
    free.vcsim.restart(kill=True)
    again = Center(free.vcsim)
    found = again.find(1)
    assert backing(found).parent.fileName == f"[ds1] {PARENT}"
    assert found.runtime.powerState == "poweredOn"
    wait(found.PowerOffVM_Task())
    wait(again.content.virtualDiskManager.DeleteVirtualDisk_Task(f"[ds1] {PARENT}", again.dc))
    again.vcsim.restart(kill=True)
    lost = Center(again.vcsim).find(1)  # it is there, and can't be switched on
    with pytest.raises(vim.fault.FileNotFound):
        wait(lost.PowerOnVM_Task())


def test_destroying_a_child_keeps_its_parent(center: Center) -> None:
    wait(child(center, "c1", 1).Destroy_Task())
    assert (center.vcsim.datastore("ds1") / PARENT).exists()
    assert not (center.vcsim.datastore("ds1") / "vclab/c1").exists()


def test_children_are_refused_that_can_not_be(center: Center) -> None:
    with pytest.raises(vim.fault.InvalidDeviceSpec):
        child(center, "c1", 1, parent="[ds1] nothing/disk.vmdk")
    machine = child(center, "c2", 2)
    wait(machine.PowerOnVM_Task())
    with pytest.raises(vim.fault.FileLocked):  # a disk that is written to
        child(center, "c3", 3, parent="[ds1] vclab/c2/c2.vmdk")


def test_a_copy_is_thin_and_has_the_same_bytes(center: Center) -> None:
    child(center, "c1", 1)
    disks = center.content.virtualDiskManager
    center.content.fileManager.MakeDirectory("[ds2] copies", center.dc, True)
    before = free_bytes(center, "ds2")
    wait(disks.CopyVirtualDisk_Task(f"[ds1] {PARENT}", center.dc, "[ds2] copies/m.vmdk", center.dc, None, False))
    flat = center.vcsim.datastore("ds2") / "copies/m-flat.vmdk"
    assert flat.stat().st_size == 4 << 30
    assert _starts(flat, CONTENT)
    assert before - free_bytes(center, "ds2") < 2 * len(CONTENT)
    wait(disks.DeleteVirtualDisk_Task("[ds2] copies/m.vmdk", center.dc))  # it has had no children


def _starts(file: Path, content: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(content)) == content
