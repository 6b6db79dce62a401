"""What hardware a node has: read from sysfs as Linux shows it, and from this machine with disks of its own."""

import ast
import os
import struct
import sys
from importlib import resources
from pathlib import Path

import pytest

from tests.imaging.conftest import MIB
from tests.imaging.disks import blank, loop
from vclab.imaging import inspector
from vclab.imaging.efi import FOLDER, Variables, file_on_disk, load_option
from vclab.imaging.inspecting import inspect
from vclab.imaging.node import CARRIED, Node
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.nodes import BootEntry, DiskReport, NodeReport, chosen, report_of

PCI = "sys/devices/pci0000:00"
NETWORK = b"\x01\x01\x06\x00\x00\x03" + b"\x03\x0b\x25\x00" + bytes(33) + b"\x7f\xff\x04\x00"


class Tree:
    """A root with what the kernel shows of a machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._next = 16
        for folder in ("sys/block", "sys/class/net", "dev", "proc"):
            (root / folder).mkdir(parents=True)

    def write(self, path: str, held: str | bytes) -> None:
        """A file."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(held if isinstance(held, bytes) else f"{held}\n".encode())

    def disk(self, place: str, name: str, device: str, sectors: int, **files: str | bytes) -> None:
        """A disk whose entry lies in ``place``; ``device``: the folder of its device, empty: none."""
        self._next += 1
        try:
            os.mknod(self.root / "dev" / name, 0o660 | 0o060000, os.makedev(8, self._next))
        except PermissionError:
            pytest.skip("device files need root")
        entry = f"{place}/{name}"
        self.write(f"{entry}/dev", f"8:{self._next}")
        self.write(f"{entry}/size", str(sectors))
        for file, held in {"ro": "0", "queue/logical_block_size": "512", "queue/rotational": "1", **files}.items():
            self.write(
                f"{entry}/{file}" if file in ("ro", "wwid", "serial") or "/" in file else f"{device}/{file}", held
            )
        if device:
            (self.root / entry / "device").symlink_to(self.root / device)
        (self.root / "sys/block" / name).symlink_to(self.root / entry)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "root")


def page(serial: str) -> bytes:
    return b"\0\x80" + struct.pack(">H", len(serial)) + serial.encode()


def seen(tree: Tree) -> dict[str, DiskReport]:
    found = report_of({"disks": inspector.disks(tree.root)}).disks
    return {disk.path: disk for disk in found}


def test_disks_of_all_kinds_are_known_by_number_and_place(tree: Tree) -> None:
    unit = f"{PCI}/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0"
    tree.write(f"{PCI}/0000:00:1f.2/ata3/ata_port/ata3/port_no", "1")
    tree.disk(
        f"{unit}/block",
        "sda",
        unit,
        937_703_088,
        type="0",
        vendor="ATA     ",
        model="INTEL SSDSC2KB48",
        wwid="naa.55cd2e415098a1b2",
        vpd_pg80=page("    PHYF1234567890  "),
        **{"queue/rotational": "0"},
    )
    raid = f"{PCI}/0000:00:02.0/0000:02:00.0/host7/target7:2:0/7:2:0:0"
    (tree.root / PCI / "0000:00:02.0/0000:02:00.0/host6").mkdir(parents=True)
    tree.disk(f"{raid}/block", "sdb", raid, 4096, type="0", vendor="DELL", model="PERC H730", ro="1")
    stick = f"{PCI}/0000:00:14.0/usb1/1-1/1-1.2/1-1.2:1.0/host9/target9:0:0/9:0:0:0"
    tree.disk(f"{stick}/block", "sdc", stick, 8192, type="0", vendor="Kingston", model="DT", serial="never read")
    nvme = f"{PCI}/0000:00:1d.0/0000:03:00.0/nvme/nvme0"
    tree.disk(
        nvme, "nvme0n1", nvme, 1 << 20, serial=" S5G  ", wwid="eui.0025385", **{"queue/logical_block_size": "4096"}
    )
    tree.disk(f"{PCI}/0000:00:04.0/virtio1/block", "vda", f"{PCI}/0000:00:04.0/virtio1", 2048, serial="one\x1b[2J")

    disks = seen(tree)
    assert disks["/dev/sda"] == DiskReport(
        "/dev/sda",
        937_703_088 * 512,
        "PHYF1234567890",
        "0x55cd2e415098a1b2",
        "INTEL SSDSC2KB48",
        "ata",
        "pci-0000:00:1f.2-ata-1",
        ("wwn-0x55cd2e415098a1b2",),
    )
    assert (disks["/dev/sdb"].by_path, disks["/dev/sdb"].model) == ("pci-0000:02:00.0-scsi-1:2:0:0", "DELL PERC H730")
    assert disks["/dev/sdb"].read_only and disks["/dev/sdb"].transport == "scsi"
    assert disks["/dev/sdc"].by_path == "pci-0000:00:14.0-usb-0:1.2:1.0-scsi-0:0:0:0"
    assert disks["/dev/sdc"].transport == "usb" and disks["/dev/sdc"].rotational
    assert disks["/dev/nvme0n1"].by_path == "pci-0000:03:00.0-nvme-1"
    assert (disks["/dev/nvme0n1"].serial, disks["/dev/nvme0n1"].sector) == ("S5G", 4096)
    assert (disks["/dev/vda"].serial, disks["/dev/vda"].transport) == ("one [2J", "virtio")


@pytest.mark.parametrize("wwid", ["naa.0000000000000000", "eui.0000000000000000", "uuid.00000000-0000-0000"])
def test_a_wwn_of_zeros_is_none(tree: Tree, wwid: str) -> None:
    place = f"{PCI}/0000:00:04.0/virtio1"
    tree.disk(f"{place}/block", "sda", place, 2048, wwid=wwid)
    assert seen(tree)["/dev/sda"].wwn == ""


def test_what_is_no_disk_of_this_node_is_left_out(tree: Tree) -> None:
    unit = f"{PCI}/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0"
    tree.disk(f"{unit}/block", "sr0", unit, 4096, type="5")
    tree.disk(f"{PCI}/x/block", "sdb", f"{PCI}/x", 0, type="0")  # a card reader without a card
    for name in ("loop0", "loop1", "dm-0", "md0", "zram0", "ram1"):
        tree.disk("sys/devices/virtual/block", name, "", 4096)
    tree.disk(f"{PCI}/y/block", "sdc", f"{PCI}/y", 4096, type="0")
    (tree.root / "dev/sdc").unlink()  # another namespace's
    (tree.root / "dev/disk/by-id").mkdir(parents=True)
    (tree.root / "dev/disk/by-id/ata-VCLAB_m1d1").symlink_to("../../loop1")
    (tree.root / "dev/disk/by-id/ata-VCLAB_m1d1-part1").symlink_to("../../loop1p1")
    disks = seen(tree)
    assert list(disks) == ["/dev/loop1"]
    assert (disks["/dev/loop1"].serial, disks["/dev/loop1"].model) == ("m1d1", "VCLAB")
    assert disks["/dev/loop1"].by_id == ("ata-VCLAB_m1d1",)


def test_cards_firmware_and_boot_entries_are_told(tree: Tree) -> None:
    for name, mac, carrier in (("eth0", "52:54:00:00:00:01", "1"), ("eth1", "52:54:00:00:00:02", "")):
        tree.write(f"sys/class/net/{name}/type", "1")
        tree.write(f"sys/class/net/{name}/address", mac)
        tree.write(f"sys/class/net/{name}/carrier", carrier)
    (tree.root / "sys/bus/pci/drivers/igb").mkdir(parents=True)
    (tree.root / "sys/class/net/eth0/device").mkdir()
    (tree.root / "sys/class/net/eth0/device/driver").symlink_to(tree.root / "sys/bus/pci/drivers/igb")
    tree.write("sys/class/net/lo/type", "772")
    tree.write("sys/class/dmi/id/product_serial", "ABC123")
    tree.write("sys/class/dmi/id/bios_version", "2.12.2")
    tree.write("proc/cpuinfo", "processor : 0\nmodel name\t: Intel(R) Xeon(R)\n")
    tree.write("proc/meminfo", "MemTotal:       65536000 kB\n")
    (tree.root / FOLDER).mkdir(parents=True)
    variables = Variables(tree.root / FOLDER)
    variables.write("SecureBoot", b"\1")
    variables.write("Boot0001", load_option("UEFI PXE", NETWORK))
    variables.write("Boot000A", load_option("debian", file_on_disk(1, 2048, 4096, bytes(16), True, "\\EFI\\x.efi")))
    variables.write("Boot0003", b"\1\0\0\0")  # nonsense
    variables.set_order(["000A", "0001"])

    said = {**inspector.machine(tree.root), "cards": inspector.cards(tree.root)}
    found = report_of({**said, "boot_entries": inspector.entries(tree.root)})
    assert [(card.name, card.mac, card.driver, card.link) for card in found.cards] == [
        ("eth0", "52:54:00:00:00:01", "igb", True),
        ("eth1", "52:54:00:00:00:02", "", None),
    ]
    assert (found.cpu_model, found.memory_mib, found.firmware) == ("Intel(R) Xeon(R)", 64_000, "efi")
    assert (found.secure_boot, found.serial, found.firmware_version) == (True, "ABC123", "2.12.2")
    assert found.boot_order == ("000A", "0001")
    assert found.boot_entries == (
        BootEntry("0001", "UEFI PXE", True, "pci/mac"),
        BootEntry("000A", "debian", True, "disk/file", on_disk=True),
    )


def test_this_machine_is_inspected_with_a_disk_that_a_link_names(tmp_path: Path) -> None:
    links = Path("/dev/disk/by-id")
    with loop(blank(tmp_path / "disk", 5 * MIB)) as device:
        links.mkdir(parents=True, exist_ok=True)
        link = links / f"ata-VCLAB_t{os.getpid()}"
        link.symlink_to(f"../../{Path(device).name}")
        try:
            found = inspect(Node(folder=str(tmp_path / "node")))
        finally:
            link.unlink()
    assert found.cpus == os.cpu_count() and found.memory_mib > 100 and found.firmware in ("bios", "efi")
    disk = chosen(f"serial=t{os.getpid()}", found.disks)
    assert (disk.path, disk.size, disk.sector, disk.read_only) == (device, 5 * MIB, 512, False)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ('{"event": "card"}', Unreachable),  # and then it ends
        ("nonsense", Unreachable),
        ('{"event": "error", "code": "failing", "text": "no sysfs"}', StepFailed),
    ],
)
def test_what_a_node_says_is_a_claim(tmp_path: Path, said: str, error: type[Exception]) -> None:
    (tmp_path / "said").write_text(f"{said}\n")
    with pytest.raises(error):
        inspect(answering(tmp_path))


def test_a_node_that_never_ends_to_tell_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "said").write_text('{"event": "card"}\n' * 300)
    with pytest.raises(Unreachable, match="more than 256 cards"):
        inspect(answering(tmp_path))


def test_a_node_that_tells_nothing_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "said").write_text('{"event": "disk", "path": 7}\n{"event": "done", "cpus": "many"}\n')
    assert inspect(answering(tmp_path)) == NodeReport()


def answering(folder: Path) -> Node:
    """It takes what is copied, and says what lies in ``said``."""
    script = f'case "$1" in sh*) cat >/dev/null;; *) cat {folder}/said;; esac'
    return Node(words=("sh", "-c", script, "node"), folder=str(folder / "node"))


def test_what_is_carried_to_a_node_imports_nothing_but_itself_and_the_standard_library() -> None:
    carried = {path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in CARRIED}
    for path in CARRIED:
        source = resources.files("vclab").joinpath(path.removeprefix("vclab/")).read_text()
        for name in _imported(ast.parse(source)):
            known = name.partition(".")[0] in sys.stdlib_module_names or name in carried
            assert known or name.rpartition(".")[0] in carried, f"{path} imports {name}"


def _imported(tree: ast.AST) -> list[str]:
    """Modules, and what is taken from them if that may be a module."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            packages = ("vclab", "vclab.library", "vclab.imaging", "vclab.model", "vclab.library.free_space")
            inside = node.module in packages
            names += [f"{node.module}.{each.name}" for each in node.names] if inside else [str(node.module)]
    return names
