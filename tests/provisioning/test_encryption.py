"""Masters that no machine can be made from: encrypted ones, and disks of machines with encryption or a vTPM."""

from typing import Any

import pytest

from tests.provisioning.bench import MASTER, Bench
from tests.store.lab import image
from vclab.provisioning.enquiry import Answer
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.encryption import why_sealed
from vclab.provisioning.vsphere.enquiry import ask

TODO = "make the image on a machine without encryption and vTPM"


def asked(bench: Bench) -> Answer:
    return ask(bench.endpoint, bench.password, "vclab", [image("debian-12", 512)])


def machine(bench: Bench, *devices: Any, parent: bool = False) -> None:
    """A machine of others whose disk is the master, or a child of it."""
    kinds, add = vim.vm.device, vim.vm.device.VirtualDeviceSpec
    master = kinds.VirtualDisk.FlatVer2BackingInfo(fileName=f"[ds1] {MASTER}", diskMode="persistent")
    backing = master
    if parent:
        bench.simulator.datastore("ds1").joinpath("theirs").mkdir()
        backing = kinds.VirtualDisk.FlatVer2BackingInfo(
            fileName="[ds1] theirs/x.vmdk", diskMode="persistent", parent=master
        )
    scsi = kinds.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus="noSharing")
    disk = kinds.VirtualDisk(key=-1, controllerKey=1000, unitNumber=0, capacityInKB=0, backing=backing)
    changes = [add(operation="add", device=device) for device in (scsi, disk, *devices)]
    if parent:
        changes[1].fileOperation = "create"
    bench.foreign("template", deviceChange=changes)


def test_an_encrypted_master_is_refused(own_bench: Bench) -> None:
    assert asked(own_bench).masters["debian-12"] == {"ds1"}
    descriptor = own_bench.simulator.datastore("ds1") / MASTER
    descriptor.write_text(descriptor.read_text() + 'encryptionKeys="vmware:key/list/(pair/(fqid/a/b))"\n')
    answer = asked(own_bench)
    assert answer.masters["debian-12"] == set()
    assert f"debian-12: [ds1] {MASTER} is encrypted: {TODO}" in answer.missing


def test_the_disk_of_a_machine_with_a_vtpm_is_refused(own_bench: Bench) -> None:
    machine(own_bench, vim.vm.device.VirtualTPM(key=-2))
    answer = asked(own_bench)
    assert answer.masters["debian-12"] == set()
    assert f"debian-12: [ds1] {MASTER} is a disk of template, which has a vTPM: {TODO}" in answer.missing


@pytest.mark.parametrize("parent", [True, False])
def test_a_master_is_not_blamed_for_others(own_bench: Bench, parent: bool) -> None:
    """Somebody's child has a vTPM; or a machine without one has the master."""
    machine(own_bench, *([vim.vm.device.VirtualTPM(key=-2)] if parent else []), parent=parent)
    assert asked(own_bench).masters["debian-12"] == {"ds1"}


def test_an_encrypted_machine_is_known_by_its_key() -> None:
    key = vim.encryption.CryptoKeyId(keyId="k")
    assert why_sealed({"config.keyId": key}) == "is encrypted"
    assert why_sealed({}) == ""
