"""Machines whose disks are children of a copy of the image, and these copies, against a real vSphere API."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.provisioning.bench import LINKED_STEPS, MASTER, Bench, FakeContext
from vclab.library.content import Told
from vclab.library.repository import Repository
from vclab.model.errors import Interrupted, NotOurs, StepFailed
from vclab.model.plans import NodeStatus, Target
from vclab.model.revisions import CopyJob, Hardware, Place, RevisionRecord, Source, Wanted
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import ImageData
from vclab.provisioning.vsphere.properties import read


@pytest.fixture
def linked(bench: Bench) -> Target:
    return bench.target(dedicated=False)


def devices(bench: Bench, target: Target) -> list[Any]:
    [machine] = bench.machines(target.computer)
    return list((read(bench.site().session, machine.ref, ["config.hardware.device"]) or {})["config.hardware.device"])


def job(bench: Bench, to: str = "ds2", name: str = "debian-12", revision: int = 1, **source: Any) -> CopyJob:
    return CopyJob(
        wanted=Wanted(name, revision, Place("lab-vcenter", to)),
        source=Source(**{"storage": "ds1", **source}),
        installation="vclab",
        module="vsphere",
        site="default",
        disk_gb=8,
        image_data=ImageData(master_path=MASTER).encoded(),
    )


def test_a_disk_is_a_child_of_the_image_and_takes_no_room(bench: Bench, linked: Target) -> None:
    names = [step.name for step in bench.module.load_plan(linked, NodeStatus()).steps]
    assert "vsphere.copy_disk" not in names
    bench.load(linked)
    delta = bench.directory(linked) / f"{linked.machine_name}-delta.vmdk"
    assert (delta.stat().st_size, delta.stat().st_blocks) == (8 << 30, 0)
    disk = next(d for d in devices(bench, linked) if isinstance(d, vim.vm.device.VirtualDisk))
    assert disk.backing.parent.fileName == f"[ds1] {MASTER}"
    assert disk.capacityInKB == 8 << 20
    event = bench.simulator.wait_event(event="power", uuid=linked.instance_uuid, state="poweredOn")
    assert event["parents"] == [str(bench.simulator.datastore("ds1") / MASTER)]


def test_a_dedicated_disk_is_a_copy(bench: Bench, target: Target) -> None:
    assert "vsphere.copy_disk" in [step.name for step in bench.module.load_plan(target, NodeStatus()).steps]
    bench.load(target)
    disk = next(d for d in devices(bench, target) if isinstance(d, vim.vm.device.VirtualDisk))
    assert disk.backing.parent is None


def test_every_step_twice_is_harmless(bench: Bench, linked: Target) -> None:
    for step in LINKED_STEPS:
        bench.run(step, linked)
        bench.run(step, linked, module=bench.new_module())
    assert [m.power for m in bench.machines(linked.computer)] == ["on"]


@pytest.mark.parametrize(
    "left", ["a child without a machine", pytest.param("a definition too", marks=pytest.mark.long)]
)
def test_what_an_attempt_left_is_not_built_upon(bench: Bench, linked: Target, left: str) -> None:
    bench.load(linked)
    [machine] = bench.machines(linked.computer)
    bench.module.power_off(FakeContext(), linked)
    machine.ref.UnregisterVM()  # its files stay
    delta = bench.directory(linked) / f"{linked.machine_name}-delta.vmdk"
    delta.write_bytes(b"of somebody else")
    if left == "a child without a machine":
        (bench.directory(linked) / f"{linked.machine_name}.vmx").unlink()
    bench.run("vsphere.create_vm", linked)
    assert b"of somebody else" not in delta.read_bytes()[:100]


def test_removing_a_machine_keeps_the_image(bench: Bench, linked: Target) -> None:
    bench.load(linked)
    bench.module.remove(FakeContext(), linked)
    assert not bench.directory(linked).exists()
    assert (bench.simulator.datastore("ds1") / MASTER).exists()


def test_an_image_that_is_not_there_is_named(bench: Bench, linked: Target) -> None:
    missing = replace(linked, copy="[ds1] vclab/images.of_vclab/debian-12.7/disk.vmdk")
    with pytest.raises(StepFailed, match=r"debian-12\.7/disk\.vmdk, the copy of debian-12, revision 1, is not there"):
        bench.run("vsphere.create_vm", missing)


@pytest.mark.parametrize(
    ("hardware", "controller", "card"),
    [
        (Hardware(), "ParaVirtualSCSIController", "VirtualVmxnet3"),
        (Hardware("efi", "lsilogic", "e1000e"), "VirtualLsiLogicController", "VirtualE1000e"),
        (Hardware("bios", "nvme", "e1000"), "VirtualNVMEController", "VirtualE1000"),
    ],
)
def test_a_machine_has_the_hardware_of_the_image(
    bench: Bench, linked: Target, hardware: Hardware, controller: str, card: str
) -> None:
    target = replace(linked, hardware=hardware)
    bench.load(target)
    kinds = {type(device).__name__.rpartition(".")[2] for device in devices(bench, target)}
    assert {controller, card} <= kinds
    [machine] = bench.machines(target.computer)
    said = read(bench.site().session, machine.ref, ["config.firmware"]) or {}
    assert said["config.firmware"] == (hardware.firmware or "bios")


def test_hardware_that_vsphere_has_not_is_refused(bench: Bench, linked: Target) -> None:
    with pytest.raises(StepFailed, match="needs the controller virtio, which vSphere does not have; it has: pvscsi"):
        bench.run("vsphere.create_vm", replace(linked, hardware=Hardware(controller="virtio")))


def test_a_copy_is_made_once_and_machines_are_made_from_it(bench: Bench, linked: Target) -> None:
    copied = bench.module.make_copy(FakeContext(), job(bench))
    assert copied.path == "[ds2] vclab/images.of_vclab/debian-12.1/disk.vmdk"
    again = FakeContext()
    assert bench.module.make_copy(again, job(bench)) == copied
    assert not [text for text in again.told if "copying" in text]
    there = replace(linked, storage="ds2", copy=copied.path)
    bench.load(there)
    disk = next(d for d in devices(bench, there) if isinstance(d, vim.vm.device.VirtualDisk))
    assert disk.backing.parent.fileName == copied.path
    bench.run("vsphere.remove_previous", replace(there, generation=4, reservation="next"))
    assert _copy(bench, "ds2").exists(), "it is no leftover of a machine"


def test_a_copy_that_is_stopped_leaves_nothing(bench: Bench) -> None:
    wanted = job(bench, revision=5)
    bench.simulator.control("POST", "/fault", {"kind": "copy_delay", "ms": 3000})
    try:
        with pytest.raises(Interrupted):
            bench.module.make_copy(FakeContext(cancel_when="copying"), wanted)
    finally:
        bench.simulator.control("DELETE", "/fault")
    assert not _copy(bench, "ds2", 5).parent.exists()


def test_a_copy_goes_on_where_its_worker_was_killed(bench: Bench) -> None:
    """What a killed attempt remembered is adopted; what it could not remember is deleted."""
    folder = _copy(bench, "ds2", 6).parent
    folder.mkdir(parents=True)
    (folder / "disk.copy-0badf00d.vmdk").write_text("# Disk DescriptorFile")
    (folder / "disk.copy-0badf00d-flat.vmdk").touch()
    bench.module.make_copy(FakeContext(), job(bench, revision=6))
    assert sorted(p.name for p in folder.iterdir()) == ["disk-flat.vmdk", "disk.vmdk"]


def test_no_room_for_a_copy_is_said(bench: Bench) -> None:
    bench.simulator.control("POST", "/fault", {"kind": "no_space", "datastore": "ds2"})
    try:
        with pytest.raises(StepFailed, match="datastore ds2 has no space for a copy of"):
            bench.module.make_copy(FakeContext(), job(bench, revision=8))
    finally:
        bench.simulator.control("DELETE", "/fault")
    assert not _copy(bench, "ds2", 8).exists()


CONTENT = b"\x01" * (3 << 20) + bytes(40 << 20) + b"\x02" * (1 << 20)


def _write(disk: Path, told: Told) -> None:
    disk.write_bytes(CONTENT)


def kept(folder: Path, revision: int) -> Source:
    """A disk in a repository."""
    repository = Repository.make(folder)
    made = datetime(2026, 1, 1, tzinfo=UTC)
    record = RevisionRecord("debian-12", revision, "", "", 0, "vsphere", "linux", 1, 512, made, "olga")
    found = repository.keep(record, len(CONTENT), _write)
    return Source(repository=str(folder), sha256=found.sha256, size=found.size)


def from_repository(bench: Bench, source: Source, revision: int) -> CopyJob:
    return replace(job(bench, revision=revision), source=source, image_data=ImageData().encoded())


def test_a_copy_comes_from_a_repository(bench: Bench, linked: Target, tmp_path: Path) -> None:
    wanted, context = from_repository(bench, kept(tmp_path / "images", 20), 20), FakeContext()
    copied = bench.module.make_copy(context, wanted)
    flat = _copy(bench, "ds2", 20).with_name("disk-flat.vmdk")
    with flat.open("rb") as file:
        assert file.read() == CONTENT
    assert flat.stat().st_blocks * 512 < 8 << 20
    assert any("sending" in text for text in context.told)
    assert sorted(p.name for p in flat.parent.iterdir()) == ["disk-flat.vmdk", "disk.vmdk"]
    assert [p.name for p in flat.parents[1].iterdir() if p.name.startswith("import-")] == []
    assert not [m for m in bench.machines() if m.name.startswith("vclab-import")]
    bench.load(replace(linked, storage="ds2", copy=copied.path))


def test_what_a_killed_import_left_is_removed(bench: Bench, tmp_path: Path) -> None:
    """Its machine too, if its lease lives still: the newer attempt is the one that counts."""
    wanted = from_repository(bench, kept(tmp_path / "images", 21), 21)
    left = "[ds2] vclab/images.of_vclab/import-debian-12.21-0badf00d"
    (bench.simulator.datastore("ds2") / left.removeprefix("[ds2] ")).mkdir(parents=True)
    bench.foreign("vclab-import-debian-12.21-0badf00d", f"{left}/import.vmx")
    scratch = tmp_path / "images/incoming/0badf00d"
    scratch.mkdir()
    (scratch / "sent.vmdk").write_bytes(bytes(100))
    bench.module.make_copy(FakeContext(), wanted)
    assert not [m for m in bench.machines() if m.name.startswith("vclab-import")]
    assert not (bench.simulator.datastore("ds2") / left.removeprefix("[ds2] ")).exists()
    assert list(scratch.parent.iterdir()) == []


def test_an_import_that_is_stopped_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    wanted = from_repository(bench, kept(tmp_path / "images", 22), 22)
    with pytest.raises(Interrupted):
        bench.module.make_copy(FakeContext(cancel_when="sending"), wanted)
    assert not _copy(bench, "ds2", 22).parent.exists()
    assert not [m for m in bench.machines() if m.name.startswith("vclab-import")]
    assert list((tmp_path / "images/incoming").iterdir()) == []


def test_a_datastore_that_is_full_refuses_an_import(bench: Bench, tmp_path: Path) -> None:
    wanted = from_repository(bench, kept(tmp_path / "images", 23), 23)
    bench.simulator.control("POST", "/fault", {"kind": "no_space", "datastore": "ds2"})
    try:
        with pytest.raises(StepFailed, match="not enough space"):
            bench.module.make_copy(FakeContext(), wanted)
    finally:
        bench.simulator.control("DELETE", "/fault")
    assert not _copy(bench, "ds2", 23).exists()


def test_another_installation_makes_no_copies_here(bench: Bench) -> None:
    with pytest.raises(NotOurs):
        bench.module.make_copy(FakeContext(), replace(job(bench), installation="other"))


def test_a_copy_that_nobody_needs_is_deleted(bench: Bench, linked: Target) -> None:
    wanted = job(bench, revision=30)
    copied = bench.module.make_copy(FakeContext(), wanted)
    target = replace(linked, storage="ds2", copy=copied.path)
    bench.load(target)
    for _ in range(2):  # also while the machine is off: most endpoints would let its parent go then
        with pytest.raises(StepFailed, match=f"the disk of {target.machine_name} is made from debian-12/30"):
            bench.module.remove_copy(FakeContext(), wanted)
        bench.module.power_off(FakeContext(), target)
    bench.module.remove(FakeContext(), target)
    bench.module.remove_copy(FakeContext(), wanted)
    assert not _copy(bench, "ds2", 30).parent.exists()
    bench.module.remove_copy(FakeContext(), wanted)


def test_a_copy_is_kept_for_a_disk_that_no_machine_has(bench: Bench, linked: Target) -> None:
    """Somebody has unregistered the machine, to register it again later."""
    wanted = job(bench, revision=31)
    target = replace(linked, storage="ds2", copy=bench.module.make_copy(FakeContext(), wanted).path)
    bench.load(target)
    bench.module.power_off(FakeContext(), target)
    [machine] = bench.machines(target.computer)
    machine.ref.UnregisterVM()
    with pytest.raises(StepFailed, match=r"the disk \[ds2\] vclab/.*, which no machine has, is made from debian-12/31"):
        bench.module.remove_copy(FakeContext(), wanted)
    assert _copy(bench, "ds2", 31).exists()


def test_a_copy_is_kept_for_a_machine_of_others(bench: Bench) -> None:
    wanted = job(bench, revision=32)
    path = bench.module.make_copy(FakeContext(), wanted).path
    kinds = vim.vm.device
    parent = kinds.VirtualDisk.FlatVer2BackingInfo(fileName=path, diskMode="persistent")
    backing = kinds.VirtualDisk.FlatVer2BackingInfo(
        fileName="[ds2] theirs/x.vmdk", diskMode="persistent", parent=parent
    )
    bench.simulator.datastore("ds2").joinpath("theirs").mkdir()
    spec = kinds.VirtualDeviceSpec
    scsi = kinds.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus="noSharing")
    disk = kinds.VirtualDisk(key=-1, controllerKey=1000, unitNumber=0, capacityInKB=0, backing=backing)
    changes = [spec(operation="add", device=scsi), spec(operation="add", fileOperation="create", device=disk)]
    bench.foreign("their-child", "[ds2] theirs/x.vmx", deviceChange=changes)
    with pytest.raises(StepFailed, match="the disk of their-child is made from debian-12/32"):
        bench.module.remove_copy(FakeContext(), wanted)


@pytest.mark.parametrize("keep_parents", [True, False])
def test_a_copy_can_be_deleted_wherever_it_is(tmp_path: Path, keep_parents: bool) -> None:
    """Also where a disk that has had children can't be deleted as a disk, for ever."""
    bench = Bench(tmp_path, keep_parents)
    try:
        wanted = job(bench)
        target = bench.target(storage="ds2", copy=bench.module.make_copy(FakeContext(), wanted).path, dedicated=False)
        bench.load(target)
        bench.module.remove(FakeContext(), target)
        bench.module.remove_copy(FakeContext(), wanted)
        assert not _copy(bench, "ds2").parent.exists()
    finally:
        bench.close()


def _copy(bench: Bench, storage: str, revision: int = 1) -> Path:
    return bench.simulator.datastore(storage) / f"vclab/images.of_vclab/debian-12.{revision}/disk.vmdk"
