"""Disks come and go as streamOptimized VMDKs under a lease, with the bytes that were sent."""

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


def test_an_empty_child_is_exported_as_its_parent(center: Center, tmp_path: Path) -> None:
    machine = child(center, "c1", 1, parent="[ds1] vclab-images/there/1/disk.vmdk")
    lease = ready(machine.ExportVm())
    (tmp_path / "got.vmdk").write_bytes(open_url(center, lease))
    lease.HttpNfcLeaseComplete()
    words = ["qemu-img", "convert", "-f", "vmdk", "-O", "raw", str(tmp_path / "got.vmdk"), str(tmp_path / "got.raw")]
    subprocess.run(words, check=True)
    with (tmp_path / "got.raw").open("rb") as opened:
        assert opened.read(len(CONTENT)) == CONTENT
    wait(machine.PowerOnVM_Task())
    with pytest.raises(vim.fault.InvalidPowerState):
        machine.ExportVm()
