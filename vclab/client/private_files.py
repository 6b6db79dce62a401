"""Files of one person: nobody else may read them, they are written whole or not at all, one process at a time."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vclab.model.errors import Refused


def read_private(file: Path, what: str) -> str:
    """The text of a secret file; ``what`` it is, for messages. Raises ``FileNotFoundError``.

    Raises ``Refused`` when others may read it, when it is somebody else's, or can't be read.
    """
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Refused(f"{what} {file} can't be read: {error.strerror}") from None
    with os.fdopen(handle, encoding="utf-8") as stream:
        found = os.fstat(handle)
        if stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) & 0o077:
            raise Refused(f"others may read {what} {file}, so nothing is sent", f"chmod 600 {file}")
        if found.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
            raise Refused(f"{what} {file} is not yours", "use one of your own")
        try:
            return stream.read(1 << 20)
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"{what} {file} can't be read: {error}") from None


def make_folder(folder: Path) -> None:
    """Make a folder for its owner only, if it is not there. Raises ``Refused``."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Refused(f"the folder {folder} can't be made: {error.strerror}") from None


def write_whole(file: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file by one with these bytes and rights; who reads meanwhile gets the old or the new one.

    Raises ``Refused`` when that is not possible: then the old one is as it was.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise Refused(f"{file} can't be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(handle, mode)
            stream.write(content)
            stream.flush()
            os.fsync(handle)
        os.replace(name, file)  # noqa: PTH105 (a name, as mkstemp gives it)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        if isinstance(error, OSError):
            raise Refused(f"{file} can't be written: {error.strerror}") from None
        raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process at a time changes what is in the folder, which is made. Raises ``Refused``."""
    make_folder(folder)
    try:
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Refused(f"{folder} can't be written: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
