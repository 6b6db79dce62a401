"""The lab's program that makes one disk of a child and its parents, run as the vCenter simulator runs it."""

import subprocess
import sys
from pathlib import Path

APART = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL"]


def program(folder: Path, target: Path, *disks: Path) -> subprocess.Popen[str]:
    """The program that makes one disk, started."""
    (folder / "empty").mkdir(exist_ok=True)
    command = [*APART, sys.executable, "-m", "vclab.lab.flatten", str(target), *map(str, disks)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder / "empty", stdout=pipe, stderr=pipe, text=True)


def flattened(folder: Path, target: Path, *disks: Path) -> Path:
    """One disk made of the data of the last parent and of the children, nearest first."""
    _, said = (ran := program(folder, target, *disks)).communicate()
    assert ran.returncode == 0, said
    return target
