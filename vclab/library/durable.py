"""Files that are on the disk, or not there, whoever dies: how a repository writes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vclab.model.errors import Unreachable


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Nobody else has the lock of this file meanwhile, in whatever process."""
    with file.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def failing(folder: Path) -> Iterator[None]:
    """Raises ``Unreachable`` in the place of ``OSError``: the file system of the repository fails, or is full."""
    try:
        yield
    except OSError as error:
        raise Unreachable(f"the repository {folder} fails: {error.strerror or error}") from None


def write_synced(path: Path, held: bytes) -> None:
    """A new file, which is on the disk, name and all, when this returns."""
    with path.open("xb") as file:
        file.write(held)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def synced(path: Path) -> Path:
    """The file, whose bytes are on the disk now."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path


def sync_folder(folder: Path) -> None:
    """The names in it are on the disk now."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
