"""What is known of a node of bare metal: which disk takes the image, which are kept, and how it boots."""

import pytest

from vclab.model.errors import Refused
from vclab.provisioning.bare_metal.data import DiskBy, DiskRule, NodeData, plain_wwn

BY_PATH = "/dev/disk/by-path/pci-0000:00:1f.2-ata-1"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("serial=S3X9NB0K", "serial=S3X9NB0K"),
        ("SERIAL = WD-WCC4 7", "serial=WD-WCC4 7"),
        ("wwn=0x5000C500A1B2C3D4", "wwn=0x5000c500a1b2c3d4"),
        ("wwn=eui.0025385b11d0c5d8", "wwn=eui.0025385b11d0c5d8"),
        ("size=480gb", "size=480GB"),
        ("size=1.92TB", "size=1.92TB"),
        (f"path={BY_PATH}", f"path={BY_PATH}"),
        ("", ""),
    ],
)
def test_a_rule_is_kept_in_one_form(typed: str, kept: str) -> None:
    data = NodeData.checked({"disk": typed}, "m1")
    assert data.disk == kept
    assert NodeData.of(data.encoded(), "m1") == data
    assert str(data.rule or "") == kept


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("disk", "S3X9NB0K", "does not say which disk is meant: write serial="),
        ("disk", "sda=1", "does not say which disk is meant"),
        ("disk", "=1", "does not say which disk is meant"),
        ("disk", "serial=", "is not a disk's serial number"),
        ("disk", "serial=a\tb", "control characters"),
        ("disk", "serial=ü", "is not a disk's serial number"),
        ("disk", "serial=" + "x" * 65, "is not a disk's serial number"),
        ("disk", "wwn=5", "is not a disk's world-wide name"),
        ("disk", "size=480", "is not a disk's size, like 480GB"),
        ("disk", "size=0GB", "is not a disk's size"),
        ("disk", "size=-1GB", "is not a disk's size"),
        ("disk", "size=480GiB", "is not a disk's size"),
        ("disk", "path=/dev/sda", "only these paths name the same disk after each boot"),
        ("disk", "path=/dev/disk/by-path/../../sda", "only these paths"),
        ("keep", "A1,b\x00", "is not a disk's serial number"),
        ("keep", ",".join(f"S{n}" for n in range(101)), "at most 100"),
        ("firmware", "uefi", "'bios' or 'efi'"),
        ("password", "x", "Extra inputs are not permitted"),
    ],
)
def test_what_is_not_possible_is_said(field: str, value: str, why: str) -> None:
    with pytest.raises(Refused, match=f"^the computer m1: {field}: ") as error:
        NodeData.checked({field: value}, "the computer m1")
    assert why in error.value.message


def test_serials_that_are_kept_are_typed_with_commas() -> None:
    data = NodeData.checked({"keep": " A1, B 2 ,,A1"}, "m1")
    assert data.keep == ("A1", "B 2")
    assert NodeData.checked(data.fields(), "m1") == data
    assert NodeData.checked({"keep": ""}, "m1").keep == ()


def test_a_disk_is_not_both_written_and_kept() -> None:
    with pytest.raises(Refused, match="m1: the disk A1 can't both take the image and be kept"):
        NodeData.checked({"disk": "serial=A1", "keep": "B2,A1"}, "m1")


@pytest.mark.parametrize(
    ("rule", "size", "takes"),
    [
        ("size=480GB", 480_103_981_056, True),
        ("size=480GB", 503_000_000_000, True),
        ("size=480GB", 505_000_000_000, False),
        ("size=480GB", 455_000_000_000, False),
        ("size=1.92TB", 1_920_383_410_176, True),
        ("serial=A1", 480_000_000_000, False),
    ],
)
def test_a_size_is_about_what_is_written_on_the_disk(rule: str, size: int, takes: bool) -> None:
    assert DiskRule.parse(rule).takes_size(size) is takes


def test_world_wide_names_are_compared_without_what_linux_puts_before_them() -> None:
    names = ("0x5000c500a1b2c3d4", "naa.5000C500A1B2C3D4", "wwn-0x5000c500a1b2c3d4", "5000c500a1b2c3d4")
    assert {plain_wwn(name) for name in names} == {"5000c500a1b2c3d4"}
    assert plain_wwn("eui.0025385b11d0c5d8") == "0025385b11d0c5d8"
    assert DiskRule.parse("size=1TB").by is DiskBy.SIZE
