"""The lab's vCenter does what the drivers and the lab count on: pyvmomi against the real program."""

import base64
import random
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyVim.connect
import pyVmomi

from tests.vcsim import VcsimProcess

vim: Any = pyVmomi.vim
vmodl: Any = pyVmomi.vmodl
connect: Any = pyVim.connect

MASTER = "vclab-images/debian-12/1/disk.vmdk"
UUID = "11111111-2222-3333-4444-{:012d}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VcsimProcess]:
    vcsim = VcsimProcess(
        tmp_path_factory.mktemp("vcsim"),
        hosts={"esx1": (8, 16384), "esx2": (12, 32768)},
        datastores={"ds1": 40, "ds2": 10},
    ).start()
    vcsim.master("ds1", MASTER, gib=4)
    yield vcsim
    vcsim.stop()


@pytest.fixture
def center(running: VcsimProcess) -> Iterator["Center"]:
    running.control("DELETE", "/fault")
    client = Center(running)
    yield client
    client.clean()


class Center:
    """What a client does, in few words."""

    def __init__(self, vcsim: VcsimProcess) -> None:
        self.vcsim = vcsim
        self.si: Any = login(vcsim)
        self.content = self.si.content
        self.dc = self.content.rootFolder.childEntity[0]

    def disk(self, name: str, datastore: str = "ds1") -> Any:
        """Start to copy the master for a machine."""
        path = f"[{datastore}] vclab/{name}"
        self.content.fileManager.MakeDirectory(path, self.dc, True)
        disks = self.content.virtualDiskManager
        return disks.CopyVirtualDisk_Task(f"[ds1] {MASTER}", self.dc, f"{path}/{name}.vmdk", self.dc, None, False)

    def spec(self, name: str, number: int) -> Any:
        kinds = vim.vm.device
        scsi = kinds.ParaVirtualSCSIController(key=1000, busNumber=0, sharedBus="noSharing")
        file = kinds.VirtualDisk.FlatVer2BackingInfo(fileName=f"[ds1] vclab/{name}/{name}.vmdk", diskMode="persistent")
        disk = kinds.VirtualDisk(key=-1, controllerKey=1000, unitNumber=0, capacityInKB=4 << 20, backing=file)
        cards = [
            kinds.VirtualVmxnet3(
                key=-10 - index,
                addressType="manual",
                macAddress=f"02:76:63:0{index}:00:{number:02x}",
                backing=kinds.VirtualEthernetCard.NetworkBackingInfo(deviceName=network),
            )
            for index, network in enumerate(("private", "public"))
        ]
        return vim.vm.ConfigSpec(
            name=name,
            numCPUs=2,
            memoryMB=1024,
            guestId="debian12_64Guest",
            annotation=f"made for {name}",
            instanceUuid=UUID.format(number),
            files=vim.vm.FileInfo(vmPathName=f"[ds1] vclab/{name}/{name}.vmx"),
            extraConfig=[vim.option.OptionValue(key="vclab.computer", value=name)],
            deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="add", device=d) for d in (scsi, disk, *cards)],
        )

    def create(self, name: str, number: int = 1, host: str = "esx1", folder: Any = None) -> Any:
        """A machine with a disk of its own."""
        wait(self.disk(name))
        resource = next(cr for cr in self.dc.hostFolder.childEntity if cr.name == host)
        task = (folder or self.dc.vmFolder).CreateVM_Task(
            self.spec(name, number), resource.resourcePool, self.host(host)
        )
        return wait(task)

    def host(self, name: str) -> Any:
        return next(cr for cr in self.dc.hostFolder.childEntity if cr.name == name).host[0]

    def free(self, datastore: str = "ds1") -> int:
        """Free GiB."""
        gib: int = next(ds for ds in self.dc.datastore if ds.name == datastore).summary.freeSpace >> 30
        return gib

    def find(self, number: int) -> Any:
        return self.content.searchIndex.FindByUuid(None, UUID.format(number), True, True)

    def clean(self) -> None:
        for machine in vms(self.dc.vmFolder):
            if machine.runtime.powerState == "poweredOn":
                wait(machine.PowerOffVM_Task())
            wait(machine.Destroy_Task())
        for datastore in self.dc.datastore:
            folder = f"[{datastore.name}] vclab"
            if self.vcsim.datastore(datastore.name).joinpath("vclab").exists():
                wait(self.content.fileManager.DeleteDatastoreFile_Task(folder, self.dc))
        connect.Disconnect(self.si)


def login(vcsim: VcsimProcess, password: str | None = None) -> Any:
    context = ssl._create_unverified_context()
    return connect.SmartConnect(
        host=vcsim.address, port=vcsim.port, user=vcsim.user, pwd=password or vcsim.password, sslContext=context
    )


def wait(task: Any, within: float = 15.0) -> Any:
    """A task's result; raises its error."""
    deadline = time.monotonic() + within
    while (info := task.info).state in ("queued", "running"):
        assert time.monotonic() < deadline, f"{info.descriptionId} still runs"
        time.sleep(0.01)
    if info.state == "error":
        raise info.error
    return info.result


def vms(folder: Any) -> list[Any]:
    """The machines in a folder and below."""
    found = []
    for child in folder.childEntity:
        found += vms(child) if isinstance(child, vim.Folder) else [child]
    return found


def test_a_second_one_says_what_is_in_its_way(running: VcsimProcess, tmp_path: Path) -> None:
    same_journal = VcsimProcess(running.folder)
    same_port = VcsimProcess(tmp_path)
    same_port.port = running.port
    for other, why in ((same_journal, "in use by another vcsim"), (same_port, "address already in use")):
        done = subprocess.run(other.command(), capture_output=True, text=True, timeout=10)
        assert done.returncode == 1
        assert why in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_wrong_password_is_refused(running: VcsimProcess) -> None:
    with pytest.raises(vim.fault.InvalidLogin):
        login(running, "wrong")


def test_nothing_is_told_to_who_has_not_logged_in(center: Center) -> None:
    stub = center.si._stub
    cookie, stub.cookie = stub.cookie, ""
    with pytest.raises(vim.fault.NotAuthenticated):
        filter_spec = vim.PropertyCollector.FilterSpec(
            objectSet=[vim.PropertyCollector.ObjectSpec(obj=center.dc)],
            propSet=[vim.PropertyCollector.PropertySpec(type=vim.Datacenter, pathSet=["name"])],
        )
        center.content.propertyCollector.RetrieveContents([filter_spec])
    with pytest.raises(vim.fault.NotAuthenticated):
        _ = center.dc.name
    stub.cookie = cookie
    assert center.dc.name == "DC0"


def test_datastore_files_need_the_password(running: VcsimProcess) -> None:
    context = ssl._create_unverified_context()
    url = f"https://{running.address}:{running.port}/folder/{MASTER}?dcPath=DC0&dsName=ds1"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url, context=context)
    login = base64.b64encode(f"{running.user}:{running.password}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {login}"})
    with urllib.request.urlopen(request, context=context) as answer:
        assert b"vclab.rootfs" in answer.read()


def test_the_certificate_is_the_one_that_was_given(running: VcsimProcess) -> None:
    import hashlib

    pem = ssl.get_server_certificate((running.address, running.port))
    assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == running.fingerprint


def test_hosts_and_datastores_are_as_big_as_they_were_ordered(center: Center) -> None:
    for name, threads, memory in (("esx1", 8, 16384), ("esx2", 12, 32768)):
        host = center.host(name)
        assert host.hardware.cpuInfo.numCpuThreads == host.summary.hardware.numCpuThreads == threads
        assert host.hardware.memorySize >> 20 == host.summary.hardware.memorySize >> 20 == memory
        assert {ds.name: ds.summary.capacity >> 30 for ds in host.datastore} == {"ds1": 40, "ds2": 10}
        assert {"private", "public"} <= {network.name for network in host.network}
        host.datastore[0].RefreshDatastore()
        assert host.datastore[0].summary.capacity >> 30 in (40, 10)
        assert host.runtime.connectionState == "connected"


def test_a_machine_takes_and_gives_back_its_disk(center: Center) -> None:
    before = center.free()
    machine = center.create("m1")
    assert before - center.free() in (4, 5)
    assert "vclab.rootfs = debian-12" in center.vcsim.datastore("ds1").joinpath("vclab/m1/m1.vmdk").read_text()
    wait(machine.Destroy_Task())
    assert center.free() == before
    assert not center.vcsim.datastore("ds1").joinpath("vclab/m1").exists()
    assert center.vcsim.wait_event(event="removed")["uuid"] == UUID.format(1)


def test_power_on_tells_the_hypervisor_what_to_run(center: Center) -> None:
    machine = center.create("m2", 2, host="esx2")
    wait(machine.PowerOnVM_Task())
    event = center.vcsim.wait_event(event="power", name="m2", state="poweredOn")
    assert event["uuid"] == UUID.format(2)
    assert (event["host"], event["cpus"], event["memory_mb"]) == ("esx2", 2, 1024)
    assert event["disks"] == [str(center.vcsim.datastore("ds1") / "vclab/m2/m2.vmdk")]
    assert event["nics"] == [
        {"mac": "02:76:63:00:00:02", "network": "private", "connected": True},
        {"mac": "02:76:63:01:00:02", "network": "public", "connected": True},
    ]
    wait(machine.ResetVM_Task())
    center.vcsim.wait_event(name="m2", state="reset")
    assert machine.runtime.powerState == "poweredOn"
    wait(machine.PowerOffVM_Task())
    center.vcsim.wait_event(name="m2", state="poweredOff")


def test_guest_facts_come_and_go(center: Center) -> None:
    machine = center.create("m3", 3)
    wait(machine.PowerOnVM_Task())
    with pytest.raises(vim.fault.ToolsUnavailable):
        machine.ShutdownGuest()
    ips = [
        {"mac": "02:76:63:00:00:03", "address": "fd00::3"},
        {"mac": "02:76:63:00:00:03", "address": "10.77.0.3"},
        {"mac": "02:76:63:01:00:03", "address": "203.0.113.3"},
    ]
    report = {"uuid": UUID.format(3), "ips": ips, "hostname": "m3", "tools": "guestToolsRunning"}
    center.vcsim.control("POST", "/guest", report)
    guest = machine.guest
    assert (guest.ipAddress, guest.hostName, guest.toolsRunningStatus) == ("10.77.0.3", "m3", "guestToolsRunning")
    assert {card.macAddress: list(card.ipAddress) for card in guest.net} == {
        "02:76:63:00:00:03": ["fd00::3", "10.77.0.3"],
        "02:76:63:01:00:03": ["203.0.113.3"],
    }
    assert machine.summary.guest.ipAddress == "10.77.0.3"
    machine.ShutdownGuest()
    center.vcsim.wait_event(name="m3", state="poweredOff")
    deadline = time.monotonic() + 5
    while machine.runtime.powerState != "poweredOff":
        assert time.monotonic() < deadline
    assert not machine.guest.ipAddress
    assert [list(card.ipAddress) for card in machine.guest.net] == [[], []]


def test_a_guest_shuts_itself_down(center: Center) -> None:
    machine = center.create("m12", 12)
    wait(machine.PowerOnVM_Task())
    center.vcsim.control("POST", "/power", {"uuid": UUID.format(12), "state": "poweredOff"})
    assert machine.runtime.powerState == "poweredOff"
    center.vcsim.wait_event(name="m12", state="poweredOff")


def test_one_that_is_made_anew_shuts_itself_down(center: Center) -> None:
    """What is said of its instance UUID is not said of the one that is gone."""
    for _ in range(5):
        machine = center.create("m13", 13)
        wait(machine.PowerOnVM_Task())
        center.vcsim.control("POST", "/power", {"uuid": UUID.format(13), "state": "poweredOff"})
        assert machine.runtime.powerState == "poweredOff"
        wait(machine.Destroy_Task())


def test_no_disk_space_is_a_task_error(center: Center) -> None:
    for name in ("a", "b"):
        wait(center.disk(name, "ds2"))
    with pytest.raises(vim.fault.NoDiskSpace) as really_full:
        wait(center.disk("c", "ds2"))
    assert "ds2" in really_full.value.msg
    center.vcsim.control("POST", "/fault", {"kind": "no_space", "datastore": "ds1"})
    with pytest.raises(vim.fault.NoDiskSpace):
        wait(center.disk("d"))
    center.vcsim.control("DELETE", "/fault")
    wait(center.disk("e"))


def test_a_host_refuses_power_on_as_often_as_it_was_told(center: Center) -> None:
    machine = center.create("m4", 4)
    center.vcsim.control("POST", "/fault", {"kind": "power_on", "host": "esx1", "count": 2})
    for _ in range(2):
        with pytest.raises(vim.fault.InsufficientResourcesFault):
            wait(machine.PowerOnVM_Task())
    wait(machine.PowerOnVM_Task())


def test_a_host_in_maintenance_or_disconnected_refuses_power_on(center: Center) -> None:
    machine = center.create("m5", 5)
    host = center.host("esx1")
    wait(host.EnterMaintenanceMode_Task(0))
    with pytest.raises(vim.fault.InvalidState):
        wait(machine.PowerOnVM_Task())
    wait(host.ExitMaintenanceMode_Task(0))
    wait(host.DisconnectHost_Task())
    with pytest.raises(vmodl.fault.HostNotConnected):
        wait(machine.PowerOnVM_Task())
    wait(host.ReconnectHost_Task())
    wait(machine.PowerOnVM_Task())


def test_a_slow_copy_is_seen_to_run_and_can_be_cancelled(center: Center) -> None:
    center.vcsim.control("POST", "/fault", {"kind": "copy_delay", "ms": 20000})
    free = center.free()
    task = center.disk("m6")
    deadline = time.monotonic() + 5
    while not task.info.progress:
        assert time.monotonic() < deadline
    assert task.info.state == "running"
    assert task.info.cancelable
    assert task in center.content.taskManager.recentTask
    assert center.free() < free  # reserved
    begin = time.monotonic()
    center.vcsim.control("DELETE", "/fault")
    machine = center.create("m7", 7)  # others go on meanwhile
    wait(machine.PowerOnVM_Task())
    assert time.monotonic() - begin < 15
    task.CancelTask()
    with pytest.raises(vmodl.fault.RequestCanceled):
        wait(task)
    assert task.info.cancelled
    partial = center.vcsim.datastore("ds1") / "vclab/m6/m6.vmdk"
    assert partial.exists()
    assert "vclab.rootfs" not in partial.read_text()
    disks = center.content.virtualDiskManager
    with pytest.raises(vim.fault.FileAlreadyExists):
        wait(disks.CopyVirtualDisk_Task(f"[ds1] {MASTER}", center.dc, "[ds1] vclab/m6/m6.vmdk", center.dc, None, False))
    wait(disks.DeleteVirtualDisk_Task("[ds1] vclab/m6/m6.vmdk", center.dc))
    assert not partial.exists()


def test_what_cannot_be_cancelled_says_so_and_a_delayed_task_can_be_read(center: Center) -> None:
    machine = center.create("m8", 8)
    center.vcsim.control("POST", "/fault", {"kind": "task_delay", "task": "PowerOn", "ms": 700})
    task = machine.PowerOnVM_Task()
    assert machine.runtime.powerState == "poweredOff"  # reads go on while the task waits
    assert task.info.state == "running"
    with pytest.raises(vmodl.fault.NotSupported):
        task.CancelTask()
    wait(task)
    assert machine.runtime.powerState == "poweredOn"


def test_bad_requests_fail_and_the_server_lives(center: Center) -> None:
    resource = center.dc.hostFolder.childEntity[0]
    wait(center.disk("bad"))

    def refused(change: Any, fault: Any) -> None:
        spec = center.spec("bad", 9)
        change(spec)
        with pytest.raises(fault):
            wait(center.dc.vmFolder.CreateVM_Task(spec, resource.resourcePool, resource.host[0]))

    def disk(spec: Any) -> Any:
        return spec.deviceChange[1].device.backing

    refused(lambda s: setattr(s.files, "vmPathName", "[nowhere] x/x.vmx"), vim.fault.InvalidDatastorePath)
    refused(lambda s: setattr(s.files, "vmPathName", "[ds1] x.vmx"), vim.fault.InvalidDatastorePath)
    refused(lambda s: setattr(disk(s), "fileName", "[ds1] vclab/bad/none.vmdk"), vim.fault.FileNotFound)
    refused(lambda s: setattr(s.deviceChange[2].device.backing, "deviceName", "no net"), vim.fault.InvalidDeviceBacking)
    machine = center.create("good", 10)
    spec = center.spec("good", 11)
    with pytest.raises(vim.fault.DuplicateName):
        wait(center.dc.vmFolder.CreateVM_Task(spec, resource.resourcePool, resource.host[0]))
    wait(machine.PowerOnVM_Task())
    with pytest.raises(vim.fault.FileLocked):
        wait(center.content.virtualDiskManager.DeleteVirtualDisk_Task("[ds1] vclab/good/good.vmdk", center.dc))
    with pytest.raises(vim.fault.FileLocked):
        wait(center.content.fileManager.DeleteDatastoreFile_Task("[ds1] vclab/good", center.dc))
    disks, own, to = center.content.virtualDiskManager, "[ds1] vclab/good/good.vmdk", "[ds1] vclab/good/copy.vmdk"
    with pytest.raises(vim.fault.FileLocked):
        wait(disks.CopyVirtualDisk_Task(own, center.dc, to, center.dc, None, False))
    with pytest.raises(vim.fault.InvalidPowerState):
        machine.ExportVm()
    with pytest.raises(RuntimeError, match="unknown kind"):
        center.vcsim.control("POST", "/fault", {"kind": "fire"})


def test_a_half_copied_or_lost_disk_does_not_boot(center: Center) -> None:
    machine = center.create("half", 13)
    disk = center.vcsim.datastore("ds1") / "vclab/half/half.vmdk"
    disk.write_text("# Disk DescriptorFile\n")
    with pytest.raises(vim.fault.InvalidDiskFormat):
        wait(machine.PowerOnVM_Task())
    disk.unlink()
    with pytest.raises(vim.fault.FileNotFound, match=r"\[ds1\] vclab/half/half.vmdk"):
        wait(machine.PowerOnVM_Task())


def test_files_move_and_are_found(center: Center) -> None:
    wait(center.disk("f"))
    disks, files = center.content.virtualDiskManager, center.content.fileManager
    wait(disks.MoveVirtualDisk_Task("[ds1] vclab/f/f.vmdk", center.dc, "[ds1] vclab/f/g.vmdk", center.dc, False, None))
    wait(files.MoveDatastoreFile_Task("[ds1] vclab/f/g.vmdk", center.dc, "[ds1] vclab/f/h.vmdk", center.dc, False))
    browser = next(ds for ds in center.dc.datastore if ds.name == "ds1").browser
    result = wait(browser.SearchDatastore_Task("[ds1] vclab/f", None))
    assert {file.path for file in result.file} == {"h.vmdk", "g-flat.vmdk"}
    with pytest.raises(vim.fault.FileNotFound):
        wait(files.DeleteDatastoreFile_Task("[ds1] vclab/f/none", center.dc))


def facts(machine: Any) -> dict[str, Any]:
    """All that must survive."""
    config = machine.config
    devices = [
        (type(d).__name__, d.key, d.controllerKey, d.unitNumber, getattr(d, "macAddress", None))
        for d in config.hardware.device
    ]
    return {
        "name": machine.name,
        "folder": machine.parent.name,
        "host": machine.runtime.host.name,
        "power": machine.runtime.powerState,
        "uuids": (config.uuid, config.instanceUuid),
        "size": (config.hardware.numCPU, config.hardware.memoryMB),
        "annotation": config.annotation,
        "guest": config.guestId,
        "extra": {o.key: o.value for o in config.extraConfig},
        "files": config.files.vmPathName,
        "disks": [d.backing.fileName for d in config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk)],
        "devices": sorted(devices, key=str),
        "networks": sorted(network.name for network in machine.network),
    }


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "stopped"])
def test_machines_are_there_again_after_a_restart(tmp_path: Path, kill: bool) -> None:
    vcsim = VcsimProcess(tmp_path).start()
    try:
        vcsim.master("ds1", MASTER, gib=4)
        center = Center(vcsim)
        folder = center.dc.vmFolder.CreateFolder("vclab").CreateFolder("sub")
        center.dc.vmFolder.CreateFolder("empty")
        machines = [center.create(f"m{n}", n, host=f"esx{1 + n % 2}", folder=folder) for n in range(1, 4)]
        wait(machines[0].PowerOnVM_Task())
        wait(machines[1].PowerOnVM_Task())
        change = vim.vm.ConfigSpec(
            memoryMB=2048, extraConfig=[vim.option.OptionValue(key="vclab.generation", value="7")]
        )
        wait(machines[1].ReconfigVM_Task(change))
        foreign = center.spec("foreign", 8)  # as `govc vm.create` makes one: with a new disk, and paths made up
        foreign.files.vmPathName = "[ds2]"
        foreign.deviceChange[1].fileOperation = "create"
        foreign.deviceChange[1].device.backing.fileName = ""
        resource = center.dc.hostFolder.childEntity[0]
        wait(center.dc.vmFolder.CreateVM_Task(foreign, resource.resourcePool, None))
        gone = center.create("gone", 9)
        wait(gone.Destroy_Task())
        wait(center.host("esx2").EnterMaintenanceMode_Task(0))
        before = [facts(machine) for machine in [*machines, center.find(8)]]
        free = center.free()

        vcsim.restart(kill)
        center = Center(vcsim)
        after = [facts(center.find(n)) for n in (1, 2, 3, 8)]
        assert after == before
        assert after[1]["size"] == (2, 2048)
        assert center.free() == free
        assert center.find(9) is None
        assert center.host("esx2").runtime.inMaintenanceMode
        assert {child.name for child in center.dc.vmFolder.childEntity} == {"vclab", "empty", "foreign"}
        vcsim.wait_event(event="power", name="m2", state="poweredOn")
        assert {event["name"] for event in vcsim.events} == {"m1", "m2"}
        wait(center.find(1).PowerOffVM_Task())
        wait(center.find(1).Destroy_Task())
    finally:
        vcsim.stop()


def test_a_kill_at_any_moment_loses_nothing_that_was_told(tmp_path: Path) -> None:
    vcsim = VcsimProcess(tmp_path).start()
    vcsim.master("ds1", MASTER, gib=1)
    chance = random.Random(7)
    power: dict[int, str] = {}  #: what we were told last
    unsure: set[int] = set()  #: asked for, but not told before the kill
    number = 0
    try:
        for _ in range(6):
            center = Center(vcsim)
            threading.Timer(chance.uniform(0.05, 0.5), vcsim.kill).start()
            try:
                while True:
                    number += 1
                    unsure = {number}
                    machine = center.create(f"k{number}", number)
                    power[number] = "poweredOff"
                    wait(machine.PowerOnVM_Task())
                    power[number] = "poweredOn"
                    old = next((n for n in power if n != number), None)
                    if old and chance.random() < 0.5:
                        unsure.add(old)
                        victim = center.find(old)
                        if victim.runtime.powerState == "poweredOn":
                            wait(victim.PowerOffVM_Task())
                        wait(victim.Destroy_Task())
                        del power[old]
            except (OSError, AssertionError) as error:
                assert not isinstance(error, AssertionError), error
            vcsim.restart()
            center = Center(vcsim)
            found = {int(vm.config.instanceUuid[-12:]): vm.runtime.powerState for vm in vms(center.dc.vmFolder)}
            sure = set(power) - unsure
            assert {n: state for n, state in found.items() if n in sure} == {n: power[n] for n in sure}
            assert set(found) - sure <= unsure
            power = dict(found)
            number = max([number, *found])
        assert "is not restored" not in vcsim.log
    finally:
        vcsim.stop()
