"""What is known of a node of bare metal: which disk takes the image, which are kept, and how it boots."""

import pytest

from vclab.model.errors import Refused
from vclab.model.nodes import DiskReport, chosen
from vclab.provisioning.bare_metal.data import NodeData

BY_PATH = "pci-0000:00:1f.2-ata-1"
DISK = DiskReport("/dev/sdb", 480_103_981_056, "WD-WCC4 7", "0x5000c500a1b2c3d4", by_path=BY_PATH)
OTHER = DiskReport("/dev/sda", 1_920_383_410_176, "S3X9NB0K", "eui.0025385b11d0c5d8")


@pytest.mark.parametrize(
    "rule",
    [
        "serial=WD-WCC4 7",
        "wwn=0x5000C500A1B2C3D4",
        "wwn=naa.5000c500a1b2c3d4",
        "size=480GB",
        "size=0.48 TB",
        f"path=/dev/disk/by-path/{BY_PATH}",
    ],
)
def test_a_rule_that_is_accepted_finds_its_disk(rule: str) -> None:
    data = NodeData.checked({"disk": rule}, "m1")
    assert NodeData.of(data.encoded(), "m1") == data
    assert chosen(data.disk, [OTHER, DISK]) == DISK


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("disk", "S3X9NB0K", "is no rule for a disk; write serial="),
        ("disk", "sda=1", "is no rule for a disk"),
        ("disk", "serial=", "is no rule for a disk"),
        ("disk", "serial=a\tb", "control characters"),
        ("disk", "serial=ü", "is not a disk's serial number"),
        ("disk", "serial=" + "x" * 65, "is not a disk's serial number"),
        ("disk", "size=480", "is no rule for a disk"),
        ("disk", "size=-1GB", "is no rule for a disk"),
        ("disk", "path=/dev/sda", "names like /dev/sda change from boot to boot"),
        ("disk", "path=/dev/disk/by-path/../../sda", "is not /dev/disk/by-path/"),
        ("keep", "A1,b\x00", "is not a disk's serial number"),
        ("keep", ",".join(f"S{n}" for n in range(101)), "at most 100"),
        ("firmware", "uefi", "'bios' or 'efi'"),
        ("password", "x", "Extra inputs are not permitted"),
    ],
)
def test_what_is_not_possible_is_said(field: str, value: str, why: str) -> None:
    with pytest.raises(Refused, match=f"^the computer m1: {field}: ") as error:
        NodeData.checked({field: value}, "the computer m1")
    assert why in str(error.value)


def test_serials_that_are_kept_are_typed_with_commas() -> None:
    data = NodeData.checked({"keep": " A1, B 2 ,,A1"}, "m1")
    assert data.keep == ("A1", "B 2")
    assert NodeData.checked(data.fields(), "m1") == data
    assert NodeData.checked({"keep": ""}, "m1").keep == ()


def test_a_disk_is_not_both_written_and_kept() -> None:
    with pytest.raises(Refused, match="m1: the disk A1 can't both take the image and be kept"):
        NodeData.checked({"disk": "serial=A1", "keep": "B2,A1"}, "m1")
