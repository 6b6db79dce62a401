"""What a node says of its hardware, what differs from the record, and which disk takes the image."""

from dataclasses import replace

import pytest

from vclab.model.errors import Refused
from vclab.model.nodes import (
    BootEntry,
    CardReport,
    DiskReport,
    NodeReport,
    check_rule,
    chosen,
    differences,
    report_of,
)

SYSTEM = DiskReport("/dev/sda", 480_103_981_056, "S1", "0x5000c5001", "ST480", "ata", "pci-0000:00:1f.2-ata-1")
DATA = DiskReport("/dev/sdb", 4_000_787_030_016, "S2", "0x5000c5002", "ST4000", "ata", "pci-0000:00:1f.2-ata-2")
NAMELESS = DiskReport("/dev/vda", 500_000_000_000, transport="virtio", by_path="pci-0000:00:04.0")
ENTRIES = (
    BootEntry("0001", "UEFI PXE", where="pci/mac/ipv4"),
    BootEntry("0002", "debian", where="disk/file", on_disk=True),
    BootEntry("0003", "UEFI Shell", where="firmware/firmware"),
)
NODE = NodeReport(
    16,
    "Xeon",
    65_000,
    "efi",
    "Dell",
    "2.1",
    True,
    "Dell Inc.",
    "R640",
    "ABC",
    (SYSTEM, DATA),
    (CardReport("52:54:00:00:00:01", "eth0", "igb", True), CardReport("52:54:00:00:00:02", "eth1")),
    ENTRIES,
    ("0001", "0002", "0003"),
)


def test_a_report_is_read_back_as_it_was() -> None:
    assert report_of(NODE.document()) == NODE
    assert report_of(NodeReport().document()) == NodeReport()


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {"disks": "none", "cards": 3, "boot_order": {}},
        {"cpus": -1, "memory_mib": 10**40, "secure_boot": "yes", "firmware": "coreboot"},
        {"cpus": True, "disks": [None, {"path": "sda", "size": 9}, {"path": "/dev/sda"}, {"path": "/dev/../sda"}]},
        {"cards": [{"mac": "ff:ff:ff:ff:ff:ff"}, {"mac": "x"}], "boot_entries": [{"number": 7}]},
    ],
)
def test_what_is_not_as_it_should_be_is_not_known(said: object) -> None:
    assert report_of(said) == NodeReport()


def test_texts_and_lists_have_bounds() -> None:
    disk = {"path": "/dev/sda", "size": 512, "serial": "x" * 999, "model": "a\x1b[2J\nb", "by_id": ["i"] * 99}
    found = report_of({"disks": [disk] * 999, "product": "\u202ereversed", "boot_order": ["0001\n"] * 999})
    assert len(found.disks) == 256 and len(found.boot_order) == 256
    assert len(found.disks[0].serial) == 80 and len(found.disks[0].by_id) == 16
    assert found.disks[0].model == "a [2J b" and found.product == "reversed"


def test_nothing_differs_from_itself_and_from_what_is_not_known() -> None:
    assert differences(NODE, NODE) == ()
    assert differences(NodeReport(), NODE)[0].text.startswith("the disk /dev/sda")
    moved = replace(NODE, disks=(replace(DATA, path="/dev/sda"), replace(SYSTEM, path="/dev/sdb")))
    assert differences(NODE, moved) == ()
    assert differences(NODE, replace(NODE, memory_mib=64_200, firmware_vendor="", secure_boot=None)) == ()


@pytest.mark.parametrize(
    ("found", "text", "too_little"),
    [
        (replace(NODE, cpus=8), "it has 8 CPUs, recorded are 16", True),
        (replace(NODE, cpus=32), "it has 32 CPUs, recorded are 16", False),
        (replace(NODE, memory_mib=32_000), "it has 32000 MiB of memory, recorded are 65000 MiB", True),
        (replace(NODE, disks=(SYSTEM,)), "the disk /dev/sdb (4001 GB, ST4000, serial S2", True),
        (replace(NODE, disks=(SYSTEM, replace(DATA, size=10**12))), "has 1000000000000 bytes, recorded are", True),
        (replace(NODE, disks=(SYSTEM, replace(DATA, size=10**13))), "has 10000000000000 bytes, recorded are", False),
        (replace(NODE, disks=(SYSTEM, replace(DATA, read_only=True))), "can't be written any more", True),
        (replace(NODE, disks=(SYSTEM, replace(DATA, sector=4096))), "sectors of 4096 bytes", False),
        (replace(NODE, disks=(SYSTEM, DATA, NAMELESS)), "/dev/vda (500 GB, pci-0000:00:04.0) is not recorded", False),
        (replace(NODE, cards=NODE.cards[:1]), "the network card 52:54:00:00:00:02 is not there", False),
        (replace(NODE, firmware="bios"), "it booted by bios, recorded is efi", False),
        (replace(NODE, serial="XYZ"), "its serial number is XYZ, recorded is ABC", False),
        (replace(NODE, secure_boot=False), "Secure Boot is off", False),
        (replace(NODE, boot_order=("0002", "0001")), "is UEFI PXE; recorded is UEFI PXE, UEFI Shell", False),
    ],
)
def test_a_difference_is_told_and_whether_it_is_too_little(found: NodeReport, text: str, too_little: bool) -> None:
    (difference,) = differences(NODE, found)
    assert text in difference.text
    assert difference.too_little is too_little


def test_an_entry_of_a_disk_comes_and_goes() -> None:
    assert differences(NODE, replace(NODE, boot_order=("0002", "0001", "0003"))) == ()


def test_an_entry_for_a_disk_that_firmware_has_seen_this_time_is_no_difference() -> None:
    seen = (
        *ENTRIES,
        BootEntry("0004", "UEFI NVMe", where="acpi/pci/nvme"),
        BootEntry("0005", "Misc", where="acpi/pci"),
    )
    order = ("0001", "0004", "0005", "0002", "0003")
    assert differences(NODE, replace(NODE, boot_entries=seen, boot_order=order)) == ()


def test_another_way_to_boot_from_the_network_is_told() -> None:
    seen = (*ENTRIES, BootEntry("0004", "mine", where="acpi/pci/mac/ipv4/uri"))
    (difference,) = differences(NODE, replace(NODE, boot_entries=seen, boot_order=("0004", "0001", "0003")))
    assert "the boot order of its firmware is mine, UEFI PXE, UEFI Shell" in difference.text and difference.guarded


def test_that_a_load_puts_the_network_first_is_no_difference() -> None:
    assert differences(NODE, replace(NODE, boot_order=("0003", "0002", "0001"))) == ()


@pytest.mark.parametrize(
    ("rule", "disk"),
    [
        ("serial=S2", DATA),
        ("wwn=0x5000C5001", SYSTEM),
        ("wwn=naa.5000c5002", DATA),
        ("size=480GB", SYSTEM),
        ("size=4TB", DATA),
        ("size=3.6TiB", DATA),
        ("path=/dev/disk/by-path/pci-0000:00:1f.2-ata-2", DATA),
        ("path=/dev/disk/by-path/pci-0000:00:1f.2-ata-2.0", DATA),
        ("path=pci-0000:00:1f.2-ata-1", SYSTEM),
    ],
)
def test_a_rule_names_one_disk(rule: str, disk: DiskReport) -> None:
    check_rule(rule)
    assert chosen(rule, (SYSTEM, DATA)) == disk


def test_without_a_rule_it_is_the_only_disk() -> None:
    assert chosen("", (DATA,)) == DATA
    assert chosen("", (SYSTEM, DATA), keep=["S2"]) == SYSTEM


@pytest.mark.parametrize(
    ("rule", "disks", "why"),
    [
        ("", (SYSTEM, DATA), "no rule names its disk, and it has 2 disks; it has /dev/sda (480.1 GB, ST480, serial S1"),
        ("", (), "it has no disk; it has no disk at all"),
        ("serial=S3", (SYSTEM, DATA), "the rule serial=S3 names no disk; it has /dev/sda"),
        ("size=490GB", (SYSTEM, NAMELESS), "names 2 disks"),
        ("size=300GB", (SYSTEM,), "names no disk"),
        ("serial=KEPT", (replace(DATA, serial="KEPT"),), "names only disks that are kept"),
        ("size=480", (SYSTEM,), "no rule for a disk; write serial=SERIAL"),
        ("model=ST480", (SYSTEM,), "no rule for a disk"),
        ("serial=", (NAMELESS,), "no rule for a disk"),
    ],
)
def test_a_rule_that_names_none_or_several_lists_what_there_is(
    rule: str, disks: tuple[DiskReport, ...], why: str
) -> None:
    with pytest.raises(Refused) as refused:
        chosen(rule, disks, keep=["KEPT"])
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
