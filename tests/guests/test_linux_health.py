"""What a Linux computer says of its clock and its disks."""

import asyncio
import os
import subprocess
import time
from pathlib import Path
from typing import cast

import pytest

from tests.guests.bench import Place
from vclab.guests import linux_health
from vclab.guests.ssh import Shell
from vclab.model.computer_checks import Inside

MOUNTED = {"/": ("/dev/mapper/vg-root", "rw,relatime,errors=remount-ro"), "/boot": ("/dev/sda1", "rw")}
BELOW = {"/dev/mapper/vg-root": "vg-root\nsda2\nsda", "/dev/sda1": "sda1\nsda"}
KERNEL = """[    1.0] sd 2:0:0:0: [sda] Attached SCSI disk
[   10.1] I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2
[   10.2] I/O error, dev sdaa, sector 17
[   10.3] blk_update_request: I/O error, dev sdb, sector 0
[   11.0] EXT4-fs (sda1): mounted filesystem with ordered data mode
[   12.0] EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm ls: reading directory lblock 0
[   13.0] usb 1-1: new high-speed USB device
[   14.0] Buffer I/O error on dev sda2, logical block 1, async page read
"""


class Local:
    """A shell whose commands are this machine's own, but for those that tell of disks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tells(self, command: str, script: str) -> None:
        """That command does so."""
        file = self.folder / command
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    async def look(self, what: str, script: str, *arguments: str) -> str:
        """As ``Shell.look``."""
        path = f"{self.folder}:{os.environ['PATH']}"
        words = ["sh", "-c", f"set -e\n{script}", "vclab", *arguments]
        done = subprocess.run(words, env={"PATH": path}, capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def computer(tmp_path: Path) -> Local:
    """Two file systems on one disk."""
    made = Local(tmp_path)
    sources = "\\n".join(source for source, _ in MOUNTED.values())
    options = "\\n".join(f"{where} {how}" for where, (_, how) in MOUNTED.items())
    made.tells("findmnt", f"case \"$*\" in *SOURCE*) printf '{sources}\\n';; *) printf '{options}\\n';; esac")
    cases = " ".join(f"*{name}) printf '%s\\n' '{disks}';;" for name, disks in BELOW.items())
    made.tells("lsblk", f'case "$*" in {cases} esac')
    (tmp_path / "kernel").write_text(KERNEL)
    made.tells("dmesg", f"cat {tmp_path}/kernel")
    return made


def health(computer: Local) -> Inside:
    return asyncio.run(linux_health.look(cast(Shell, computer)))


def test_errors_of_the_disks_below_its_file_systems(computer: Local) -> None:
    """Whatever the disk's other name is; those of other disks, and what is no error, are not told."""
    found = health(computer).disk_errors
    assert [line.partition("] ")[2][:30] for line in found] == [
        "I/O error, dev sda, sector 204",
        "EXT4-fs error (device sda1): e",
        "Buffer I/O error on dev sda2, ",
    ]


def test_the_newest_are_told(computer: Local) -> None:
    lines = "".join(f"[{number}.0] I/O error, dev sda, sector {number}\n" for number in range(50))
    (computer.folder / "kernel").write_text(lines)
    found = health(computer).disk_errors
    assert len(found) == linux_health.MOST
    assert found[-1].endswith("sector 49")


def test_a_file_system_that_has_become_read_only(computer: Local) -> None:
    (computer.folder / "kernel").write_text("")
    assert health(computer).disk_errors == ()
    computer.tells(
        "findmnt", "case \"$*\" in *SOURCE*) echo /dev/sda1;; *) echo '/ ro,relatime,errors=remount-ro';; esac"
    )
    assert health(computer).disk_errors == ("/ is mounted read-only",)


def test_its_clock(computer: Local) -> None:
    fast = health(computer).clock
    assert fast is not None and abs(fast) < 5
    computer.tells("date", f"echo {time.time() - 3600:.3f}")
    slow = health(computer).clock
    assert slow is not None and -3605 < slow < -3595


def test_what_is_no_time_is_not_known(computer: Local) -> None:
    computer.tells("date", "echo noon")
    assert health(computer).clock is None


def test_without_these_tools_nothing_is_known_of_its_disks(computer: Local) -> None:
    for command in ("findmnt", "lsblk", "dmesg"):
        computer.tells(command, "exit 127")
    assert health(computer).disk_errors == ()


@pytest.mark.lab
def test_a_real_machine_is_well(loaded: Place) -> None:
    found = loaded.bench.manage(_health(loaded))
    assert found.clock is not None and abs(found.clock) < 5
    assert found.disk_errors == ()


async def _health(place: Place) -> Inside:
    return await place.bench.linux().health(place.target, place.facts)
