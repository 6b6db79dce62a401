"""A repository keeps revisions whole or not at all, whoever dies, and finds each bit that has changed."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.disks import small_disk
from tests.labfixture import eventually
from vclab.library import content
from vclab.library.content import Told
from vclab.library.repository import OtherBytes, Repository, Write
from vclab.model.errors import NotFound, Refused, StepFailed, Unreachable
from vclab.model.revisions import Hardware, RevisionRecord

MIB = 1 << 20
RECORD = RevisionRecord(
    image="debian-12",
    revision=3,
    title="Debian 12 für alle",
    sha256="",
    size=0,
    module="vsphere",
    guest="linux",
    cpus=1,
    memory_mb=1024,
    made_at=datetime(2026, 11, 27, 10, 0, tzinfo=UTC),
    made_by="olga",
    hardware=Hardware("efi", "pvscsi", "vmxnet3", "debian12_64Guest"),
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "repository")


def writes(*parts: bytes, size: int = 8 * MIB) -> Write:
    """Writes these, and a hole."""

    def write(target: Path, told: Told) -> None:
        target.write_bytes(b"".join(parts))
        os.truncate(target, size)

    return write


def leftovers(repository: Repository) -> list[str]:
    return [each.name for name in ("incoming", "leaving") for each in (repository.folder / name).iterdir()]


def test_a_revision_is_kept_found_read_and_removed(repository: Repository) -> None:
    kept = repository.keep(RECORD, 8 * MIB, writes(b"boot"))
    assert (kept.size, len(kept.sha256)) == (8 * MIB, 64)
    assert repository.find("debian-12", 3) == kept and repository.find("debian-12", 4) is None
    assert list(repository.records()) == [kept]
    assert repository.size("debian-12", 3) < MIB
    assert repository.disk("debian-12", 3).read_bytes()[:4] == b"boot"
    assert {each.name for each in repository.disk("debian-12", 3).parent.iterdir()} == {
        *("disk.raw", "revision.json", f"{kept.sha256}.map.gz")
    }
    assert repository.verify("debian-12", 3)
    assert leftovers(repository) == [] and repository.room().promised == 0
    repository.remove("debian-12", 3)
    repository.remove("debian-12", 3)
    assert list(repository.records()) == [] and leftovers(repository) == []
    with pytest.raises(NotFound):
        repository.disk("debian-12", 3)


def test_a_bit_that_flips_is_found(repository: Repository) -> None:
    repository.keep(RECORD, 8 * MIB, writes(b"boot"))
    with repository.disk("debian-12", 3).open("r+b") as file:
        file.seek(5 * MIB)
        file.write(b"\x01")
    assert not repository.verify("debian-12", 3)
    repository.disk("debian-12", 3).unlink()
    assert not repository.verify("debian-12", 3)


def test_other_bytes_than_the_record_says_are_not_kept(repository: Repository) -> None:
    kept = repository.keep(RECORD, 8 * MIB, writes(b"boot"))
    with pytest.raises(StepFailed, match="other bytes came back than debian-12/4 has"):
        repository.keep(replace(kept, revision=4), 8 * MIB, writes(b"bOot"))
    assert repository.find("debian-12", 4) is None and leftovers(repository) == []


def test_a_revision_is_never_written_over(repository: Repository) -> None:
    kept = repository.keep(RECORD, 8 * MIB, writes(b"boot"))
    assert repository.keep(RECORD, 8 * MIB, writes(b"boot")) == kept, "the same again is harmless"
    with pytest.raises(Refused, match="already, with other bytes"):
        repository.keep(RECORD, 8 * MIB, writes(b"other"))
    assert repository.verify("debian-12", 3) and leftovers(repository) == []


def test_room_is_promised_before_a_byte_is_written(repository: Repository) -> None:
    left = repository.room().left
    with pytest.raises(Refused, match=r"has no room for \d+ bytes: \d+ are left"):
        repository.keep(RECORD, left + 64 * MIB, writes(b"boot"))

    def write(target: Path, told: Told) -> None:
        assert repository.room().promised == 4 * MIB
        with pytest.raises(Refused, match="has no room"):
            repository.keep(replace(RECORD, revision=4), left - MIB, writes(b"x"))
        target.write_bytes(bytes(range(256)) * 4096)
        os.sync()
        assert repository.room().promised == 3 * MIB, "what is written is not free any more"

    repository.keep(RECORD, 4 * MIB, write)
    assert repository.room().promised == 0


def test_more_room_is_promised_when_it_turns_out_to_be_needed(repository: Repository) -> None:
    with repository.scratch(MIB) as folder:
        repository.promise(folder, 12 * MIB)
        assert repository.room().promised == 12 * MIB
        (folder / "came.vmdk").write_bytes(bytes(range(256)) * 4096)
        os.sync()
        assert repository.room().promised == 11 * MIB
        with pytest.raises(Refused, match="has no room"):
            repository.promise(folder, repository.room().left + 64 * MIB)
        assert repository.room().promised == 11 * MIB
    assert repository.room().promised == 0


def _hang(folder: Path) -> None:
    def write(target: Path, told: Told) -> None:
        target.write_bytes(b"half")
        time.sleep(60)

    Repository(folder).keep(RECORD, 4 * MIB, write)


def test_what_a_killed_process_left_is_swept_and_what_is_written_is_not(repository: Repository) -> None:
    writer = multiprocessing.get_context("forkserver").Process(target=_hang, args=(repository.folder,))
    writer.start()
    eventually(lambda: list(repository.folder.glob("incoming/*/disk.raw")), 30)
    assert repository.sweep() == 0 and repository.room().promised > 3 * MIB
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(20)
    assert repository.room().promised == 0, "a dead process is promised nothing"
    assert repository.sweep() == 1 and leftovers(repository) == []
    assert repository.keep(RECORD, 8 * MIB, writes(b"boot")).size == 8 * MIB


def test_whoever_is_told_may_end_it(repository: Repository) -> None:
    class Stop(Exception):
        pass

    def told(done: int, size: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        repository.keep(RECORD, 8 * MIB, writes(b"boot"), told)
    assert repository.find("debian-12", 3) is None and leftovers(repository) == []


@pytest.mark.parametrize("said", ["", "[]", "{}", "null", "x" * (2 << 20)])
def test_a_record_that_is_not_one_is_named_and_hides_no_other(repository: Repository, said: str) -> None:
    repository.keep(RECORD, 8 * MIB, writes(b"boot"))
    kept = repository.keep(replace(RECORD, revision=12), 8 * MIB, writes(b"boot"))
    (repository.folder / "images/debian-12/3/revision.json").write_text(said)
    wrong, right = repository.records()
    assert isinstance(wrong, StepFailed) and "is not the record of debian-12/3" in str(wrong)
    assert right == kept


def test_a_record_of_another_revision_is_refused(repository: Repository) -> None:
    repository.keep(RECORD, 8 * MIB, writes(b"boot"))
    (repository.folder / "images/debian-12/3").rename(repository.folder / "images/debian-12/4")
    with pytest.raises(StepFailed, match="is not the record of debian-12/4"):
        repository.find("debian-12", 4)


@pytest.mark.parametrize("name", ["../etc", "", ".", "..", "a/b", "a" * 200, "Ä", "a b", "a\x00b", "-x-"])
def test_a_name_leads_nowhere_else(repository: Repository, name: str) -> None:
    for act in (repository.find, repository.verify, repository.remove, repository.disk):
        with pytest.raises(Refused, match="can't be in a repository"):
            act(name, 1)


def test_only_a_repository_is_taken_for_one(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="is its file system mounted"):
        Repository(tmp_path)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(Refused, match="is not empty, and no repository"):
        Repository.make(tmp_path)
    (tmp_path / "vclab-repository.json").write_text(json.dumps({"version": 2}))
    with pytest.raises(Refused, match="of a newer vclab"):
        Repository(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Repository]:
    """On a file system of 16 MiB."""
    with small_disk(tmp_path / "small", 16) as folder:
        yield Repository.make(folder)


def test_a_disk_that_fills_in_the_middle_leaves_nothing(small: Repository, tmp_path: Path) -> None:
    """Others may fill it, whatever was promised."""
    (tmp_path / "master").write_bytes(os.urandom(12 * MIB))

    def write(target: Path, told: Told) -> None:
        (small.folder / "others").write_bytes(bytes(9 * MIB))
        content.copy(tmp_path / "master", target, told)

    with pytest.raises(Unreachable, match="No space left on device"):
        small.keep(RECORD, 12 * MIB, write)
    assert leftovers(small) == [] and small.find("debian-12", 3) is None


# --- block maps -----------------------------------------------------------------------------------------------------


def test_a_map_is_read_not_made_again(repository: Repository) -> None:
    repository.keep(RECORD, 8 * MIB, writes(b"boot"))
    found = repository.block_map("debian-12", 3, told=_never)
    assert found.content == content.read(repository.disk("debian-12", 3)) and found.travels == content.PIECE


def _never(done: int, size: int) -> None:
    raise AssertionError("the disk was read")


@pytest.mark.parametrize("what", ["missing", "foreign", "cut off"])
def test_a_map_that_is_none_of_this_content_is_made_anew(repository: Repository, what: str) -> None:
    kept = repository.keep(RECORD, 8 * MIB, writes(b"boot"))
    other = repository.keep(replace(RECORD, revision=4), 8 * MIB, writes(b"other"))
    good = repository.block_map("debian-12", 3)
    beside = repository.disk("debian-12", 3).parent / f"{kept.sha256}.map.gz"
    held, foreign = beside.read_bytes(), repository.disk("debian-12", 4).parent / f"{other.sha256}.map.gz"
    beside.unlink()
    if what != "missing":
        beside.write_bytes(foreign.read_bytes() if what == "foreign" else held[:-10])
    assert repository.block_map("debian-12", 3) == good
    assert beside.read_bytes() == held and repository.block_map("debian-12", 3, told=_never) == good


def test_no_map_is_made_of_other_bytes_than_the_record_says(repository: Repository) -> None:
    kept = repository.keep(RECORD, 8 * MIB, writes(b"boot"))
    disk = repository.disk("debian-12", 3)
    (disk.parent / f"{kept.sha256}.map.gz").unlink()
    with disk.open("r+b") as file:
        file.write(b"root")
    with pytest.raises(OtherBytes):
        repository.block_map("debian-12", 3)
    assert not list(disk.parent.glob("*.map*"))


def test_not_more_stream_from_a_repository_at_one_time_than_may(repository: Repository) -> None:
    class Waited(Exception):
        pass

    def wait() -> None:
        raise Waited

    with repository.reading(2, wait):
        with repository.reading(2, wait), pytest.raises(Waited), repository.reading(2, wait):
            raise AssertionError("a third one reads")
        with repository.reading(2, wait):
            pass


def test_whoever_streams_and_dies_gives_its_place_back(repository: Repository) -> None:
    streams = multiprocessing.get_context("spawn").Process(target=_stream_for_ever, args=(repository.folder,))
    streams.start()
    eventually(lambda: (repository.folder / "reading" / "1").exists() and _is_taken(repository))
    assert streams.pid is not None
    os.kill(streams.pid, signal.SIGKILL)
    streams.join()
    assert not _is_taken(repository)


def _is_taken(repository: Repository) -> bool:
    try:
        with repository.reading(1, _taken):
            return False
    except InterruptedError:
        return True


def _taken() -> None:
    raise InterruptedError


def _stream_for_ever(folder: Path) -> None:
    with Repository(folder).reading(1, lambda: None):
        signal.pause()
