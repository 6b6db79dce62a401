"""A child and its parents become one disk: with the files that a machine sees, and with nothing that was deleted."""

import os
import re
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.lab import merged
from tests.lab.flattening import flattened, program
from tests.lab.merged import digest, extents, inside
from vclab.lab import disks

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")

MARKER = b"a secret that was deleted before the disk was copied"
MIB = 1 << 20


def base(folder: Path) -> Path:
    """A master with one of each kind of file."""
    (folder / "tree").mkdir()
    (folder / "layer").mkdir()
    disk = folder / "master/disk.vmdk"
    disks.make_master(disk, folder / "tree", folder / "layer", 1)
    return disks.data_of(disk, child=False)


def child(folder: Path, name: str) -> Path:
    disk = folder / name / f"{name}.vmdk"
    disks.make_child(disk, Path("not looked at"), 1)
    return disks.data_of(disk, child=True)


def refusal(folder: Path, target: Path, *disks: Path) -> str:
    _, said = (ran := program(folder, target, *disks)).communicate()
    assert ran.returncode == 1 and not target.exists()
    return said


def holds(file: Path, what: bytes) -> bool:
    """True when the bytes are anywhere in the file."""
    return any(what in content for _, content in extents(file))


def identity(disk: Path) -> list[str]:
    """What of a disk other disks and boot loaders refer to."""
    table = disks.run("sfdisk", "--dump", str(disk)).replace(str(disk), "")
    said = disks.run("dumpe2fs", "-h", f"{disk}?offset={disks.FIRST * disks.SECTOR}")
    kept = "volume name|UUID|features|Inode count|Block count|Block size|Inode size|Reserved block count"
    return [table, *re.findall(rf"^(?:Filesystem )?(?:{kept}|Total journal size):.*$", said, re.MULTILINE)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_files_are_those_that_a_machine_sees(tmp_path: Path, seed: int) -> None:
    master, first, second = base(tmp_path), child(tmp_path, "first"), child(tmp_path, "second")
    inside(merged.furnish, master)
    inside(partial(merged.change, seed), master, first)
    inside(partial(merged.change, seed + 100), master, second, first)
    seen = inside(merged.manifest, master, second, first)
    made = flattened(tmp_path, tmp_path / "made.raw", master, second, first)
    assert inside(merged.manifest, made) == seen
    disks.run("fsck.ext4", "-fn", f"{made}?offset={disks.FIRST * disks.SECTOR}")
    assert identity(made) == identity(master)


def test_a_sparse_file_stays_sparse_and_the_same_disks_make_the_same_bytes(tmp_path: Path) -> None:
    master, only = base(tmp_path), child(tmp_path, "only")
    inside(merged.furnish, master)
    inside(partial(merged.write, {"new/file": b"new", "sparse": b"short now"}), master, only)
    before = inside(merged.manifest, master, only)
    first = flattened(tmp_path, tmp_path / "first.raw", master, only)
    time.sleep(1.1)  # nothing in it is the time at which it is made
    second = flattened(tmp_path, tmp_path / "second.raw", master, only)
    assert digest(first) == digest(second)
    assert before["./sparse"][4].startswith("9 ")
    again = flattened(tmp_path, tmp_path / "again.raw", master, child(tmp_path, "none"))
    assert again.stat().st_blocks * 512 < 16 * MIB
    assert inside(merged.manifest, again)["./sparse"][4].startswith(f"{merged.SPARSE} ")


def test_nothing_that_was_deleted_is_in_the_bytes(tmp_path: Path) -> None:
    master, only = base(tmp_path), child(tmp_path, "only")
    inside(partial(merged.write, {"of-the-master": b"M" + MARKER, "kept": b"kept by all"}), master)
    inside(partial(merged.write, {"of-the-child": b"C" + MARKER}), master, only)
    inside(partial(merged.delete, "of-the-master", "of-the-child"), master, only)
    assert holds(master, b"M" + MARKER) and holds(only, b"C" + MARKER), "the test would show nothing"
    made = flattened(tmp_path, tmp_path / "made.raw", master, only)
    assert holds(made, b"kept by all")
    assert not holds(made, MARKER) and not holds(made, b"of-the-child") and not holds(made, b"of-the-master")


def test_what_can_not_be_one_disk_is_refused_with_the_reason(tmp_path: Path) -> None:
    master, only = base(tmp_path), child(tmp_path, "only")
    nothing = tmp_path / "nothing.raw"
    nothing.write_bytes(bytes(MIB))
    target = tmp_path / "made.raw"
    assert "no partition with a file system for Linux" in refusal(tmp_path, target, nothing, only)
    assert "mount failed" in refusal(tmp_path, target, master, nothing)
    small = tmp_path / "small.raw"
    with small.open("wb") as file:
        file.truncate(40 * MIB)
    disks.run("sfdisk", "--quiet", str(small), given=f"label: gpt\nstart={disks.FIRST}, type=linux\n")
    disks.run("mke2fs", "-q", "-t", "ext4", "-E", f"offset={disks.FIRST * disks.SECTOR}", str(small), "36M")
    inside(partial(merged.fill, 40), small, only)
    assert "mke2fs failed: " in refusal(tmp_path, target, small, only)


@pytest.mark.long
def test_one_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    master, only = base(tmp_path), child(tmp_path, "only")
    inside(partial(merged.fill, 512), master, only)
    target, began = tmp_path / "made" / "made.raw", disks.run("losetup", "--all")
    target.parent.mkdir()
    running = program(tmp_path, target, master, only)
    assert running.stdout is not None
    assert 0 <= int(running.stdout.readline()) < 100, "it says how far it is"
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert list(target.parent.iterdir()) == [] and list((tmp_path / "empty").iterdir()) == []
    deadline = time.monotonic() + 10
    while str(only) in disks.run("losetup", "--all"):
        assert time.monotonic() < deadline, began
        time.sleep(0.05)
    flattened(tmp_path, target, master, only)
