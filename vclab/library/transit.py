"""Files on their way to or from a repository.

    FOLDER/transit/ID/.about    what it is to be
    FOLDER/transit/ID/NAME      what is there of it

Several processes may use it at one time: who writes a file holds its lock, which goes with its process.
"""

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from vclab.library import content
from vclab.library.content import Told, nobody
from vclab.library.durable import failing, synced, write_synced
from vclab.library.repository import Repository
from vclab.model.errors import NotFound, Refused

TRANSIT, ABOUT = "transit", ".about"
_LONGEST = 1 << 16
_ID = re.compile(r"[0-9a-f]{32}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class About:
    """What a file is to be."""

    name: str
    size: int
    sha256: str
    by: str


_JSON = TypeAdapter(About)


class Transit:
    """The files on their way of a repository. Methods block. They raise ``Unreachable`` when its file system fails or
    is full, and ``NotFound`` for a file that is not here."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._folder = repository.folder / TRANSIT

    def there(self) -> list[str]:
        """Their ids."""
        with failing(self._folder):
            return sorted(p.name for p in self._folder.iterdir() if _is_one(p)) if self._folder.is_dir() else []

    def announce(self, about: About) -> str:
        """Make an empty one: its id. Raises ``Refused`` when there is no room for it."""
        left = self._repository.room().left
        if about.size > left:
            raise Refused(f"the repository has no room for {about.size} bytes: {max(left, 0)} are left")
        id = secrets.token_hex(16)
        with failing(self._folder):
            folder = self._folder / id
            folder.mkdir(parents=True)
            self._file(id, about).touch()
            write_synced(folder / ABOUT, _JSON.dump_json(about))
        return id

    def about(self, id: str) -> About:
        """What it is to be."""
        if not _ID.fullmatch(id):
            raise NotFound(f"there is no file {id[:80]!r} on its way")
        with failing(self._folder):
            try:
                return _JSON.validate_json((self._folder / id / ABOUT).read_bytes()[:_LONGEST])
            except (FileNotFoundError, ValidationError):
                raise NotFound(f"there is no file {id} on its way") from None

    def received(self, id: str) -> int:
        """The bytes that are there."""
        with failing(self._folder):
            return self.file(id).stat().st_size

    def touched(self, id: str) -> float:
        """When it was last written, in seconds since 1970."""
        with failing(self._folder):
            return self.file(id).stat().st_mtime

    def file(self, id: str) -> Path:
        """Where its bytes are. Raises ``NotFound``."""
        return self._file(id, self.about(id))

    def open(self, id: str, offset: int) -> "Writer":
        """What writes what follows ``offset``. Raises ``Refused`` when other bytes are there, or somebody writes it."""
        about = self.about(id)
        with failing(self._folder):
            file = self._file(id, about).open("r+b", buffering=0)
            try:
                return Writer(self._folder, file, about, offset)
            except BaseException:
                file.close()
                raise

    def check(self, id: str, told: Told = nobody) -> Path:
        """The file, all of which is there, and right. Raises ``Refused``."""
        about, file = self.about(id), self.file(id)
        with failing(self._folder):
            found = content.read(file, told) if self.received(id) == about.size else None
        if found is None:
            raise Refused(f"only {self.received(id)} of {about.size} bytes of {about.name} are here", "send the rest")
        if found.sha256 != about.sha256:
            raise Refused(f"{about.name} has arrived with other bytes than it was announced with", "send it again")
        return file

    def make(self, name: str, by: str, write: Callable[[Path], None], told: Told = nobody) -> str:
        """Have a new file written, to be fetched: its id. Nothing is left when that fails."""
        id = secrets.token_hex(16)
        folder, file = self._folder / id, self._file(id, About(name, 0, "", by))
        try:
            with failing(self._folder):
                folder.mkdir(parents=True)
            write(file)
            with failing(self._folder):
                found = content.read(synced(file), told)
                write_synced(folder / ABOUT, _JSON.dump_json(About(name, found.size, found.sha256, by)))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return id

    def remove(self, id: str) -> None:
        """Delete it; harmless when it is gone."""
        if _ID.fullmatch(id):
            shutil.rmtree(self._folder / id, ignore_errors=True)

    def sweep(self, kept: float) -> int:
        """Delete those that nobody has touched for so many seconds. How many."""
        old = [id for id in self.there() if self._age(id) > kept]
        for id in old:
            self.remove(id)
        return len(old)

    def _age(self, id: str) -> float:
        """Of one that was half made, that of its folder."""
        try:
            return time.time() - self.touched(id)
        except NotFound:
            with failing(self._folder):
                return time.time() - (self._folder / id).stat().st_mtime

    def _file(self, id: str, about: About) -> Path:
        return self._folder / id / (_UNSAFE.sub("_", about.name)[-100:].lstrip(".") or "disk")


class Writer:
    """Appends to a file, which nobody else writes meanwhile; zeros stay holes. Methods block."""

    def __init__(self, folder: Path, file: FileIO, about: About, at: int) -> None:
        """Raises ``Refused``."""
        self._folder, self._file, self._about, self._at = folder, file, about, at
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"somebody sends {about.name} already", "try again when that has ended") from None
        received = os.fstat(file.fileno()).st_size
        if at != received:
            raise Refused(f"{received} bytes of {about.name} are here, not {at}", more={"received": received})

    def write(self, piece: bytes) -> None:
        """Raises ``Refused`` for more than was announced, ``Unreachable`` when the disk is full."""
        if self._at + len(piece) > self._about.size:
            raise Refused(f"{self._about.name} was announced with {self._about.size} bytes, and has more")
        with failing(self._folder):
            content.write(self._file.fileno(), self._at, memoryview(piece))
            self._at += len(piece)
            os.ftruncate(self._file.fileno(), self._at)

    def close(self) -> None:
        """What was written is on the disk then."""
        with failing(self._folder), self._file:
            os.fsync(self._file.fileno())


def _is_one(folder: Path) -> bool:
    return bool(_ID.fullmatch(folder.name))
