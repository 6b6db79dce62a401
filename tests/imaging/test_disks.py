"""Real file systems on loop devices, streamed to larger disks that hold what somebody before has written. It needs
root."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.disks import small_disk
from tests.imaging.conftest import MIB, Image, MakeNode
from tests.imaging.disks import (
    FILE_SYSTEMS,
    MAKE,
    blank,
    check,
    fill,
    loop,
    manifest,
    mounted,
    mounts_of_our_own,
    partition,
    partitioned,
    run,
)
from tests.imaging.wire import STALLED
from tests.labfixture import eventually
from vclab.imaging import sender
from vclab.imaging.sender import Finished, Node
from vclab.library import block_map
from vclab.model.errors import Refused, StepFailed, Unreachable

OTHER = b"\xa5"
SIZE = 500 * MIB


@pytest.fixture(autouse=True)
def mounts() -> Iterator[None]:
    """Nobody else sees what is mounted here."""
    with mounts_of_our_own():
        yield


def made(folder: Path, holds: str, sector: int, label: str = "gpt", files: int = 60) -> tuple[Image, dict[str, str]]:
    """An image whose second and last partition holds this file system, and what is in it."""
    disk = blank(folder / "image.raw", SIZE)
    with loop(disk, sector=sector) as device:
        partitioned(device, label, "16M", "470M")
        with partition(device, 2) as part:
            run(*MAKE[holds], part)
            with mounted(part, holds, folder / "mounted") as there:
                fill(there, files)
                files_in_it = manifest(there)
    return Image(disk, block_map.make(disk)), files_in_it


def stream(node: Node, image: Image) -> Finished:
    """All steps."""
    sender.place(node, image.map)
    sender.check(node)
    sender.write(node, image.disk, image.map)
    sender.verify(node)
    return sender.finish(node)


@pytest.mark.parametrize(("holds", "sector"), FILE_SYSTEMS)
def test_a_file_system_arrives_whole_though_only_its_blocks_travel(
    tmp_path: Path, make_node: MakeNode, holds: str, sector: int
) -> None:
    image, files = made(tmp_path, holds, sector)
    assert [use.whole == "" for use in image.map.partitions] == [False, True]
    assert image.map.sector == sector
    assert image.map.travels < 40 * MIB  # of 500
    disk = blank(tmp_path / "disk", 640 * MIB, OTHER)
    with loop(disk, sector=sector) as device:
        node = make_node(Path(device))
        done = stream(node, image)
        assert (done.moved, done.grown) == (True, 0 if holds == "ntfs" else 2), done.text
        assert "No errors" in run("sfdisk", "--verify", device)
        with partition(device, 2) as part:
            check(part, holds)
            with mounted(part, holds, tmp_path / "mounted") as there:
                assert manifest(there) == files
                size = os.statvfs(there).f_blocks * os.statvfs(there).f_frsize
        assert size > 540 * MIB or holds == "ntfs"
        assert sender.finish(node) == Finished(False, done.grown, done.text)  # again: nothing is left to do


def test_the_second_file_system_of_a_disk_with_an_mbr_grows(tmp_path: Path, make_node: MakeNode) -> None:
    image, files = made(tmp_path, "ext4", 512, "dos", 10)
    with loop(blank(tmp_path / "disk", 640 * MIB)) as device:
        assert stream(make_node(Path(device)), image) == Finished(
            False, 2, "partition 2 and its ext4 have all room of the disk"
        )
        with partition(device, 2) as part, mounted(part, "ext4", tmp_path / "mounted") as there:
            assert manifest(there) == files


def test_a_fitting_that_was_cut_off_is_ended_by_the_next_one(tmp_path: Path, make_node: MakeNode) -> None:
    image, files = made(tmp_path, "xfs", 512, files=10)
    with loop(blank(tmp_path / "disk", 640 * MIB)) as device:
        node = make_node(Path(device))
        sender.place(node, image.map)
        sender.write(node, image.disk, image.map)
        run("sfdisk", "--quiet", "--relocate", "gpt-bak-std", device)
        run("sfdisk", "--quiet", "-N", "2", device, given=",+\n")  # and its file system has not grown yet
        assert sender.finish(node) == Finished(False, 2, "partition 2 and its xfs have all room of the disk")
        with partition(device, 2) as part, mounted(part, "xfs", tmp_path / "mounted") as there:
            assert manifest(there) == files
            assert os.statvfs(there).f_blocks * os.statvfs(there).f_frsize > 540 * MIB


@pytest.mark.parametrize(
    ("last", "why"), [("swap", "it is swap, so what lies before it can't grow"), ("LVM2_member", "it belongs to LVM")]
)
def test_a_disk_that_can_not_grow_says_why(tmp_path: Path, make_node: MakeNode, last: str, why: str) -> None:
    source = blank(tmp_path / "image.raw", 64 * MIB)
    with loop(source) as device:
        partitioned(device, "gpt", "20M", "30M")
        with partition(device, 1) as part:
            run(*MAKE["ext4"], part)
        with partition(device, 2) as part:
            if last == "swap":
                run(*MAKE["swap"], part)
            else:
                Path(part).write_bytes(bytes(512) + _lvm_label())
    with loop(blank(tmp_path / "disk", 80 * MIB)) as device:
        done = stream(make_node(Path(device)), Image(source, block_map.make(source)))
        assert (done.moved, done.grown) == (True, 0) and why in done.text


def _lvm_label() -> bytes:
    """Of a physical volume, as ``blkid`` knows it: a checksum of what follows it, from 0xf597a6cf on."""
    tail = b"\x20\0\0\0LVM2 001" + b"a" * 32 + (30 * MIB).to_bytes(8, "little")
    tail = tail.ljust(512 - 20, b"\0")
    summed = 0xF597A6CF
    for byte in tail:
        summed ^= byte
        for _ in range(8):
            summed = summed >> 1 ^ (0xEDB88320 if summed & 1 else 0)
    return b"LABELONE" + (1).to_bytes(8, "little") + summed.to_bytes(4, "little") + tail


# --- disks that can't be written -------------------------------------------------------------------------------------


def test_a_disk_that_is_read_only_in_use_or_has_other_sectors_is_refused(tmp_path: Path, make_node: MakeNode) -> None:
    source = blank(tmp_path / "image.raw", 64 * MIB)
    with loop(source) as device:
        partitioned(device, "gpt", "20M")
    image, disk = Image(source, block_map.make(source)), blank(tmp_path / "disk", 80 * MIB, OTHER)
    with loop(disk, read_only=True) as device:
        _refused(make_node(Path(device)), image, "read-only|can't be written")
    with loop(disk, sector=4096) as device:
        _refused(make_node(Path(device)), image, "has sectors of 4096 bytes, the image's .* counts by 512")
    with loop(blank(tmp_path / "mine", 80 * MIB)) as device:
        run(*MAKE["ext4"], device)
        with mounted(device, "ext4", tmp_path / "mounted"):
            _refused(make_node(Path(device)), image, "is in use")
    assert disk.read_bytes().count(OTHER) == 80 * MIB


def test_the_newest_attempt_takes_a_disk_from_one_that_hangs(
    an_image: Image, tmp_path: Path, make_node: MakeNode
) -> None:
    with loop(blank(tmp_path / "disk", 40 * MIB)) as device, ThreadPoolExecutor(1) as pool:
        sender.place(make_node(Path(device)), an_image.map)
        hanging = make_node(Path(device), "stall", 12 * MIB)
        old = pool.submit(sender.write, hanging, an_image.disk, an_image.map)
        eventually((tmp_path / STALLED).exists)
        sender.write(make_node(Path(device)), an_image.disk, an_image.map)
        sender.verify(make_node(Path(device)))
        with pytest.raises(Unreachable):
            old.result()


def _refused(node: Node, image: Image, why: str) -> None:
    sender.place(node, image.map)
    with pytest.raises(Refused, match=why):
        sender.check(node)
    with pytest.raises(Refused, match=why):
        sender.write(node, image.disk, image.map)


def test_a_disk_that_fails_in_the_middle_says_where(an_image: Image, tmp_path: Path, make_node: MakeNode) -> None:
    with small_disk(tmp_path / "small", 26) as folder, loop(blank(folder / "disk", 40 * MIB)) as device:
        node = make_node(Path(device))
        sender.place(node, an_image.map)
        begins: list[int] = []
        with pytest.raises(StepFailed, match=f"the disk {device} can't be .* at byte"):
            sender.write(node, an_image.disk, an_image.map, written=begins.append)


def test_a_byte_that_a_disk_has_changed_behind_the_kernel_is_found(
    an_image: Image, tmp_path: Path, make_node: MakeNode
) -> None:
    disk = blank(tmp_path / "disk", 40 * MIB)
    with loop(disk) as device:
        node = make_node(Path(device))
        sender.place(node, an_image.map)
        sender.write(node, an_image.disk, an_image.map)
        sender.verify(node)
        with disk.open("r+b") as file:
            file.seek(25 * MIB)
            file.write(b"rot")
        with pytest.raises(StepFailed, match=r"holds other bytes in chunk 6 \(byte 25165824\)"):
            sender.verify(node)
