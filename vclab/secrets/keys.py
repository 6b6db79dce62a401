"""The keys to which secrets are sealed: a ring a reader.

``site-default.key`` has the private keys of a site's workers, the newest first, and is theirs alone;
``site-default.pub`` has the newest public key, to which everybody seals who has a secret for them. A ring keeps the
keys before, so that what was sealed to one can be opened until it is sealed anew.
"""

import base64
import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from vclab.model.errors import Refused, Unreachable

_LINE = re.compile(r"([0-9a-f]{16}) ([A-Za-z0-9+/=]{44})(?: (\S+))?")
_READER = re.compile(r"api|site-[a-z0-9][a-z0-9-]{0,30}")
_TIME = "%Y-%m-%dT%H:%MZ"
_OTHERS_READ, _OTHERS_WRITE = 0o077, 0o022


@dataclass(frozen=True)
class PublicKey:
    """What seals."""

    id: str
    key: X25519PublicKey

    @classmethod
    def of(cls, key: X25519PublicKey) -> "PublicKey":
        """With the id that it has: the first digits of its SHA-256."""
        return cls(hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16], key)


@dataclass(frozen=True)
class PrivateKey:
    """What opens."""

    id: str
    key: X25519PrivateKey
    made_at: datetime

    @classmethod
    def new(cls) -> "PrivateKey":
        """A new one."""
        key = X25519PrivateKey.generate()
        return cls(PublicKey.of(key.public_key()).id, key, datetime.now(UTC).replace(microsecond=0))


class Keys:
    """A folder of rings. Files are read each time: a ring may be turned while a worker runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def readers(self) -> list[str]:
        """All readers of which something is here."""
        names = {file.stem for file in self.folder.glob("*") if file.suffix in (".key", ".pub")}
        return sorted(name for name in names if _READER.fullmatch(name))

    def public(self, reader: str) -> PublicKey:
        """The key to seal to. Raises ``Refused`` when there is none, or when others could have written it."""
        file = self._file(reader, ".pub")
        lines = _read(file, _OTHERS_WRITE, "write")
        if lines is None:
            hint = f"make it with `vclab secrets rotate`, or copy {file.name} from where the private key is"
            raise Refused(f"there is no key to seal secrets to {_who(reader)}: {file}", hint)
        id, text, _ = _parsed(lines[0], file)
        found = PublicKey.of(X25519PublicKey.from_public_bytes(text))
        if found.id != id:
            raise Refused(f"{file} is damaged: its key is not {id}", f"copy it from where {reader}.key is")
        return found

    def has_private(self, reader: str) -> bool:
        """Whether this account can open what is sealed to the reader."""
        return os.access(self._file(reader, ".key"), os.R_OK)

    def ring(self, reader: str) -> list[PrivateKey]:
        """The private keys, the newest first; none where they are not here, or another account's.

        Raises ``Refused`` when others could read or write them, or when the file is damaged.
        """
        file = self._file(reader, ".key")
        try:
            lines = _read(file, _OTHERS_READ, "read")
        except PermissionError:
            return []
        return [_private(line, file) for line in lines or ()]

    def make_missing(self, readers: Iterable[str]) -> list[str]:
        """Make the rings of which nothing is here. Those that were made."""
        made = [reader for reader in readers if reader not in self.readers()]
        for reader in made:
            self.turn(reader)
        return made

    def clean(self) -> None:
        """Remove what a write has left that was cut off. Nobody may write meanwhile."""
        for file in self.folder.glob(".*.????????"):
            file.unlink(missing_ok=True)

    def turn(self, reader: str) -> PrivateKey:
        """A new key, first in the ring. The private one is on the disk before anybody can seal to it."""
        fresh = PrivateKey.new()
        self.write(reader, [fresh, *self.ring(reader)])
        return fresh

    def write(self, reader: str, ring: list[PrivateKey]) -> None:
        """Keep a ring, which is not empty. Raises ``Unreachable``."""
        newest = PublicKey.of(ring[0].key.public_key())
        lines = (f"{each.id} {_text(each.key.private_bytes_raw())} {each.made_at:{_TIME}}\n" for each in ring)
        text = "".join(lines)
        try:
            _make(self.folder)
            _write(self._file(reader, ".key"), text, 0o600)
            _write(self._file(reader, ".pub"), f"{newest.id} {_text(newest.key.public_bytes_raw())}\n", 0o644)
        except OSError as error:
            raise Unreachable(f"the keys in {self.folder} can't be written: {error.strerror}") from None

    def _file(self, reader: str, suffix: str) -> Path:
        if not _READER.fullmatch(reader):
            raise ValueError(f"not a reader of secrets: {reader!r}")
        return self.folder / f"{reader}{suffix}"


def _who(reader: str) -> str:
    return "the API" if reader == "api" else f"the workers of the site {reader.removeprefix('site-')}"


def _read(file: Path, forbidden: int, what: str) -> list[str] | None:
    """The lines; None: there is no such file. Raises ``Refused`` when others can read or write it."""
    try:
        with file.open() as opened:
            if os.fstat(opened.fileno()).st_mode & forbidden:
                todo = f"chmod {'600' if what == 'read' else '644'} {file}"
                raise Refused(f"others can {what} the key file {file}", todo)
            lines = opened.read().splitlines()
    except FileNotFoundError:
        return None
    if not lines:
        raise Refused(f"the key file {file} is empty", "restore it from a backup")
    return lines


def _parsed(line: str, file: Path) -> tuple[str, bytes, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise Refused(f"the key file {file} is damaged", "restore it from a backup")
    return found[1], base64.b64decode(found[2]), found[3] or ""


def _private(line: str, file: Path) -> PrivateKey:
    id, text, made = _parsed(line, file)
    key = X25519PrivateKey.from_private_bytes(text)
    if PublicKey.of(key.public_key()).id != id:
        raise Refused(f"the key file {file} is damaged: the key {id} is another one", "restore it from a backup")
    return PrivateKey(id, key, datetime.strptime(made, _TIME).replace(tzinfo=UTC))


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _make(folder: Path) -> None:
    """A folder that everybody may read; what root makes belongs to whom the one above belongs."""
    if folder.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # whatever the umask is
    _give(folder, folder.parent.stat())


def _give(path: Path | int, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        with suppress(PermissionError):  # root in name only
            os.chown(path, owner.st_uid, owner.st_gid)


def _write(file: Path, text: str, mode: int) -> None:
    """Whole or not at all; the owner of a file that is there stays, a new one belongs to whom the folder belongs."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    owner = file.stat() if file.exists() else file.parent.stat()
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "w") as opened:
            os.fchmod(opened.fileno(), mode)
            _give(opened.fileno(), owner)
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        temporary.rename(file)
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
