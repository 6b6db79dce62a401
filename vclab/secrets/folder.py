"""The files of secrets, one each, in a directory that others can't read.

Root writes into folders that belong to the worker's account. So below the directory no symbolic link is followed, of a
folder or of a file: each folder is opened within the one above. A group that the directory is given to (where worker
and API are two accounts) gets all that is made in it.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from vclab.model.errors import Refused, Unreachable
from vclab.secrets.references import SecretMissing


class Folder:
    """Texts by reference, e.g. ``tenure/vm03/7/root``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, reference: str) -> str:
        """The text. Raises ``SecretMissing``, and ``Refused`` for a symbolic link."""
        *folders, name = _parts(reference)
        try:
            with self._folder(folders) as folder, os.fdopen(os.open(name, _READ, dir_fd=folder)) as file:
                return file.read()
        except FileNotFoundError:
            raise SecretMissing(f"no secret is stored under {reference}") from None

    def write(self, reference: str, text: str) -> None:
        """Store a text, whole or not at all.

        Raises ``Unreachable`` when it can't be written: the disk may be full; ``Refused`` for a symbolic link.
        """
        *folders, name = _parts(reference)
        try:
            with self._folder(folders, make=True) as folder:
                _write(folder, name, text)
        except OSError as error:
            raise self._cannot(error) from None

    @contextmanager
    def turn(self, alone: bool = False) -> Iterator[None]:
        """Many write at a time, each its own; but nobody while one is ``alone``. Makes the directory. Raises
        ``Unreachable``."""
        try:
            self._make_directory()
            directory = os.open(self._directory, _FOLDER)
        except OSError as error:
            raise self._cannot(error) from None
        try:
            fcntl.flock(directory, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(directory)

    def all(self) -> list[str]:
        """All references, sorted."""
        return sorted(self._all(""))

    def under(self, prefix: str, levels: int) -> list[str]:
        """The references ``levels`` below a prefix, or of all that is below them: "tenure/vm03/7" is 2 below
        "tenure"."""
        found = [prefix]
        for _ in range(levels):
            found = [f"{above}/{name}" for above in found for name in self._names(above)]
        return sorted(found)

    def remove(self, prefix: str) -> None:
        """Remove the secret ``prefix``, or all secrets below it; harmless when there is none."""
        *folders, name = _parts(prefix)
        with suppress(FileNotFoundError, NotADirectoryError), self._folder(folders) as folder:
            _remove(folder, name)

    def _cannot(self, error: OSError) -> Unreachable:
        return Unreachable(f"the secrets in {self._directory} can't be written now: {error.strerror}")

    def _make_directory(self) -> None:
        for folder in reversed((self._directory, *self._directory.parents)):
            if not folder.exists():
                folder.mkdir(exist_ok=True, mode=0o700 if folder == self._directory else 0o755)
                if os.geteuid() == 0:
                    above = folder.parent.stat()
                    with suppress(PermissionError):
                        os.chown(folder, above.st_uid, above.st_gid, follow_symlinks=False)
        if self._directory.stat().st_mode & 0o007:
            self._directory.chmod(0o700)

    @contextmanager
    def _folder(self, names: Sequence[str], make: bool = False) -> Iterator[int]:
        """A descriptor of the folder. Raises ``FileNotFoundError``, and ``Refused`` for a symbolic link."""
        opened, path = [os.open(self._directory, _FOLDER)], self._directory
        try:
            for name in names:
                path /= name
                if make:
                    _make_folder(opened[-1], name)
                with _no_link(path):
                    opened.append(os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=opened[-1]))
            with _no_link(path):
                yield opened[-1]
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _all(self, prefix: str) -> Iterator[str]:
        for name in self._names(prefix):
            reference = f"{prefix}/{name}" if prefix else name
            if below := list(self._all(reference)):
                yield from below
            elif self._is_file(reference):
                yield reference

    def _is_file(self, reference: str) -> bool:
        *folders, name = _parts(reference)
        with suppress(FileNotFoundError), self._folder(folders) as folder:
            return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        return False

    def _names(self, prefix: str) -> list[str]:
        """What is in this folder; nothing if it is none."""
        with (
            suppress(FileNotFoundError, NotADirectoryError),
            self._folder(_parts(prefix) if prefix else ()) as folder,
        ):
            return [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208 (of a descriptor)
        return []


_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def _parts(reference: str) -> list[str]:
    parts = reference.split("/")
    if not all(part and part.strip(".") and "\0" not in part for part in parts):
        raise ValueError(f"not a secret reference: {reference!r}")
    return parts


@contextmanager
def _no_link(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ELOOP or (error.errno == errno.ENOTDIR and path.is_symlink()):
            text = f"there is a symbolic link in {path}, where secrets are kept"
            raise Refused(text, "find out who made it, and remove it") from None
        raise


def _make_folder(above: int, name: str) -> None:
    mode = 0o700 | os.fstat(above).st_mode & 0o2070
    try:
        os.mkdir(name, mode & 0o770, dir_fd=above)
    except FileExistsError:
        return
    # The set-group-ID bit is inherited: a service with RestrictSUIDSGID= can't set it, and need not.
    if stat.S_IMODE(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode) != mode:
        os.chmod(name, mode, dir_fd=above)
    _inherit(name, above)


def _write(folder: int, name: str, text: str) -> None:
    temporary = f".{secrets.token_hex(8)}"
    try:
        with os.fdopen(os.open(temporary, _NEW, 0o600, dir_fd=folder), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600 | os.fstat(folder).st_mode & 0o060)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _inherit(temporary, folder)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):  # each retry would leave one
            os.unlink(temporary, dir_fd=folder)
        raise


def _remove(folder: int, name: str) -> None:
    """A file, a link itself, or a folder with all that is in it."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
        return
    inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    try:
        for each in os.listdir(inner):  # noqa: PTH208 (of a descriptor)
            with suppress(FileNotFoundError):
                _remove(inner, each)
    finally:
        os.close(inner)
    with suppress(OSError):  # somebody else is putting a secret there just now
        os.rmdir(name, dir_fd=folder)


def _inherit(name: str, folder: int) -> None:
    """What root makes belongs to whom the folder belongs: root adds an endpoint, another account's worker uses its
    password."""
    if os.geteuid() == 0:
        above = os.fstat(folder)
        with suppress(PermissionError):  # root in name only: a container's, or on a network file system
            os.chown(name, above.st_uid, above.st_gid, dir_fd=folder, follow_symlinks=False)
