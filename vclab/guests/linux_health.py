"""What a Linux computer says of its clock and its disks."""

import re
import time

from vclab.guests.ssh import Shell
from vclab.model import reported
from vclab.model.computer_checks import Inside

MOST = 5
"""Lines of errors that are told, the newest."""

# Only of the disks below its own mounted file systems: a kernel may be shared, and an empty card reader complains.
_HEALTH = """date +%s.%N; echo --
sources=$(findmnt --noheadings --raw --output SOURCE 2> /dev/null | sed -n 's,^/dev/\\([^[]*\\).*,/dev/\\1,p' | sort -u)
disks=$({ for source in $sources; do
    basename "$source"
    lsblk --noheadings --raw --inverse --output NAME "$source" 2> /dev/null || true
done; } | sort -u | paste -s -d '|' -)
[ -z "$disks" ] || { dmesg 2> /dev/null || journalctl --dmesg --boot --no-pager 2> /dev/null || true; } |
    grep -E "(^|[^a-z0-9])($disks)([^a-z0-9]|$)" | grep -E "$1" | tail -n 20 || true
echo --
findmnt --noheadings --raw --output TARGET,OPTIONS --types ext2,ext3,ext4,xfs,btrfs 2> /dev/null |
    awk '$2 ~ /^ro(,|$)/ && $2 ~ /errors=remount-ro|shutdown/ { print $1 }' || true
"""
_ERRORS = "|".join(
    (
        "I/O error",
        "critical (medium|target) error",
        "[Uu]nrecovered read error",
        "(EXT4-fs|XFS|BTRFS).*([Ee]rror|[Cc]orruption)",
        "[Rr]emounting filesystem read-only",
    )
)
_TIME = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


async def look(shell: Shell) -> Inside:
    """By how much its clock is fast, halfway between question and answer; and errors of its disks."""
    asked = time.time()
    clock, lines, read_only = (*(await shell.look("tell its health", _HEALTH, _ERRORS)).split("--\n", 2), "", "")[:3]
    ours, theirs = (asked + time.time()) / 2, clock.strip()
    errors = [reported.line(each) for each in lines.splitlines()]
    errors += [f"{reported.line(each)} is mounted read-only" for each in read_only.splitlines()]
    fast = float(theirs) - ours if _TIME.fullmatch(theirs) else None
    return Inside(fast, tuple(errors[-MOST:]))
