"""A repository: a folder with the revisions of images, each with its record.

    FOLDER/vclab-repository.json        that it is one
    FOLDER/images/IMAGE/NUMBER/         a revision: disk.raw, revision.json, and SHA256.map.gz, its block map
    FOLDER/reading/N                    locked by whoever streams from here
    FOLDER/captures/INSTALLATION/ID/    what is being captured, found by no image (vclab/library/captures.py)
    FOLDER/incoming/TOKEN/              what is being written, or was when somebody died
    FOLDER/leaving/TOKEN/               what is being deleted
    FOLDER/transit/ID/                  files that people send and fetch (vclab/library/transit.py)

A revision has its name only when all of it is on the disk and was read back. Nothing in it is changed afterwards; a
block map that is missing, or does not belong to its content, is made anew.
Several processes may use a repository at one time: whoever writes holds a lock that goes with its process.
"""

import fcntl
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from vclab.library import block_map, content
from vclab.library.block_map import BadMap, BlockMap
from vclab.library.content import Told, nobody
from vclab.library.durable import failing, locked, sync_folder, synced, write_synced
from vclab.model.errors import NotFound, Refused, StepFailed, Unreachable
from vclab.model.revisions import Content, RevisionRecord

MARK = "vclab-repository.json"
DISK, RECORD, PROMISED = "disk.raw", "revision.json", "promised"
LONGEST_RECORD = 1 << 20
"""Bytes of a record: what is longer was not written by vclab."""
LOOK_AGAIN = 0.5
"""Seconds until whoever waits for a place among the readers looks again."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
_HASH = re.compile(r"[0-9a-f]{64}")
_JSON = TypeAdapter(RevisionRecord)


class OtherBytes(StepFailed):
    """A revision's disk does not hold what its record says."""


Write = Callable[[Path, Told], None]
"""Writes a disk as a new raw file, telling how far it is."""


@dataclass(frozen=True)
class Room:
    """Bytes: free on the file system, and of them promised to what is being written."""

    free: int
    promised: int

    @property
    def left(self) -> int:
        """What may be promised now."""
        return self.free - self.promised


class Repository:
    """One repository. Methods block. They raise ``Unreachable`` when its file system fails or is full."""

    def __init__(self, folder: Path) -> None:
        """Raises ``Refused`` when this folder is no repository, ``Unreachable`` when it is not there (mounted)."""
        self.folder = folder
        with failing(folder):
            try:
                mark = json.loads((folder / MARK).read_bytes()[:LONGEST_RECORD])
            except FileNotFoundError:
                raise Unreachable(f"there is no repository in {folder}", "is its file system mounted?") from None
            except ValueError:
                mark = None
        if not isinstance(mark, dict) or mark.get("version") != 1:
            raise Refused(f"{folder / MARK} is not that of a repository, or of a newer vclab")

    @classmethod
    def make(cls, folder: Path) -> "Repository":
        """Make a repository in an empty or new folder; one that is there is left as it is. Raises ``Refused``."""
        with failing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / MARK).exists():
                if any(folder.iterdir()):
                    raise Refused(f"{folder} is not empty, and no repository", "give a folder of its own")
                for name in ("images", "incoming", "leaving"):
                    (folder / name).mkdir(exist_ok=True)
                write_synced(folder / MARK, json.dumps({"version": 1, "id": uuid.uuid4().hex}).encode())
        return cls(folder)

    # What there is.

    def find(self, image: str, revision: int) -> RevisionRecord | None:
        """A revision's record; None when it is not here. Raises ``StepFailed`` when it can't be understood."""
        folder = self.place(image, revision)
        with failing(self.folder):
            try:
                return _read_record(folder, image, revision)
            except FileNotFoundError:
                return None

    def size(self, image: str, revision: int) -> int:
        """The bytes that a revision takes on the repository's disk. Raises ``NotFound``."""
        with failing(self.folder):
            return content.allocated(self.disk(image, revision))

    def records(self) -> Iterator[RevisionRecord | StepFailed]:
        """All records, by image and number; in the place of one that can't be understood, what is wrong with it."""
        with failing(self.folder):
            images = sorted(p.name for p in (self.folder / "images").iterdir() if _NAME.fullmatch(p.name))
            for image in images:
                numbers = sorted(int(p.name) for p in (self.folder / "images" / image).iterdir() if _is_number(p.name))
                for number in numbers:
                    try:
                        found = self.find(image, number)
                    except StepFailed as wrong:
                        yield wrong
                    else:
                        yield found or StepFailed(f"{image}/{number} in {self.folder} has no {RECORD}")

    def disk(self, image: str, revision: int) -> Path:
        """The file with its bytes, to be read only. Raises ``NotFound``."""
        with failing(self.folder):
            if not (disk := self.place(image, revision) / DISK).exists():
                raise NotFound(f"{image}/{revision} is not in the repository {self.folder}")
            return disk

    def room(self) -> Room:
        """What is free, and what is promised of it."""
        with failing(self.folder):
            return self._room()

    # What changes it.

    def keep(
        self,
        record: RevisionRecord,
        needs: int,
        write: Write,
        told: Told = nobody,
        complete: Callable[[RevisionRecord, Path], RevisionRecord] = lambda record, disk: record,
    ) -> RevisionRecord:
        """Keep a new revision: ``write`` makes its disk, of at most ``needs`` bytes. Its record as it is kept;
        ``complete`` adds what only the disk tells.

        ``record.sha256`` and ``.size`` may be empty: then they are what was written. ``told`` is told of writing, then
        of reading back. Raises ``Refused`` when there is no room or another revision of that number, ``OtherBytes``
        when other bytes come back than the record says; and what ``write`` and ``told`` raise.
        """
        final = self.place(record.image, record.revision)
        with failing(self.folder), self._incoming(needs) as folder:
            write(folder / DISK, told)
            found = block_map.make(synced(folder / DISK), told)
            kept = complete(_agreed(record, found.content), folder / DISK)
            write_synced(folder / block_map.file_name(kept.sha256), found.packed())
            write_synced(folder / RECORD, _JSON.dump_json(kept, indent=2))
            self._name(folder, final, kept)
        return kept

    def verify(self, image: str, revision: int, told: Told = nobody) -> bool:
        """Whether its bytes are those of its record. Raises ``NotFound``."""
        record = self.find(image, revision)
        if record is None:
            raise NotFound(f"{image}/{revision} is not in the repository {self.folder}")
        with failing(self.folder):
            try:
                return content.read(self.place(image, revision) / DISK, told) == Content(record.sha256, record.size)
            except FileNotFoundError:
                return False

    def block_map(self, image: str, revision: int, told: Told = nobody) -> BlockMap:
        """The map of its disk; one that is missing or does not belong to it is made, by reading all of the disk.

        Raises ``NotFound``, ``OtherBytes`` when the disk is not what its record says, and what ``told`` raises.
        """
        record = self.find(image, revision)
        if record is None:
            raise NotFound(f"{image}/{revision} is not in the repository {self.folder}")
        wanted = Content(record.sha256, record.size)
        with failing(self.folder):
            disk, beside = self.disk(image, revision), self.place(image, revision) / block_map.file_name(record.sha256)
            if disk.stat().st_size == record.size and (found := _read_map(beside, wanted)):
                return found
            made = block_map.make(disk, told)
            _agreed(record, made.content)
            with locked(self.folder / "lock"):
                new = beside.with_suffix(".new")
                new.unlink(missing_ok=True)
                write_synced(new, made.packed())
                new.rename(beside)
                sync_folder(beside.parent)
            return made

    @contextmanager
    def reading(self, at_once: int, told: Callable[[], None]) -> Iterator[None]:
        """One of so many who stream from here at one time, in whatever process. Until one of these places is free
        ``told`` is called now and then; what it raises ends the waiting. Bounds what is read from the repository's
        disks: whoever streams the same image meanwhile, or soon after, finds it in the page cache."""
        folder = self.folder / "reading"
        with failing(self.folder):
            folder.mkdir(exist_ok=True)
            place = _free_place(folder, at_once)
        while place is None:
            told()
            time.sleep(LOOK_AGAIN)
            with failing(self.folder):
                place = _free_place(folder, at_once)
        with place:
            yield

    def remove(self, image: str, revision: int) -> None:
        """Delete a revision. Harmless when it is not here. It is gone by its name at once, then its bytes go."""
        self.leave(self.place(image, revision))

    def leave(self, there: Path) -> None:
        """Delete a folder of the repository; harmless when it is not there. Its name is gone at once."""
        with failing(self.folder):
            leaving = self.folder / "leaving" / uuid.uuid4().hex
            with suppress(FileNotFoundError):
                there.rename(leaving)
                sync_folder(leaving.parent)
            shutil.rmtree(leaving, ignore_errors=True)

    def sweep(self) -> int:
        """Delete what was half-written or half-deleted when somebody died. How many there were."""
        with failing(self.folder):
            with locked(self.folder / "lock"):
                dead = [folder for folder in (self.folder / "incoming").iterdir() if not _is_written(folder)]
            dead += (self.folder / "leaving").iterdir()
            for folder in dead:
                shutil.rmtree(folder, ignore_errors=True)
            return len(dead)

    def promise(self, folder: Path, needs: int) -> None:
        """Promise a folder of ``scratch`` more: so many bytes in all. Raises ``Refused`` when there is no room."""
        with failing(self.folder), locked(self.folder / "lock"), (folder / PROMISED).open("r+b") as promised:
            self._must_have(needs - int(promised.read()))
            promised.seek(0)
            promised.write(str(needs).encode())

    def place(self, image: str, revision: int) -> Path:
        """The folder of a revision, whether it is there or not. Raises ``Refused`` for what can't be one."""
        if not _NAME.fullmatch(image) or not 0 < revision < 1_000_000_000:
            raise Refused(f"{image[:80]!r}, revision {revision}, can't be in a repository")
        return self.folder / "images" / image / str(revision)

    # Inside.

    @contextmanager
    def scratch(self, needs: int) -> Iterator[Path]:
        """A folder for at most so many bytes, which goes with what is in it. Raises ``Refused`` when there is no
        room."""
        with failing(self.folder), self._incoming(needs) as folder:
            yield folder

    @contextmanager
    def _incoming(self, needs: int) -> Iterator[Path]:
        """A folder of its own, with room promised; it is deleted if it still has that name afterwards."""
        folder = self.folder / "incoming" / uuid.uuid4().hex
        with locked(self.folder / "lock"):
            self._must_have(needs)
            folder.mkdir()
            mine = (folder / PROMISED).open("xb")
            fcntl.flock(mine, fcntl.LOCK_EX)
            mine.write(str(needs).encode())
            mine.flush()
        try:
            with mine:
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _must_have(self, needs: int) -> None:
        """Raises ``Refused`` when there is no room for so many bytes more."""
        room = self._room()
        if needs > room.left:
            text = f"the repository {self.folder} has no room for {needs} bytes: {max(room.left, 0)} are left"
            raise Refused(text, "retire revisions, or enlarge its file system")

    def _room(self) -> Room:
        here = os.statvfs(self.folder)
        written = [folder for folder in (self.folder / "incoming").iterdir() if _is_written(folder)]
        return Room(here.f_bavail * here.f_frsize, sum(map(_promised, written)))

    def _name(self, folder: Path, final: Path, record: RevisionRecord) -> None:
        """Give it its name: whole, or not at all. The same revision may have got there first."""
        final.parent.mkdir(exist_ok=True)
        try:
            folder.rename(final)
        except OSError:
            there = self.find(record.image, record.revision)
            if there is None or there.sha256 != record.sha256:
                what = f"{record.image}/{record.revision}"
                raise Refused(f"{what} is in {self.folder} already, with other bytes") from None
        else:
            (final / PROMISED).unlink()
        sync_folder(final.parent)
        sync_folder(final.parent.parent)


def _agreed(record: RevisionRecord, found: Content) -> RevisionRecord:
    """The record with the content that was read back. Raises ``OtherBytes``."""
    if record.sha256 and Content(record.sha256, record.size) != found:
        what = f"{record.image}/{record.revision}"
        raise OtherBytes(f"other bytes came back than {what} has: SHA-256 {found.sha256}, not {record.sha256}")
    return replace(record, sha256=found.sha256, size=found.size)


def _read_map(file: Path, wanted: Content) -> BlockMap | None:
    """None: it is not there, or not the map of this content. Raises ``OSError``."""
    try:
        with file.open("rb") as held:
            found = block_map.unpacked(held.read(block_map.LONGEST))
    except (FileNotFoundError, BadMap):
        return None
    return found if found.content == wanted else None


def _read_record(folder: Path, image: str, revision: int) -> RevisionRecord:
    """Raises ``StepFailed`` and ``FileNotFoundError``."""
    with (folder / RECORD).open("rb") as file:
        said = file.read(LONGEST_RECORD + 1)
    try:
        record = _JSON.validate_json(said) if len(said) <= LONGEST_RECORD else None
    except ValidationError:
        record = None
    if record is None or (record.image, record.revision) != (image, revision) or not _HASH.fullmatch(record.sha256):
        raise StepFailed(f"{folder / RECORD} is not the record of {image}/{revision}")
    return record


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and not name.startswith("0") and len(name) < 10


# --- rooms and locks ------------------------------------------------------------------------------------------------


def _promised(folder: Path) -> int:
    """What it may still take."""
    try:
        needs = int((folder / PROMISED).read_bytes()[:20])
        taken = sum(content.allocated(file) for file in folder.iterdir() if file.name != PROMISED)
    except (OSError, ValueError):
        return 0
    return max(0, needs - taken)


def _is_written(folder: Path) -> bool:
    """Whether somebody who lives writes there."""
    try:
        with (folder / PROMISED).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _free_place(folder: Path, at_once: int) -> BinaryIO | None:
    """The locked file of a place among so many; None: all are taken. Closing it gives the place back."""
    for number in range(1, at_once + 1):
        place = (folder / str(number)).open("ab")
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            place.close()
        else:
            return place
    return None
