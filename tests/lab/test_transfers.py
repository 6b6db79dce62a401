"""Disks come and go as streamOptimized VMDKs under a lease, with the bytes that were sent."""

import http.client
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.test_chains import child, until
from tests.lab.test_vcsim import Center, vim, wait
from tests.vcsim import VcsimProcess

PARENT = "[ds1] vclab-images/there/1/disk.vmdk"
CONTENT = b"\x01" * (2 << 20) + bytes(6 << 20) + b"\x02" * (1 << 20)


@pytest.fixture
def center(tmp_path: Path) -> Iterator[Center]:
    vcsim = VcsimProcess(tmp_path, datastores={"ds1": 10})
    vcsim.master("ds1", "vclab-images/there/1/disk.vmdk", gib=1, content=CONTENT)
    yield Center(vcsim.start())
    vcsim.stop()


def open_url(center: Center, lease: Any, data: bytes | None = None) -> bytes:
    url = lease.info.deviceUrl[0].url.replace("*", center.vcsim.address)
    with urllib.request.urlopen(
        urllib.request.Request(url, data=data, method="POST" if data is not None else "GET"),
        context=ssl._create_unverified_context(),
    ) as answer:
        held: bytes = answer.read()
        return held


def importing(center: Center, name: str) -> Any:
    spec = center.spec(name, 1)
    spec.deviceChange[1].fileOperation = "create"
    spec.deviceChange[1].device.capacityInKB = 1 << 20
    center.content.fileManager.MakeDirectory(f"[ds1] vclab/{name}", center.dc, True)
    resource = next(cr for cr in center.dc.hostFolder.childEntity if cr.name == "esx1").resourcePool
    given = vim.vm.VmImportSpec(configSpec=spec)
    return ready(resource.ImportVApp(given, center.dc.vmFolder, center.host("esx1")))


def ready(lease: Any) -> Any:
    until(lambda: lease.state != "initializing")
    assert lease.state == "ready", lease.error
    return lease


def vmdk_of(folder: Path, content: bytes) -> bytes:
    raw, made = folder / "given.raw", folder / "given.vmdk"
    raw.write_bytes(content)
    words = ["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", str(raw), str(made)]
    subprocess.run(words, check=True)
    return made.read_bytes()


def test_what_is_sent_is_there_and_thin(center: Center, tmp_path: Path) -> None:
    lease = importing(center, "m1")
    with pytest.raises(vim.fault.InvalidState):  # nothing was sent yet
        lease.HttpNfcLeaseComplete()
    open_url(center, lease, vmdk_of(tmp_path, CONTENT))
    lease.HttpNfcLeaseComplete()
    flat = center.vcsim.datastore("ds1") / "vclab/m1/m1-flat.vmdk"
    assert flat.stat().st_size == 1 << 30
    assert flat.stat().st_blocks * 512 < 4 << 20
    with flat.open("rb") as opened:
        assert opened.read(len(CONTENT)) == CONTENT


def test_what_is_no_disk_is_refused_and_an_abort_leaves_nothing(center: Center) -> None:
    lease = importing(center, "m1")
    with pytest.raises(urllib.error.HTTPError):
        open_url(center, lease, b"this is not a disk")
    lease.HttpNfcLeaseAbort()
    until(lambda: not (center.vcsim.datastore("ds1") / "vclab/m1").exists())
    with pytest.raises(urllib.error.HTTPError):
        open_url_of(center, "https://*:{port}/nfc/no-such-lease/disk-0.vmdk")


def open_url_of(center: Center, url: str) -> None:
    url = url.replace("*", center.vcsim.address).format(port=center.vcsim.port)
    urllib.request.urlopen(url, context=ssl._create_unverified_context())


def raw_of(folder: Path, got: bytes) -> bytes:
    """The beginning of the disk that a VMDK holds."""
    (folder / "got.vmdk").write_bytes(got)
    words = ["qemu-img", "convert", "-f", "vmdk", "-O", "raw", str(folder / "got.vmdk"), str(folder / "got.raw")]
    subprocess.run(words, check=True)
    assert (folder / "got.raw").stat().st_size == 1 << 30
    with (folder / "got.raw").open("rb") as opened:
        return opened.read(len(CONTENT))


def test_an_empty_child_is_exported_as_its_parent(center: Center, tmp_path: Path) -> None:
    machine = child(center, "c1", 1, parent=PARENT)
    lease = ready(machine.ExportVm())
    assert raw_of(tmp_path, open_url(center, lease)) == CONTENT
    lease.HttpNfcLeaseProgress(50)
    assert raw_of(tmp_path, open_url(center, lease)) == CONTENT, "as often as one likes"
    url = lease.info.deviceUrl[0].url
    lease.HttpNfcLeaseComplete()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        open_url_of(center, url)
    wait(machine.PowerOnVM_Task())
    with pytest.raises(vim.fault.InvalidPowerState):
        machine.ExportVm()


def test_a_disk_of_its_own_is_exported_with_its_bytes(center: Center, tmp_path: Path) -> None:
    center.content.fileManager.MakeDirectory("[ds1] vclab/m1", center.dc, True)
    disks, own = center.content.virtualDiskManager, "[ds1] vclab/m1/m1.vmdk"
    wait(disks.CopyVirtualDisk_Task(PARENT, center.dc, own, center.dc, None, False))
    with (center.vcsim.datastore("ds1") / "vclab/m1/m1-flat.vmdk").open("r+b") as flat:
        flat.write(b"written since")
    pool = next(cr for cr in center.dc.hostFolder.childEntity if cr.name == "esx1").resourcePool
    machine = wait(center.dc.vmFolder.CreateVM_Task(center.spec("m1", 1), pool, center.host("esx1")))
    lease = ready(machine.ExportVm())
    assert raw_of(tmp_path, open_url(center, lease)) == b"written since" + CONTENT[13:]


def test_a_machine_whose_disk_is_sent_can_not_be_changed(center: Center) -> None:
    machine = child(center, "c1", 1, parent=PARENT)
    lease = ready(machine.ExportVm())
    for task in (
        machine.PowerOnVM_Task,
        machine.Destroy_Task,
        lambda: machine.ReconfigVM_Task(vim.vm.ConfigSpec(numCPUs=1)),
        lambda: machine.RelocateVM_Task(vim.vm.RelocateSpec(datastore=center.dc.datastore[0])),
    ):
        with pytest.raises(vim.fault.TaskInProgress):
            wait(task())
    for call in (machine.ExportVm, machine.UnregisterVM):
        with pytest.raises(vim.fault.TaskInProgress):
            call()
    lease.HttpNfcLeaseAbort()
    machine.UnregisterVM()
    assert (center.vcsim.datastore("ds1") / "vclab/c1/c1.vmdk").exists(), "an export that ends deletes nothing"


def test_a_transfer_can_break_off(center: Center) -> None:
    lease = ready(child(center, "c1", 1, parent=PARENT).ExportVm())
    center.vcsim.control("POST", "/fault", {"kind": "broken_transfer", "count": 1})
    with pytest.raises(http.client.IncompleteRead):
        open_url(center, lease)
    assert open_url(center, lease).startswith(b"KDMV")
