"""Copies on datastores, read: into a repository, or only to see what they hold.

vCenter gives the bytes of a machine's disk: one is made whose disk is an empty child of the copy, so that nothing of
the copy is touched, and deleted when its disk has been read. What comes is a claim: no more is taken than the disk can
have, and it is looked at before it is converted.
"""

import http
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from vclab.library import formats, vmdk_stream
from vclab.library.content import Told
from vclab.library.formats import Format, Found
from vclab.library.pace import paced
from vclab.library.repository import OtherBytes, Repository
from vclab.library.telling import stopping
from vclab.model.errors import CopyLost, Refused, StepFailed, Unreachable
from vclab.model.revisions import Content, CopyJob, Place, RevisionRecord
from vclab.model.steps import StepContext
from vclab.provisioning.vsphere import carriers, files, nfc
from vclab.provisioning.vsphere.api import Ref
from vclab.provisioning.vsphere.carriers import Carrier
from vclab.provisioning.vsphere.data import ImageData
from vclab.provisioning.vsphere.faults import explained
from vclab.provisioning.vsphere.folder import machine_folder
from vclab.provisioning.vsphere.images import source_of
from vclab.provisioning.vsphere.site import Site

STALL_SECONDS = 120.0
"""For which an endpoint may send nothing in the middle of a disk."""
STEP = 256 << 20
"""Bytes of room that are promised at a time to what comes: how much it will be nobody knows before."""


def place_of(job: CopyJob) -> Place:
    """Where the copy is that is read."""
    return job.source.at or job.wanted.place


def fetch_copy(site: Site, job: CopyJob, context: StepContext) -> Content:
    """Have the copy in the repository. One that is there, whole, is adopted; one that is broken there is replaced."""
    wanted, repository, record = job.wanted, Repository(Path(job.repository)), _record(job)
    there, reading_back = repository.find(wanted.image, wanted.revision), nfc.telling(context, "reading back", 80, 99)
    if there is not None and repository.verify(wanted.image, wanted.revision, reading_back):
        if record.sha256 and record.sha256 != there.sha256:
            raise StepFailed(f"{wanted} is in {repository.folder} already, with other bytes")
        return Content(there.sha256, there.size)
    with repository.scratch(STEP) as scratch:
        came = _received(site, job, repository, scratch / "came.vmdk", context)

        def write(disk: Path, told: Told) -> None:
            formats.to_raw(came.file, came.found, disk, nfc.telling(context, "unpacking", 60, 80))
            if record.size:
                os.truncate(disk, record.size)  # a datastore may have rounded it up

        if there is not None:
            repository.remove(wanted.image, wanted.revision)
        try:
            kept = repository.keep(record, came.needs, write, reading_back)
        except OtherBytes as wrong:
            raise CopyLost(str(wrong)) from None
    return Content(kept.sha256, kept.size)


def verify_copy(site: Site, job: CopyJob, context: StepContext) -> Content:
    """Read the copy as it comes. Nothing of it is kept."""
    with _sent(site, job, "verify", stopping(context), context) as sent:
        return vmdk_stream.read(sent, job.source.size, nfc.telling(context, "reading back", 0, 99))


# Into a repository.


@dataclass(frozen=True)
class _Came:
    """A disk as it was sent, and what it is."""

    file: Path
    found: Found
    needs: int  #: bytes of its content, at most


def _record(job: CopyJob) -> RevisionRecord:
    """As it is kept: where else its content is the library does not say."""
    if job.record is None:
        raise StepFailed(f"nothing is known of {job.wanted} that could be kept with it")
    data = ImageData.of(job.record.module_data, f"the image {job.wanted.image}, revision {job.wanted.revision},")
    return replace(job.record, module_data=data.without_content().encoded())


def _received(site: Site, job: CopyJob, repository: Repository, file: Path, context: StepContext) -> _Came:
    """In a scratch folder with room for ``STEP`` bytes, which grows."""
    promised, told = STEP, nfc.telling(context, "receiving", 0, 60)
    with file.open("xb") as kept, _sent(site, job, f"to.{job.wanted.place.storage}", told, context) as sent:
        while chunk := sent.read(nfc.CHUNK):
            if kept.tell() + len(chunk) > promised:
                promised += STEP
                repository.promise(file.parent, promised)
            _write(kept, chunk)
    return _looked_at(site, job, file)


def _write(file: BinaryIO, chunk: bytes) -> None:
    """The repository's trouble is not the endpoint's. Raises ``Unreachable``."""
    try:
        file.write(chunk)
    except OSError as error:
        raise Unreachable(f"{file.name} can't be written: {error.strerror}") from None


def _looked_at(site: Site, job: CopyJob, file: Path) -> _Came:
    """Raises ``CopyLost`` when it is not as long as it was; ``StepFailed`` when it is no disk, refers to other files,
    or is too large."""
    try:
        found = formats.inspect(file)
        needs = formats.needs(file, found)
    except Refused as refused:
        raise StepFailed(f"{site.endpoint.name} sends no disk that can be used: {refused.message}") from None
    if found.format is not Format.VMDK:
        raise StepFailed(f"{site.endpoint.name} sends a disk as {found.format}, not as VMDK")
    text, size = f"the copy of {job.wanted} on {place_of(job)} has {found.size} bytes", job.source.size
    if size and not 0 <= found.size - size < vmdk_stream.ROUNDED:
        raise CopyLost(f"{text}, not {size} bytes")
    if found.size > job.disk_gb << 30:
        raise StepFailed(f"{text}, not {job.disk_gb} GiB at most")
    return _Came(file, found, needs)


# From the endpoint.


@contextmanager
def _sent(site: Site, job: CopyJob, reader: str, told: Told, context: StepContext) -> Iterator[io.BufferedReader]:
    """The copy's disk, as it comes; ``told`` is told how much of it has. Nothing is left on the endpoint then."""
    path, what = source_of(job), f"the copy of {job.wanted} on {place_of(job)}"
    carrier = carriers.of_export(job.installation, files.split(path)[0], job.wanted, reader)
    with explained(f"reading {what}"):
        carriers.sweep(site, carrier, context)
        files.must_be_there(site, path, what)
        note = f"vclab ({job.installation}) reads the copy of {job.wanted}; do not edit."
        capacity = job.source.size or job.disk_gb << 30
        with (
            child(site, carrier, path, note, context) as machine,
            exported(site, machine, capacity, paced(told, job.rate), context) as stream,
        ):
            yield stream


@contextmanager
def exported(site: Site, machine: Ref, capacity: int, told: Told, context: StepContext) -> Iterator[io.BufferedReader]:
    """The disk of a machine, of at most so many bytes, as it comes; ``told`` is told how much of it has."""
    context.progress("copied 0 % (waiting for a lease)")
    with nfc.lease(site, machine.ExportVm(), context) as info, nfc.transfer(site, info, context) as over:
        yield io.BufferedReader(_Sent(over, info, told, _most(capacity)), nfc.CHUNK)


@contextmanager
def child(site: Site, carrier: Carrier, path: str, note: str, context: StepContext) -> Iterator[Ref]:
    """A machine whose disk is an empty child of the disk at that path. Nothing is left of it then."""
    host, folder, machine = carriers.host(site, carrier.datastore), machine_folder(site), None
    context.fence()
    carriers.prepare(site, carrier)
    try:
        spec = carriers.definition(carrier, note, parent=path)
        machine = site.finish(folder.CreateVM_Task(spec, host.pool, host.ref))
        yield machine
    finally:
        carriers.discard(site, carrier, machine)


class _Sent(io.RawIOBase):
    """The bytes of an answer. Raises ``StepFailed`` when there are more than the disk can take."""

    def __init__(self, over: nfc.Transfer, info: Any, told: Told, most: int) -> None:
        self._over, self._told, self._most, self._done = over, told, most, 0
        over.wait_at_most(nfc.ANSWER_SECONDS)
        over.connection.request("GET", over.path)
        self._answer = over.connection.getresponse()
        if self._answer.status != http.HTTPStatus.OK:
            text = self._answer.read(1000).decode("utf-8", "replace").strip()
            raise StepFailed(f"{over.host} does not give the disk: {self._answer.status} {text}")
        over.wait_at_most(STALL_SECONDS)
        capacity = (info.totalDiskCapacityInKB or 0) * 1024
        self._size = max(1, self._answer.length or capacity)  # without a length, no more than that

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; 0: that was all."""
        chunk = self._answer.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._done += len(chunk)
        if self._done > self._most:
            raise StepFailed(f"{self._over.host} sends more than {self._most} bytes, which are more than the disk has")
        self._over.percent = min(99, 100 * self._done // self._size)
        self._told(min(self._done, self._size), self._size)
        return len(chunk)


def _most(capacity: int) -> int:
    """The bytes that are taken of what is sent, at most: a disk that can't be compressed, and its tables."""
    return capacity + capacity // 32 + (64 << 20)
