"""Disks of the tests' own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A file system of so many MiB, in a new folder. Skips the test where nobody may mount one."""
    folder.mkdir()
    words = ("mount", "-t", "tmpfs", "-o", f"size={mib}m", "vclab-tests", str(folder))
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("to mount a disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)
