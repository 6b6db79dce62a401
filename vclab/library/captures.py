"""What is being captured, in a repository: disks that no image's name finds, until one of them becomes a revision.

    FOLDER/captures/INSTALLATION/ID/raw/       disk.raw and SHA256.map.gz: what the captured computer held
    FOLDER/captures/INSTALLATION/ID/sealed/    the same, without what belongs to one computer or person
    FOLDER/images/IMAGE/NUMBER/captured        the id of the capture that has made this revision

Installations may share a repository, and none deletes what another one captures. A disk has its name only when all of
it is on the repository's disk and was read back. Published, the sealed one is renamed as it is, with the revision's
record beside it.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter

from vclab.library import block_map
from vclab.library.block_map import BadMap, BlockMap
from vclab.library.content import Told, nobody
from vclab.library.durable import failing, locked, sync_folder, synced, write_synced
from vclab.library.repository import DISK, PROMISED, RECORD, OtherBytes, Repository
from vclab.model.errors import NotFound, StepFailed
from vclab.model.revisions import Content, RevisionRecord

CAPTURES, MARK = "captures", "captured"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LONGEST_MARK = 100
_JSON = TypeAdapter(RevisionRecord)

Write = Callable[[Path, Told], Content]
"""Writes a disk as a new raw file, telling how far it is: what it has written."""


class Held(StrEnum):
    """A disk of a capture."""

    RAW = "raw"
    SEALED = "sealed"


class Captures:
    """Those of an installation in a repository. Methods block. They raise ``Unreachable`` when its file system fails or
    is full."""

    def __init__(self, repository: Repository, installation: str) -> None:
        """Raises ``StepFailed``."""
        self._repository = repository
        self._folder = repository.folder / CAPTURES / _checked(installation, "name of an installation")

    def there(self) -> list[str]:
        """The ids of captures that have a folder here, by name."""
        with failing(self._repository.folder), suppress(FileNotFoundError):
            return sorted(each.name for each in self._folder.iterdir() if _ID.fullmatch(each.name))
        return []

    def has(self, capture: str) -> bool:
        """Whether something of it is here, which is not published."""
        with failing(self._repository.folder):
            return self._of(capture).is_dir()

    def find(self, capture: str, held: Held) -> BlockMap | None:
        """The map of a disk, which was read back when it was kept; None: there is no such disk."""
        with failing(self._repository.folder):
            for file in sorted((self._of(capture) / held).glob(block_map.file_name("*"))):
                with suppress(BadMap):
                    return block_map.unpacked(file.read_bytes()[: block_map.LONGEST])
        return None

    def disk(self, capture: str, held: Held) -> Path:
        """The file with its bytes, to be read only. Raises ``NotFound``."""
        if self.find(capture, held) is None:
            raise NotFound(f"the repository {self._repository.folder} has no {held} disk of the capture {capture}")
        return self._of(capture) / held / DISK

    def keep(self, capture: str, held: Held, needs: int, write: Write, told: Told = nobody) -> BlockMap:
        """Keep a disk, of at most ``needs`` bytes, in the place of one that is there. ``told`` is told of writing, then
        of reading back.

        Raises ``Refused`` when there is no room, ``OtherBytes`` when other bytes come back than were written; and what
        ``write`` and ``told`` raise.
        """
        repository, final = self._repository, self._of(capture) / held
        with failing(repository.folder), repository.scratch(needs) as folder:
            written = write(folder / DISK, told)
            found = block_map.make(synced(folder / DISK), told)
            if found.content != written:
                raise OtherBytes(f"the repository {repository.folder} reads back other bytes than were written")
            write_synced(folder / block_map.file_name(found.sha256), found.packed())
            repository.leave(final)
            final.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(final)
            (final / PROMISED).unlink()
            for each in (final.parent, self._folder, self._folder.parent, repository.folder):
                sync_folder(each)
        return found

    def publish(self, capture: str, record: RevisionRecord) -> RevisionRecord:
        """The sealed disk becomes the revision's. Its record as it is kept: ``sha256`` and ``size`` are the disk's.
        Twice is harmless. Raises ``StepFailed`` when there is none, or the revision is there already, and not this
        capture's."""
        repository, folder = self._repository, self._of(capture) / Held.SEALED
        final = repository.place(record.image, record.revision)
        if self._published(final) == capture and (there := repository.find(record.image, record.revision)):
            return there
        found = self.find(capture, Held.SEALED)
        if found is None:
            raise StepFailed(f"there is no sealed disk of {capture} in {repository.folder}")
        record = replace(record, sha256=found.sha256, size=found.size)
        with failing(repository.folder), locked(repository.folder / "lock"):
            if final.exists():
                raise StepFailed(f"{record.image}/{record.revision} is in {repository.folder} already")
            for name, held in ((MARK, capture.encode()), (RECORD, _JSON.dump_json(record, indent=2))):
                (folder / name).unlink(missing_ok=True)
                write_synced(folder / name, held)
            final.parent.mkdir(exist_ok=True)
            folder.rename(final)
            for each in (final.parent, final.parent.parent, folder.parent):
                sync_folder(each)
        return record

    def withdraw(self, capture: str, image: str, revision: int) -> None:
        """Delete the revision that ``publish`` has made; harmless when there is none. Another one stays."""
        there = self._repository.place(image, revision)
        if self._published(there) == capture:
            self._repository.leave(there)

    def discard(self, capture: str, held: Held | None = None) -> None:
        """Delete a disk of it, or all that is not published; harmless when it is gone."""
        self._repository.leave(self._of(capture) / held if held else self._of(capture))

    def _published(self, there: Path) -> str:
        """The capture that has made the revision in this folder; empty: none has."""
        with failing(self._repository.folder), suppress(FileNotFoundError):
            return (there / MARK).read_text()[:_LONGEST_MARK]
        return ""

    def _of(self, capture: str) -> Path:
        return self._folder / _checked(capture, "id of a capture")


def _checked(name: str, what: str) -> str:
    if not _ID.fullmatch(name):
        raise StepFailed(f"{name[:80]!r} is not the {what}")
    return name
