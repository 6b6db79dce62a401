"""The file provider: one file per secret in a directory that only its owner can read."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from vclab.model.errors import Unreachable, VclabError

ALPHABET = "abcdefghjkmnpqrstuvwxyABCDEFGHJKMNPQRSTUVWXY3456789"
"""No look-alikes (VCL leaves out i I l L o O 0 z Z 1 2)."""


class SecretMissing(VclabError):
    """No secret is stored under that reference."""


class SecretStore:
    """Secrets by reference, e.g. ``tenure/vm03/7/root``: (tenure, purpose)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def _path(self, reference: str) -> Path:
        parts = reference.split("/")
        if not all(part and part.strip(".") and "\0" not in part for part in parts):
            raise ValueError(f"not a secret reference: {reference!r}")
        return self._directory.joinpath(*parts)

    def get(self, reference: str) -> str:
        """The value. Raises ``SecretMissing``."""
        try:
            return self._path(reference).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise SecretMissing(f"no secret is stored under {reference}") from None

    def put(self, reference: str, value: str) -> None:
        """Store a value, whole or not at all. Raises ``Unreachable`` when it can't be written: the disk may be full."""
        path = self._path(reference)
        try:
            self._make_folders(path.parent)
            self._write(path, value)
        except OSError as error:
            raise Unreachable(f"the secrets in {self._directory} can't be written now: {error.strerror}") from None

    @staticmethod
    def _write(path: Path, value: str) -> None:
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
            _inherit(Path(temporary))
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)  # each retry would leave one
            raise

    def _make_folders(self, wanted: Path) -> None:
        for folder in reversed((wanted, *wanted.parents)):
            if not folder.exists():
                folder.mkdir(exist_ok=True, mode=0o700 if folder.is_relative_to(self._directory) else 0o755)
                _inherit(folder)
        self._directory.chmod(0o700)

    def generate(self, reference: str, length: int = 16) -> str:
        """The value under ``reference``; made up and stored first if there is none, so that a retry reuses it."""
        try:
            return self.get(reference)
        except SecretMissing:
            value = "".join(secrets.choice(ALPHABET) for _ in range(length))
            self.put(reference, value)
            return value

    def under(self, prefix: str, levels: int) -> list[str]:
        """The references ``levels`` below a prefix, or of all that is below them: "tenure/vm03/7" is 2 below
        "tenure"."""
        found = self._path(prefix).glob("/".join("*" * levels))
        return sorted(str(path.relative_to(self._directory)) for path in found)

    def forget(self, prefix: str) -> None:
        """Remove the secret ``prefix``, or all secrets below it; harmless when there is none."""
        path = self._path(prefix)
        if path.is_dir():
            for child in path.iterdir():
                self.forget(f"{prefix}/{child.name}")
            with suppress(OSError):  # somebody else is putting a secret there just now
                path.rmdir()
        else:
            path.unlink(missing_ok=True)


def _inherit(path: Path) -> None:
    """What root makes belongs to whom the folder above belongs: root adds an endpoint, another account's worker uses
    its password."""
    if os.geteuid() == 0:
        above = path.parent.stat()
        with suppress(PermissionError):  # root in name only: a container's, or on a network file system
            os.chown(path, above.st_uid, above.st_gid, follow_symlinks=False)
