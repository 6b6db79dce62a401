"""Revisions in a repository, read and deleted by the activities of copies."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.copies import CopyActivities
from vclab.library import content
from vclab.library.repository import Repository
from vclab.model.catalog import Image
from vclab.model.revisions import Content, CopyJob, Place, RevisionRecord, Source, Wanted
from vclab.store import Store, catalog, copies, repositories
from vclab.store.engine import open_store
from vclab.store.repositories import RepositoryFacts

BYTES = os.urandom(5 << 20)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The copy is recorded."""

    def enter(session: Session) -> None:
        catalog.put_image(session, Image("suse", "SUSE", 1, "vsphere", "linux", 1, 512, 1))
        repositories.put(session, RepositoryFacts("main", "default", str(tmp_path / "images")), NOW)
        repositories.holds(session, "main", "suse", 1, NOW)

    made = open_store(f"sqlite:///{tmp_path}/vclab.db")
    made.migrate()
    made.run(enter)
    yield made
    made.close()


@pytest.fixture
def activities(store: Store) -> Iterator[CopyActivities]:
    with ThreadPoolExecutor(2) as executor:
        yield CopyActivities({}, store, executor)


@pytest.fixture
def job(tmp_path: Path) -> CopyJob:
    """About a revision that a repository keeps."""
    folder = tmp_path / "images"
    record = RevisionRecord("suse", 1, "SUSE", "", 0, "vsphere", "linux", 1, 512, NOW, "olga")
    kept = Repository.make(folder).keep(record, len(BYTES), lambda disk, told: _write(disk))
    source = Source(repository=str(folder), sha256=kept.sha256, size=kept.size)
    return CopyJob(Wanted("suse", 1, Place("", "main")), source, "test", "", "default", 1)


def _write(disk: Path) -> None:
    disk.write_bytes(BYTES)


async def test_it_is_read_and_what_is_not_there_is_empty(activities: CopyActivities, job: CopyJob) -> None:
    disk = Repository(Path(job.source.repository)).disk("suse", 1)
    found = await ActivityEnvironment().run(activities.verify_copy, job)
    assert found == Content(job.source.sha256, job.source.size) == content.read(disk)
    with disk.open("r+b") as file:
        file.seek(3 << 20)
        file.write(bytes([BYTES[3 << 20] ^ 1]))
    assert (await ActivityEnvironment().run(activities.verify_copy, job)).sha256 != job.source.sha256
    disk.unlink()
    assert await ActivityEnvironment().run(activities.verify_copy, job) == Content()


async def test_it_is_deleted_and_that_again_is_harmless(activities: CopyActivities, job: CopyJob, store: Store) -> None:
    with pytest.raises(ApplicationError, match="is not to be deleted any more"):  # an attempt that hung
        await ActivityEnvironment().run(activities.remove_copy, job)
    assert list(Path(job.source.repository).glob("*/*/*/disk.raw"))
    store.run(lambda s: copies.leave_use(s, job.wanted, NOW))
    for _ in range(2):
        await ActivityEnvironment().run(activities.remove_copy, job)
    assert not list(Path(job.source.repository).glob("*/*/*/disk.raw"))
