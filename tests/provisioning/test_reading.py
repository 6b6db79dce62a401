"""Copies on datastores are read, into a repository or only to see what they hold, over a real vSphere API."""

import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.provisioning.bench import Bench, FakeContext
from tests.vcsim import DISK
from vclab.library.content import Told
from vclab.library.repository import Repository
from vclab.model.errors import CopyLost, Interrupted, NotOurs, Refused, StepFailed, Unreachable
from vclab.model.revisions import Content, CopyJob, Place, RevisionRecord, Source, Wanted
from vclab.provisioning.vsphere import carriers, nfc, reading
from vclab.provisioning.vsphere.api import vim
from vclab.provisioning.vsphere.data import ImageData
from vclab.provisioning.vsphere.properties import read

MIB = 1 << 20
SIZE = 32 * MIB
BYTES = random.Random(1).randbytes(2 * MIB) + bytes(20 * MIB) + b"\x02" * MIB
MASTER = "masters/debian-12/1/disk.vmdk"
HERE, UNKNOWN = Place("lab-vcenter", "ds1"), Content()
RECORD = RevisionRecord(
    "debian-12",
    1,
    "Debian",
    "",
    0,
    "vsphere",
    "linux",
    1,
    512,
    datetime(2026, 1, 1, tzinfo=UTC),
    "olga",
    module_data=ImageData(master_path=MASTER, datastore="ds1", guest_id="debian12_64Guest").encoded(),
)


def put(bench: Bench, master: str, size: int) -> Path:
    """A thin master on ds1: the file with its bytes."""
    file = bench.simulator.datastore("ds1") / master
    file.parent.mkdir(parents=True, exist_ok=True)
    flat = file.with_name("disk-flat.vmdk")
    file.write_text(DISK.format(sectors=size // 512, flat=flat.name, rootfs="none") + 'ddb.thinProvisioned = "1"\n')
    flat.write_bytes(BYTES)
    os.truncate(flat, size)
    return flat


@pytest.fixture
def there(bench: Bench) -> Path:
    return put(bench, MASTER, SIZE)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.make(tmp_path / "images")


def job(repository: Repository, known: Content = UNKNOWN, **changes: Any) -> CopyJob:
    """It is wanted in the repository; ``known``: what its disk holds."""
    whole = CopyJob(
        wanted=Wanted("debian-12", 1, Place("", "main")),
        source=Source(storage="ds1", sha256=known.sha256, size=known.size, at=HERE),
        installation="vclab",
        module="vsphere",
        site="default",
        disk_gb=1,
        image_data=RECORD.module_data,
        repository=str(repository.folder),
        record=replace(RECORD, sha256=known.sha256, size=known.size),
    )
    return replace(whole, **changes)


def content_of(file: Path) -> Content:
    with file.open("rb") as opened:
        return Content(hashlib.file_digest(opened, "sha256").hexdigest(), file.stat().st_size)


def nothing_left(bench: Bench, repository: Repository) -> None:
    """Of what reads; the copy is untouched."""
    assert not [m.name for m in bench.machines() if m.name.startswith("vclab-export")]
    assert not list(bench.simulator.datastore("ds1").glob("vclab/images.of_vclab/export-*"))
    assert list((repository.folder / "incoming").iterdir()) == []


def test_a_copy_comes_into_a_repository(bench: Bench, there: Path, repository: Repository) -> None:
    before, context = content_of(there), FakeContext()
    assert bench.module.fetch_copy(context, job(repository)) == before
    kept = repository.find("debian-12", 1)
    assert kept is not None and repository.verify("debian-12", 1)
    assert (kept.sha256, kept.size, kept.title, kept.made_by) == (before.sha256, SIZE, "Debian", "olga")
    assert kept.module_data == ImageData(guest_id="debian12_64Guest").encoded(), "where else it is goes unsaid"
    assert repository.size("debian-12", 1) < 4 * MIB
    percents = [int(text.split()[1]) for text in context.told]
    assert percents == sorted(percents) and "copied 99 % (reading back)" in context.told
    nothing_left(bench, repository)
    assert content_of(there) == before


def test_it_can_be_read_while_machines_run_on_it(bench: Bench, there: Path, repository: Repository) -> None:
    target = bench.target(dedicated=False, disk_gb=1, image_data=RECORD.module_data)
    bench.load(target)
    assert bench.module.fetch_copy(FakeContext(), job(repository)) == content_of(there)
    bench.module.remove(FakeContext(), target)


@pytest.mark.parametrize("size", [3 * MIB + 512, 23 * MIB])
def test_what_vclab_has_brought_comes_back_with_its_length(
    bench: Bench, repository: Repository, tmp_path: Path, size: int
) -> None:
    """A datastore has whole KiB."""
    first = Repository.make(tmp_path / "first")

    def write(disk: Path, told: Told) -> None:
        disk.write_bytes(BYTES[:size])

    kept = first.keep(RECORD, size, write)
    known = Content(kept.sha256, kept.size)
    there = Source(repository=str(first.folder), sha256=kept.sha256, size=size)
    on_ds1 = Wanted("debian-12", 1, HERE)
    path = bench.module.make_copy(FakeContext(), job(repository, wanted=on_ds1, source=there)).path
    back = job(repository, known)
    back = replace(back, source=replace(back.source, path=path))
    assert bench.module.verify_copy(FakeContext(), back) == known
    assert bench.module.fetch_copy(FakeContext(), back) == known
    bench.module.remove_copy(FakeContext(), replace(back, wanted=on_ds1))


def test_other_bytes_than_it_should_have_are_not_kept(bench: Bench, there: Path, repository: Repository) -> None:
    known = content_of(there)
    with there.open("r+b") as file:
        file.write(b"other")
    with pytest.raises(StepFailed, match=f"other bytes came back than debian-12/1 has: .*, not {known.sha256}"):
        bench.module.fetch_copy(FakeContext(), job(repository, known))
    assert repository.find("debian-12", 1) is None
    nothing_left(bench, repository)
    assert bench.module.verify_copy(FakeContext(), job(repository, known)) == content_of(there) != known
    nothing_left(bench, repository)


def test_what_is_there_is_adopted_and_what_is_broken_there_is_replaced(
    bench: Bench, there: Path, repository: Repository
) -> None:
    found = bench.module.fetch_copy(FakeContext(), job(repository))
    again = FakeContext()
    assert bench.module.fetch_copy(again, job(repository)) == found
    assert not [text for text in again.told if "receiving" in text]
    with pytest.raises(StepFailed, match=r"is in .* already, with other bytes"):
        bench.module.fetch_copy(FakeContext(), job(repository, Content("00" * 32, found.size)))
    with repository.disk("debian-12", 1).open("r+b") as disk:
        disk.write(b"a bit has flipped")
    assert bench.module.fetch_copy(FakeContext(), job(repository, found)) == found
    assert repository.verify("debian-12", 1)


@contextmanager
def stopped_when(context: FakeContext, text: str) -> Iterator[list[float]]:
    """Ask to stop from outside, a moment after such progress; when that was."""
    asked: list[float] = []

    def stop() -> None:
        while not any(text in each for each in context.told):
            time.sleep(0.02)
        time.sleep(0.3)
        asked.append(time.monotonic())
        context.cancelled = True

    thread = threading.Thread(target=stop)
    thread.start()
    yield asked
    thread.join()


@pytest.mark.parametrize("read_copy", [lambda b: b.module.fetch_copy, lambda b: b.module.verify_copy])
def test_it_is_stopped_within_two_seconds_and_leaves_nothing(
    bench: Bench, there: Path, repository: Repository, read_copy: Any
) -> None:
    bench.simulator.control("POST", "/fault", {"kind": "task_delay", "task": "ExportVm", "ms": 60_000})
    context = FakeContext()
    with stopped_when(context, "waiting for a lease") as asked, pytest.raises(Interrupted):
        read_copy(bench)(context, job(repository))
    assert time.monotonic() - asked[0] < 2
    nothing_left(bench, repository)


@pytest.mark.parametrize("when", ["receiving", "unpacking", "reading back"])
def test_it_can_be_stopped_at_any_moment(bench: Bench, there: Path, repository: Repository, when: str) -> None:
    with pytest.raises(Interrupted):
        bench.module.fetch_copy(FakeContext(cancel_when=when), job(repository))
    assert repository.find("debian-12", 1) is None
    nothing_left(bench, repository)


def test_a_transfer_that_breaks_off_is_tried_again(bench: Bench, there: Path, repository: Repository) -> None:
    bench.simulator.control("POST", "/fault", {"kind": "broken_transfer", "count": 1})
    with pytest.raises(Unreachable, match="broke off the transfer"):
        bench.module.fetch_copy(FakeContext(), job(repository))
    nothing_left(bench, repository)
    assert bench.module.fetch_copy(FakeContext(), job(repository)) == content_of(there)


def test_what_a_killed_attempt_left_is_removed(
    bench: Bench, there: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while its lease lives: nothing else may change its machine for minutes."""
    killed = FakeContext(cancel_when="receiving")
    with monkeypatch.context() as gone:
        gone.setattr(nfc, "_abort", lambda held: None)
        gone.setattr(carriers, "discard", lambda site, carrier, machine: None)
        with pytest.raises(Interrupted):
            bench.module.fetch_copy(killed, job(repository))
    [left] = [m for m in bench.machines() if m.name.startswith("vclab-export")]
    with pytest.raises(vim.fault.TaskInProgress):
        left.ref.UnregisterVM()
    other = replace(job(repository), wanted=Wanted("debian-12", 1, Place("", "second")))
    bench.module.fetch_copy(FakeContext(), other)  # another reader is left alone
    assert [m.name for m in bench.machines() if m.name.startswith("vclab-export")] == [left.name]
    repository.remove("debian-12", 1)
    bench.module.fetch_copy(FakeContext(remembered=killed.kept), job(repository))
    nothing_left(bench, repository)


def test_a_copy_is_deleted_whoever_was_reading_it(
    bench: Bench, there: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Wanted("debian-12", 3, HERE)
    there_too = replace(job(repository), wanted=wanted)
    path = bench.module.make_copy(FakeContext(), there_too).path
    reads = replace(there_too, source=replace(there_too.source, path=path))
    with monkeypatch.context() as gone:
        gone.setattr(carriers, "discard", lambda site, carrier, machine: None)
        bench.module.verify_copy(FakeContext(), reads)
    assert [m.name for m in bench.machines() if m.name.startswith("vclab-export")]
    bench.module.remove_copy(FakeContext(), reads)
    nothing_left(bench, repository)
    assert not (bench.simulator.datastore("ds1") / "vclab/images.of_vclab/debian-12.3").exists()


def test_the_lease_is_kept_alive(
    bench: Bench, there: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while nothing comes."""
    monkeypatch.setattr(nfc, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(nfc, "ALIVE_SECONDS", 0.1)
    bench.simulator.control("POST", "/fault", {"kind": "task_delay", "task": "ExportVm", "ms": 3000})
    site, context = bench.site(), FakeContext()
    told: list[int] = []
    whole = nfc._attend

    def attend(held: Any, *given: Any) -> None:
        whole(held, *given)
        told.append((read(site.session, held, ["transferProgress"]) or {})["transferProgress"])

    monkeypatch.setattr(nfc, "_attend", attend)
    monkeypatch.setattr(nfc.Transfer, "percent", property(lambda self: 7, lambda self, value: None), raising=False)
    bench.module.verify_copy(context, job(repository))
    assert told == [7]


def test_what_is_too_large_is_refused(
    bench: Bench, there: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bench, "masters/large/disk.vmdk", 3 << 30)
    large = replace(job(repository), image_data=ImageData(master_path="masters/large/disk.vmdk").encoded())
    with pytest.raises(StepFailed, match=f"on ds1 of lab-vcenter has {3 << 30} bytes, not 1 GiB at most"):
        bench.module.fetch_copy(FakeContext(), large)
    with pytest.raises(StepFailed, match=f"has {SIZE} bytes, not {8 * MIB} bytes"):
        bench.module.fetch_copy(FakeContext(), job(repository, Content("", 8 * MIB)))
    with monkeypatch.context() as little:
        little.setattr(reading, "_most", lambda job: MIB)
        with pytest.raises(StepFailed, match="sends more than 1048576 bytes"):
            bench.module.fetch_copy(FakeContext(), job(repository))
    nothing_left(bench, repository)


def test_room_is_promised_while_it_comes(
    bench: Bench, there: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "STEP", MIB)
    asked: list[int] = []

    def promise(self: Repository, folder: Path, needs: int) -> None:
        asked.append(needs)
        raise Refused("the repository has no room")

    with monkeypatch.context() as full:
        full.setattr(Repository, "promise", promise)
        with pytest.raises(Refused, match="has no room"):
            bench.module.fetch_copy(FakeContext(), job(repository))
    nothing_left(bench, repository)
    assert asked == [2 * MIB]
    bench.module.fetch_copy(FakeContext(), job(repository))


@pytest.mark.parametrize("sent", [b"a text", b"QFI\xfb" + bytes(2000)])
def test_what_is_no_disk_is_refused(
    bench: Bench, there: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """What an endpoint sends is a claim."""
    whole = reading._Sent.readinto

    def readinto(self: Any, buffer: Any) -> int:
        count = whole(self, buffer)
        buffer[: min(count, len(sent))] = sent[:count]
        return count

    monkeypatch.setattr(reading._Sent, "readinto", readinto)
    with pytest.raises(StepFailed, match="lab-vcenter sends no disk that can be used"):
        bench.module.fetch_copy(FakeContext(), job(repository))
    with pytest.raises(StepFailed, match="is no VMDK as a stream"):
        bench.module.verify_copy(FakeContext(), job(repository))
    nothing_left(bench, repository)


def test_a_copy_that_is_not_there_is_named(bench: Bench, repository: Repository) -> None:
    missing = job(repository, image_data=ImageData(master_path="masters/none/disk.vmdk").encoded())
    for read_copy in (bench.module.fetch_copy, bench.module.verify_copy):
        with pytest.raises(CopyLost, match=r"\[ds1\] masters/none/disk.vmdk, the copy of debian-12/1 on ds1 of lab-"):
            read_copy(FakeContext(), missing)
    nothing_left(bench, repository)


def test_another_installation_reads_no_copies_here(bench: Bench, repository: Repository) -> None:
    for read_copy in (bench.module.fetch_copy, bench.module.verify_copy):
        with pytest.raises(NotOurs):
            read_copy(FakeContext(), job(repository, installation="other"))
