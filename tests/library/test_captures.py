"""What is being captured lies in a repository whole or not at all, found by no image, until it becomes a revision."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.library.test_repository import MIB, RECORD, leftovers
from vclab.library import content
from vclab.library.captures import Captures, Held, Write
from vclab.library.content import Told
from vclab.library.repository import OtherBytes, Repository
from vclab.model.errors import NotFound, Refused, StepFailed
from vclab.model.revisions import Content, RevisionRecord

CAPTURE = "c1f3k9"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "repository")


@pytest.fixture
def captures(repository: Repository) -> Captures:
    return Captures(repository, "vclab")


def writes(held: bytes, size: int = 8 * MIB) -> Write:
    """Writes that and a hole."""

    def write(target: Path, told: Told) -> Content:
        target.write_bytes(held)
        os.truncate(target, size)
        return content.read(target)

    return write


def sealed(captures: Captures, held: bytes = b"sealed") -> RevisionRecord:
    """It is kept; the record that it is to have."""
    found = captures.keep(CAPTURE, Held.SEALED, 8 * MIB, writes(held))
    return replace(RECORD, sha256=found.sha256, size=found.size)


def test_disks_are_kept_and_found_by_no_image(repository: Repository, captures: Captures) -> None:
    assert (captures.there(), captures.has(CAPTURE), captures.find(CAPTURE, Held.RAW)) == ([], False, None)
    kept = captures.keep(CAPTURE, Held.RAW, 8 * MIB, writes(b"raw"))
    assert captures.find(CAPTURE, Held.RAW) == kept
    assert kept.content == content.read(captures.disk(CAPTURE, Held.RAW))
    assert captures.disk(CAPTURE, Held.RAW).read_bytes()[:3] == b"raw"
    assert (captures.there(), list(repository.records()), leftovers(repository)) == ([CAPTURE], [], [])
    with pytest.raises(NotFound, match="no sealed disk of the capture"):
        captures.disk(CAPTURE, Held.SEALED)


def test_a_disk_that_is_kept_again_takes_the_place_of_the_other(captures: Captures) -> None:
    captures.keep(CAPTURE, Held.RAW, 8 * MIB, writes(b"first"))
    again = captures.keep(CAPTURE, Held.RAW, 8 * MIB, writes(b"again"))
    assert captures.find(CAPTURE, Held.RAW) == again
    assert captures.disk(CAPTURE, Held.RAW).read_bytes()[:5] == b"again"


def test_nothing_is_there_when_it_breaks_off(repository: Repository, captures: Captures) -> None:
    """The node goes away; other bytes come back than it sent; there is no room."""

    def breaks_off(target: Path, told: Told) -> Content:
        target.write_bytes(b"half")
        raise StepFailed("the node is gone")

    def lies(target: Path, told: Told) -> Content:
        return replace(writes(b"one")(target, told), sha256="ab" * 32)

    for write, error in ((breaks_off, StepFailed), (lies, OtherBytes)):
        with pytest.raises(error):
            captures.keep(CAPTURE, Held.RAW, 8 * MIB, write)
    with pytest.raises(Refused, match="no room"):
        captures.keep(CAPTURE, Held.RAW, 1 << 60, writes(b"raw"))
    assert (captures.there(), leftovers(repository)) == ([], [])


def test_it_is_published_at_once_and_for_good(repository: Repository, captures: Captures) -> None:
    captures.keep(CAPTURE, Held.RAW, 8 * MIB, writes(b"raw"))
    record = sealed(captures)
    for _ in range(2):
        assert captures.publish(CAPTURE, RECORD) == record
    assert repository.find(record.image, record.revision) == record
    assert repository.verify(record.image, record.revision)
    beside = repository.disk(record.image, record.revision).parent
    map_file = next(beside.glob("*.map.gz")).stat().st_mtime_ns
    assert repository.block_map(record.image, record.revision).content == Content(record.sha256, record.size)
    assert next(beside.glob("*.map.gz")).stat().st_mtime_ns == map_file, "it came along"
    for _ in range(2):
        captures.discard(CAPTURE)
    assert captures.there() == []
    assert repository.verify(record.image, record.revision)


def test_what_is_not_right_is_not_published(repository: Repository, captures: Captures) -> None:
    """There is none; the revision is there already."""
    with pytest.raises(StepFailed, match="no sealed disk"):
        captures.publish(CAPTURE, RECORD)
    record = sealed(captures)

    def other(disk: Path, told: Told) -> None:
        disk.write_bytes(b"other")

    repository.keep(RECORD, 8 * MIB, other)
    with pytest.raises(StepFailed, match="already"):
        captures.publish(CAPTURE, record)
    captures.withdraw(CAPTURE, record.image, record.revision)
    assert repository.find(record.image, record.revision) is not None, "it is another one's"


def test_what_is_withdrawn_is_gone(repository: Repository, captures: Captures) -> None:
    record = sealed(captures)
    captures.publish(CAPTURE, record)
    captures.withdraw("another", record.image, record.revision)
    assert repository.find(record.image, record.revision) is not None
    for _ in range(2):
        captures.withdraw(CAPTURE, record.image, record.revision)
    assert (repository.find(record.image, record.revision), leftovers(repository)) == (None, [])


def test_what_died_while_it_was_published_is_published_again(repository: Repository, captures: Captures) -> None:
    """Between the record and the new name."""
    record = sealed(captures)
    folder = captures.disk(CAPTURE, Held.SEALED).parent
    (folder / "captured").write_text("half")
    (folder / "revision.json").write_text("half")
    captures.publish(CAPTURE, record)
    assert repository.find(record.image, record.revision) == record


def test_an_installation_sees_its_own_only(repository: Repository, captures: Captures) -> None:
    other = Captures(repository, "other")
    other.keep(CAPTURE, Held.RAW, 8 * MIB, writes(b"theirs"))
    assert (captures.there(), other.there()) == ([], [CAPTURE])
    captures.discard(CAPTURE)
    assert other.has(CAPTURE)


@pytest.mark.parametrize("id", ["", "../x", "a/b", ".", "x" * 70])
def test_an_id_that_is_none(captures: Captures, id: str) -> None:
    with pytest.raises(StepFailed, match="not the id of a capture"):
        captures.has(id)
