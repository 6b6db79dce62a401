"""Nodes of bare metal, each by itself on a provisioning network: what boots, by what boot device and disk say."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.netboot.bench import CARD, Log, Provisioning, provisioning, run
from vclab.imaging import sender
from vclab.lab import disks, processes, rootfs
from vclab.lab.bmcs import IPMI_USUAL, REDFISH_USUAL, Fault, Node, Runs, write
from vclab.lab.machines import Card
from vclab.lab.nodes import Chassis, Hardware, Place
from vclab.library import block_map
from vclab.netboot import environment
from vclab.netboot.load import load_initrd, new_host_key
from vclab.netboot.nodes import Load, publish
from vclab.netboot.values import Node as Listed
from vclab.netboot.values import State

MAC, ADDRESS, NAME = "02:76:6d:00:00:01", "10.78.0.51", "load-7"
GB, SERIAL = 2, "VC0001"
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and loop devices need root"),
    pytest.mark.timeout(300),
]


def tell(text: str) -> None:
    print(text, file=sys.stderr)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of who may log in."""
    key = tmp_path_factory.mktemp("keys") / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    return key


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Path:
    """A raw disk with a system that boots."""
    folder = tmp_path_factory.mktemp("system")
    rootfs.make_layer(folder / "layer", key.with_suffix(".pub").read_text())
    disks.make_master(folder / "disk.vmdk", rootfs.tree(tell), folder / "layer", GB)
    return disks.data_of(folder / "disk.vmdk", child=False)


class Bench:
    """A node, and the network that it boots from."""

    def __init__(self, network: Provisioning, chassis: Chassis, key: Path) -> None:
        self.network = network
        self.chassis = chassis
        self.node = chassis.node
        self.key = key
        self.environment = publish(network.network.root, environment.environment(tell))

    def image(self) -> str:
        """Have the imaging environment boot; the public host key of this load."""
        private, public = new_host_key()
        initrd = load_initrd(private, [self.key.with_suffix(".pub").read_text()], NAME)
        self.network.nodes.set(MAC, State.IMAGE, Load(self.environment, NAME, initrd))
        return public

    def until(self, wanted: Callable[[], object], seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not wanted():
            assert time.monotonic() < deadline, self.console()[-3000:]
            time.sleep(0.05)

    def runs(self, wanted: Runs, seconds: float = 30.0) -> None:
        self.until(lambda: self.node.runs is wanted, seconds)

    def console(self) -> str:
        try:
            return self.chassis.console_log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def says(self, text: str, times: int = 1) -> None:
        self.until(lambda: self.console().count(text) >= times)

    def host_key(self) -> str:
        """What its SSH server shows; empty while it has none."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.network.tag, "ssh-keyscan", "-T", "2", "-t", "ed25519", ADDRESS],
            capture_output=True,
            text=True,
        )
        return " ".join(done.stdout.split()[1:3])

    def answers(self, host_key: str) -> None:
        self.until(lambda: self.host_key() == host_key)

    def words(self, host_key: str) -> tuple[str, ...]:
        """Those of ``ssh`` to it."""
        known = self.chassis.node.folder / "known_hosts"
        known.write_text(f"{ADDRESS} {host_key}\n")
        options = (f"UserKnownHostsFile={known}", "GlobalKnownHostsFile=/dev/null", "BatchMode=yes")
        words = ("ip", "netns", "exec", self.network.tag, "ssh", "-F", "/dev/null", "-i", str(self.key))
        return (*words, *(f"-o{option}" for option in options), f"root@{ADDRESS}")

    def ssh(self, host_key: str, *command: str) -> str:
        done = self.network.ssh(ADDRESS, host_key, self.key, *command)
        assert done.returncode == 0, (done.stderr, self.console()[-2000:])
        return done.stdout


@contextmanager
def benches(folder: Path, key: Path, **more: object) -> Iterator[Bench]:
    with ExitStack() as stack:
        network = stack.enter_context(provisioning())
        network.nodes.enlist(network.network, Listed(MAC, "metal01", ADDRESS))
        network.log.wait_for("hosts/02-76-6d-00-00-01", 10)
        node = Node(folder / "metal01", "metal01", "127.0.0.1", 623)
        node.make()
        hardware = Hardware(SERIAL, 3 << 30, (Card(MAC, CARD),), **more)  # type: ignore[arg-type]
        chassis = Chassis(node, hardware, Place(network.tag, folder / "root"))
        chassis.start()
        stack.callback(chassis.close)
        yield Bench(network, chassis, key)


@pytest.fixture
def bench(tmp_path: Path, key: Path) -> Iterator[Bench]:
    with benches(tmp_path, key) as made:
        yield made


def install(bench: Bench, system: Path) -> None:
    """Its disk holds a system."""
    run("cp", "--sparse=always", str(system), str(bench.chassis.disk))
    with bench.chassis.disk.open("r+b") as disk:
        disk.truncate(bench.chassis.hardware.disk_bytes)


@pytest.mark.parametrize(("sector", "efi"), [(512, False), (4096, True)])
def test_it_boots_the_imaging_environment_with_the_host_key_of_its_load(
    tmp_path: Path, key: Path, sector: int, efi: bool
) -> None:
    with benches(tmp_path, key, sector=sector, efi=efi) as bench:
        public = bench.image()
        bench.node.switch(True)
        bench.answers(public)
        assert bench.node.runs is Runs.IMAGING
        fetched = "grubx64.efi" if efi else "boot.ipxe"
        assert fetched in bench.console()
        script = f"""
            lsblk -bdno NAME,SIZE,LOG-SEC,SERIAL,MODEL; readlink /dev/disk/by-id/ata-VCLAB_{SERIAL}
            cat /sys/class/net/*/address; ls -d /sys/firmware/efi; blockdev --getsize64 /dev/sda
        """
        seen = bench.ssh(public, script).split()
        wanted = ["sda", str(3 << 30), str(sector), SERIAL, "VCLAB-DISK", "../../sda", "00:00:00:00:00:00", MAC]
        assert sorted(seen) == sorted([*wanted, *(["/sys/firmware/efi"] if efi else []), str(3 << 30)])


def test_it_boots_what_is_on_its_disk_and_obeys_its_system(bench: Bench, system: Path) -> None:
    bench.network.nodes.set(MAC, State.BOOT)
    install(bench, system)
    bench.node.switch(True)
    bench.runs(Runs.DISK)
    assert "undionly.kpxe is not to be had by TFTP" in bench.console(), "the network was asked first"
    bench.until(bench.host_key)
    key = bench.host_key()
    assert (
        bench.ssh(key, "hostname; cat /etc/debian_version; touch /root/mine; sync; cat /proc/1/comm").split()[2]
        == "init"
    )
    first = bench.ssh(key, "cat /proc/sys/kernel/random/boot_id")

    bench.ssh(key, "nohup sh -c 'sleep 0.2; reboot' >/dev/null 2>&1 &")
    bench.says("Booting from disk", 2)
    bench.until(bench.host_key)
    assert bench.node.power == "on"
    assert bench.host_key() == key
    assert bench.ssh(key, "ls /root/mine").strip() == "/root/mine"
    assert bench.ssh(key, "cat /proc/sys/kernel/random/boot_id") != first

    bench.ssh(key, "nohup sh -c 'sleep 0.2; poweroff' >/dev/null 2>&1 &")
    bench.until(lambda: bench.node.power == "off")
    bench.runs(Runs.OFF)

    bench.node.switch(True)
    bench.runs(Runs.DISK)
    bench.until(bench.host_key)
    bench.node.press()
    bench.says("the node has ended: power off", 2)
    assert bench.node.power == "off"


def test_what_is_streamed_to_it_boots(bench: Bench, system: Path) -> None:
    """By the product's own way: a block map, the receiver, reading back, fitting."""
    public = bench.image()
    bench.node.switch(True)
    bench.answers(public)
    found = block_map.make(system)
    node = sender.Node(f"/dev/disk/by-id/ata-VCLAB_{SERIAL}", bench.words(public))
    sender.place(node, found)
    sender.check(node)
    sender.write(node, system, found)
    sender.verify(node)
    done = sender.finish(node)
    assert (done.moved, done.grown) == (True, 1), done.text

    bench.network.nodes.set(MAC, State.BOOT)
    bench.node.cut()
    bench.runs(Runs.DISK)
    bench.until(lambda: bench.host_key() not in ("", public))
    assert int(bench.ssh(bench.host_key(), "df --output=size -B1M / | tail -1")) > 2500, "of 3 GiB"


@pytest.mark.parametrize("written", [0, 1 << 20, 40 << 20])
def test_a_half_written_disk_does_not_boot(bench: Bench, system: Path, written: int) -> None:
    bench.network.nodes.set(MAC, State.BOOT)
    with system.open("rb") as source, bench.chassis.disk.open("r+b") as disk:
        disk.write(source.read(written))
    bench.node.switch(True)
    bench.runs(Runs.NOTHING)
    why = "no valid partition table" if not written else "file system"
    assert why in bench.console(), bench.console()
    assert bench.node.power == "on"
    bench.node.switch(False)
    bench.runs(Runs.OFF)


def test_a_boot_device_for_one_boot_is_used_up_by_it(bench: Bench, system: Path) -> None:
    install(bench, system)
    bench.image()
    for boot, left in (("pxe", IPMI_USUAL), ("Pxe Once", REDFISH_USUAL)):
        write(bench.node.folder / "boot", boot)
        bench.node.switch(True)
        bench.runs(Runs.IMAGING)
        assert bench.node.boot == left
        bench.node.switch(False)
        bench.runs(Runs.OFF)
    bench.node.switch(True)  # by Redfish's usual one: its disk, whatever the network says
    bench.runs(Runs.DISK)
    assert bench.node.boot == REDFISH_USUAL
    write(bench.node.folder / "boot", "Pxe Continuous")
    bench.node.cut()  # a reset
    bench.runs(Runs.IMAGING)
    assert bench.node.boot == "Pxe Continuous"


def test_a_power_cut_ends_all_and_what_was_on_boots_again(bench: Bench, system: Path) -> None:
    bench.network.nodes.set(MAC, State.BOOT)
    install(bench, system)
    bench.node.switch(True)
    bench.runs(Runs.DISK)
    bench.until(bench.chassis.init)
    init = bench.chassis.init()
    bench.chassis.close()
    bench.until(lambda: not processes.started(init))
    assert bench.node.power == "on"
    bench.until(lambda: str(bench.chassis.disk) not in run("losetup", "--list", "--noheadings").stdout)
    again = Chassis(bench.node, bench.chassis.hardware, Place(bench.network.tag, bench.node.folder / "root"))
    again.start()
    try:
        bench.says("Booting from disk", 2)
    finally:
        again.close()


@pytest.mark.long
def test_disks_can_be_absent_read_only_or_failing(bench: Bench, system: Path) -> None:
    install(bench, system)
    faults = ((Fault.NO_DISK, 0), (Fault.READ_ONLY_DISK, 0), (Fault.FAILING_DISK, 1 << 20))
    for fault, amount in faults:
        bench.node.fault(fault, amount)
        public = bench.image()
        bench.node.switch(True)
        bench.answers(public)
        seen = bench.ssh(public, "ls /dev/sda; cat /sys/block/sda/ro; :")
        assert ("sda" in seen) == (fault is not Fault.NO_DISK)
        assert seen.split()[1:] == {Fault.NO_DISK: [], Fault.READ_ONLY_DISK: ["1"], Fault.FAILING_DISK: ["0"]}[fault]
        said = bench.ssh(public, "dd if=/dev/zero of=/dev/sda bs=1M count=9 conv=fsync 2>&1; :")
        assert {Fault.NO_DISK: "", Fault.READ_ONLY_DISK: "not permitted"}.get(fault, "error") in said, said
        bench.node.mend()
        bench.node.switch(False)
        bench.runs(Runs.OFF)


def test_another_dhcp_server_is_seen_on_the_console(bench: Bench) -> None:
    """One that knows nothing of booting."""
    bench.image()
    station = bench.network.station("52:54:00:00:01:01", "10.78.0.2")
    words = f"""dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces
        --dhcp-range=10.78.0.90,10.78.0.99,1h --dhcp-leasefile={bench.node.folder}/leases --user=root --pid-file
        --no-ping --log-facility=-"""
    Log(bench.network.inside(station, *words.split()).stderr).wait_for("started", 10)
    bench.node.switch(True)
    bench.runs(Runs.IMAGING)
    assert "another DHCP server answers, too: 10.78.0." in bench.console()


def test_nothing_stays_of_what_it_had_attached_when_its_power_was_cut(bench: Bench) -> None:
    public = bench.image()
    bench.node.switch(True)
    bench.answers(public)
    bench.ssh(public, "losetup --find --show --offset 1048576 /dev/sda")
    bench.node.switch(False)
    bench.runs(Runs.OFF)
    bench.until(lambda: str(bench.chassis.disk) not in run("losetup", "--list", "--noheadings").stdout)


def test_two_that_start_at_once_get_each_its_own(bench: Bench, tmp_path: Path) -> None:
    """Answers of DHCP are broadcast."""
    mac, address = "02:76:6d:00:00:02", "10.78.0.52"
    bench.network.nodes.enlist(bench.network.network, Listed(mac, "metal02", address))
    bench.network.log.wait_for("hosts/02-76-6d-00-00-02", 10)
    node = Node(tmp_path / "metal02", "metal02", "127.0.0.1", 624)
    node.make()
    place = Place(bench.network.tag, tmp_path / "root")
    other = Chassis(node, Hardware("VC0002", 3 << 30, (Card(mac, CARD),)), place)
    other.start()
    try:
        bench.image()
        bench.network.nodes.set(mac, State.BOOT)
        bench.node.switch(True)
        node.switch(True)
        bench.runs(Runs.IMAGING)
        bench.until(lambda: node.runs is Runs.NOTHING)
        assert f"PXE: address {ADDRESS} from" in bench.console()
        assert f"PXE: address {address} from" in other.console_log.read_text()
    finally:
        other.close()
