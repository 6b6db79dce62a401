"""A storage migration in the lab's vCenter: what it makes of a child, and that nothing of it is lost."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.test_chains import CONTENT, PARENT, backing, child, free_bytes, vcenter
from tests.lab.test_vcsim import Center, vim, wait

LAYER = b"written by the machine"


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    vcsim = vcenter(tmp_path, keep_parents=False)
    yield Center(vcsim)
    vcsim.stop()


def migrate(center: Center, machine: Any, datastore: str, **more: Any) -> None:
    ref = next(ds for ds in center.dc.datastore if ds.name == datastore)
    wait(machine.RelocateVM_Task(vim.vm.RelocateSpec(datastore=ref, **more)))


def delete_parent(center: Center) -> None:
    wait(center.content.virtualDiskManager.DeleteVirtualDisk_Task(f"[ds1] {PARENT}", center.dc))


def starts(file: Path, content: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(content)) == content


def test_a_child_that_is_moved_becomes_a_whole_disk_and_needs_its_parent_no_more(center: Center) -> None:
    machine, before = child(center, "c1", 1), free_bytes(center, "ds2")
    wait(machine.PowerOnVM_Task())
    with (center.vcsim.datastore("ds1") / "vclab/c1/c1-delta.vmdk").open("r+b") as held_by_the_machine:
        migrate(center, machine, "ds2")
        held_by_the_machine.write(LAYER)
    assert (backing(machine).fileName, backing(machine).parent) == ("[ds2] c1/c1.vmdk", None)
    assert (machine.config.files.vmPathName, machine.runtime.powerState) == ("[ds2] c1/c1.vmx", "poweredOn")
    assert [ds.name for ds in machine.datastore] == ["ds2"]
    assert not [file.name for file in machine.layoutEx.file if not file.name.startswith("[ds2] c1")]
    assert not (center.vcsim.datastore("ds1") / "vclab/c1").exists()
    home = center.vcsim.datastore("ds2") / "c1"
    assert starts(home / "c1-flat.vmdk", CONTENT) and starts(home / "c1-delta.vmdk", LAYER)
    assert before - free_bytes(center, "ds2") >= len(CONTENT)
    delete_parent(center)  # also while the machine runs

    center.vcsim.restart(kill=True)
    again = Center(center.vcsim)
    found = again.find(1)
    assert (backing(found).fileName, backing(found).parent) == ("[ds2] c1/c1.vmdk", None)
    event = again.vcsim.wait_event(name="c1", state="poweredOn")
    assert (event["disks"], event["parents"]) == ([str(home / "c1.vmdk")],) * 2, "its delta lies over its own flat"
    assert starts(home / "c1-delta.vmdk", LAYER)
    migrate(again, found, "ds1")
    assert starts(center.vcsim.datastore("ds1") / "c1/c1-delta.vmdk", LAYER) and not home.exists()
    wait(found.PowerOffVM_Task())
    wait(found.Destroy_Task())
    assert not (center.vcsim.datastore("ds1") / "c1").exists()


def test_the_child_alone_can_be_moved_and_the_host_with_it(center: Center) -> None:
    machine = child(center, "c1", 1)
    wait(machine.PowerOnVM_Task())
    host = center.host("esx2")
    migrate(center, machine, "ds2", diskMoveType="moveChildMostDiskBacking", host=host, pool=host.parent.resourcePool)
    assert (backing(machine).fileName, backing(machine).parent.fileName) == ("[ds2] c1/c1.vmdk", f"[ds1] {PARENT}")
    assert machine.runtime.host.name == "esx2"
    with pytest.raises(vim.fault.FileLocked):
        delete_parent(center)
    center.vcsim.restart(kill=True)
    assert backing(Center(center.vcsim).find(1)).parent.fileName == f"[ds1] {PARENT}"


def test_a_migration_without_room_changes_nothing(center: Center) -> None:
    machine = child(center, "c1", 1)
    center.vcsim.control("POST", "/fault", {"kind": "no_space", "datastore": "ds2"})
    with pytest.raises(vim.fault.NoDiskSpace):
        migrate(center, machine, "ds2")
    assert backing(machine).fileName == "[ds1] vclab/c1/c1.vmdk"
    assert list(center.vcsim.datastore("ds2").iterdir()) == []
    wait(machine.PowerOnVM_Task())
