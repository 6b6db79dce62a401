"""The library: revisions of images, imported and exported, promoted and retired, verified, copied, deleted."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field
from sqlalchemy.orm import Session

from vclab.library import content, formats, partitions
from vclab.library.content import Told
from vclab.library.formats import Format, Found
from vclab.library.repository import Repository
from vclab.model import catalog as model
from vclab.model.errors import Invalid, NotFound, Refused, StepFailed, Unreachable
from vclab.model.revisions import CopyState, Origin, Place, RevisionRecord, RevisionState, Wanted, disk_gib
from vclab.service import checks, images
from vclab.service.finding import known
from vclab.service.retiring import Named
from vclab.service.use_case import Call, Rule, act, read
from vclab.service.views import Time, View
from vclab.store import catalog, copies, copy_jobs, repositories, revisions
from vclab.store.repositories import RepositoryFacts
from vclab.store.revisions import CopyFacts, RevisionFacts

LONGEST_NOTES = 1000
FIRMWARES = ("bios", "efi")


class CopyView(View):
    """A copy of a revision."""

    place: str  #: "ds1 of vc1", "the repository main"
    endpoint: str | None  #: None: it is in a repository
    storage: str  #: or the repository
    state: CopyState
    why: str
    since: Time
    ours: bool  #: vclab has made it, and may delete it
    verified_at: Time | None  #: all its bytes were read, and right
    waiting: int  #: reservations that wait for it
    children: tuple[str, ...]  #: computers whose disks are made from it


class RevisionView(View):
    """A revision, where it comes from, and where it is."""

    image: str
    revision: int
    state: RevisionState
    sha256: str  #: of all bytes of its disk; empty: never read
    size: int  #: bytes of its disk; 0: not known
    made_at: Time | None
    made_by: str
    parent: str  #: the revision that it was made from: "debian-12/3"; empty: none
    reservation: str  #: in which it was made
    notes: str
    untried: bool  #: it was captured, and published without a boot test
    differs: int  #: bytes that were written since it was its parent; 0: not known
    retired_at: Time | None
    copies: tuple[CopyView, ...]


class Numbered(Named):
    """A revision of an image."""

    revision: int


class Import(Named):
    """A disk image's file becomes a revision of an image; what is None is as in the revision in production."""

    file: str
    title: str | None = None
    cpus: int | None = None
    memory_mb: int | None = None
    ports: tuple[int, ...] | None = None
    root_access: bool | None = None
    module: str | None = None
    guest: str | None = None
    firmware: str | None = None
    controller: str | None = None
    card: str | None = None
    dedicated: bool | None = None
    notes: str = ""
    repository: str | None = None
    data: dict[str, str] = Field(default_factory=dict)


class Export(Named):
    """A revision becomes a file; None: the one in production."""

    file: str
    revision: int | None = None
    format: str = "qcow2"


class Exported(View):
    """A file that was written."""

    file: str
    format: str
    bytes: int  #: that it takes
    sha256: str  #: of the disk's content


class CopyTo(Numbered):
    """A copy is wanted: on a datastore of an endpoint, or in a repository. ``at_once``: whatever night the settings
    name."""

    endpoint: str | None = None
    datastore: str | None = None
    repository: str | None = None
    at_once: bool = False

    def place(self) -> Place:
        """Where. Raises ``Invalid`` when that is not said, or twice."""
        if self.repository and not self.endpoint and not self.datastore:
            return Place("", self.repository)
        if self.endpoint and self.datastore and not self.repository:
            return Place(self.endpoint, self.datastore)
        raise Invalid("say where the copy is to be", "give --endpoint and --datastore, or else --repository")


@read(Rule.ANYBODY)
async def history(call: Call, question: Named) -> tuple[RevisionView, ...]:
    """All revisions of an image, newest first."""

    def ask(session: Session) -> tuple[RevisionView, ...]:
        images.known_image(session, question.name)
        return tuple(_view(question.name, each) for each in revisions.history(session, question.name))

    return await call.backend.read(ask)


@act(Rule.KEEPERS)
async def import_image(call: Call, question: Import) -> RevisionView:
    """Take a disk image into the library. The first revision of an image is in production, others are for tests."""
    checks.name(question.name, "an image")
    file, notes = Path(question.file), _notes(question.notes)
    entry = await _entry(call, question.repository)
    found = await call.backend.work(lambda told: formats.inspect(file), f"looking at {file.name}")
    image, state = await call.backend.read(lambda session: _planned(session, call, question, found))
    record = image.record(Origin(made_at=datetime.now(UTC), made_by=call.actor.login, notes=notes))

    def keep(told: Told) -> RevisionRecord:
        return _opened(entry).keep(
            record,
            formats.needs(file, found),
            lambda disk, heard: _written(file, found, disk, heard),
            told,
            _with_firmware,
        )

    kept = await call.backend.work(keep, f"importing {file.name}")
    return await call.backend.write(lambda session: _recorded(session, entry, image, state, kept))


@act(Rule.KEEPERS)
async def export_image(call: Call, question: Export) -> Exported:
    """Write a revision to a new file, with the same content."""
    wanted = checks.one_of(question.format, "format", tuple(Format))
    file = Path(question.file)
    number, entry, found = await call.backend.read(lambda session: _kept(session, question.name, question.revision))

    def write(told: Told) -> None:
        _export(_opened(entry).disk(question.name, number), file, Format(wanted), found.origin.sha256, told)

    await call.backend.work(write, f"exporting {question.name}/{number}")
    size = content.allocated(file)
    return Exported(file=str(file), format=wanted, bytes=size, sha256=found.origin.sha256)


@act(Rule.KEEPERS)
async def promote(call: Call, question: Numbered) -> RevisionView:
    """New reservations, and those for later, get this revision. The one before is a test revision then."""
    return await _changed(call, question, lambda s: revisions.promote(s, question.name, question.revision))


@act(Rule.KEEPERS)
async def retire(call: Call, question: Numbered) -> RevisionView:
    """It can't be reserved any more, and its idle copies are deleted. `restore` takes that back."""
    now = datetime.now(UTC)
    return await _changed(call, question, lambda s: revisions.retire(s, question.name, question.revision, now))


@act(Rule.KEEPERS)
async def restore(call: Call, question: Numbered) -> RevisionView:
    """A retired revision is a test revision again."""
    return await _changed(call, question, lambda s: revisions.restore(s, question.name, question.revision))


@act(Rule.KEEPERS)
async def delete(call: Call, question: Numbered) -> RevisionView:
    """Delete a retired revision and the copies that vclab has made of it. Refused while anything needs it.

    They are deleted in the background; what the endpoint itself says is needed stays.
    """
    name, number, now = question.name, question.revision, datetime.now(UTC)
    client = await call.backend.reservations()

    def begin(session: Session) -> tuple[RevisionView, list[Wanted]]:
        before = _one(session, name, number)
        leaving = revisions.begin_deletion(session, name, number, now)
        return _view(name, revisions.one(session, name, number) if leaving else before), leaving

    view, leaving = await call.backend.write(begin)
    for wanted in leaving:
        await client.remove_copy(wanted)
    return view


@act(Rule.KEEPERS)
async def verify(call: Call, question: Numbered) -> RevisionView:
    """Read its copies in repositories back, all of them. One that has other bytes is broken from then on."""
    name, number = question.name, question.revision
    found = await call.backend.read(lambda s: _one(s, name, number))
    entries = await call.backend.read(repositories.all_of_them)
    there = {copy.place for copy in found.copies if copy.state is not CopyState.COPYING}
    held = [each for each in entries if Place("", each.name) in there]
    if not held:
        raise Refused(f"{name}/{number} is in no repository", "only what is there can be read back")
    for entry in held:

        def look(told: Told, entry: RepositoryFacts = entry) -> bool:
            return _opened(entry).verify(name, number, told)

        why = "" if await call.backend.work(look, f"reading {name}/{number} in {entry.name}") else "it has other bytes"
        now = datetime.now(UTC)
        await call.backend.write(
            lambda s, of=entry.name, why=why, now=now: repositories.holds(s, of, name, number, now, why)  # type: ignore[misc]
        )
    return await call.backend.read(lambda s: _view(name, _one(s, name, number)))


@act(Rule.KEEPERS)
async def copy(call: Call, question: CopyTo) -> RevisionView:
    """Have a copy made on a datastore, before anybody waits for one, or in a repository: in the night, if the settings
    name one."""
    wanted, now = Wanted(question.name, question.revision, question.place()), datetime.now(UTC)
    rules = call.backend.settings.rules()
    client = await call.backend.reservations()

    def begin(session: Session) -> str:
        if _one(session, question.name, question.revision).state is RevisionState.RETIRED:
            raise Refused(f"revision {question.revision} of {question.name} is retired")
        _can_be_copied(session, wanted)
        copies.begin(session, wanted, now, kept=True)
        if not wanted.place.endpoint:
            copy_jobs.job(session, wanted, rules)  # that there is nothing to make it from is said at once
        return copies.why_broken(session, wanted)

    if why_not := await call.backend.write(begin):
        raise Refused(why_not)
    if question.at_once or rules.library.may_begin(now):
        await client.copy(wanted)
    return await call.backend.read(lambda s: _view(question.name, _one(s, question.name, question.revision)))


# What is asked about.


async def _changed(call: Call, question: Numbered, change: Any) -> RevisionView:
    def write(session: Session) -> RevisionView:
        _one(session, question.name, question.revision)
        change(session)
        return _view(question.name, revisions.one(session, question.name, question.revision))

    return await call.backend.write(write)


def _one(session: Session, image: str, number: int) -> RevisionFacts:
    images.known_image(session, image)
    return revisions.one(session, image, number)


def _can_be_copied(session: Session, wanted: Wanted) -> None:
    """Raises ``NotFound``, and ``Refused`` when there can be no copy there."""
    image, place = catalog.revision(session, wanted.image, wanted.revision), wanted.place
    if not place.endpoint:
        entries = {each.name: each for each in repositories.all_of_them(session)}
        known("repository", place.storage, entries, "`vclab repository list` lists them")
        if not checks.traits(image.module).from_library:
            raise Refused(f"the module {image.module} makes no machines from images of the library")
        return
    endpoints = {each.name: each for each in catalog.endpoints(session)}
    found = known("endpoint", place.endpoint, endpoints, "`vclab endpoint list` lists them")
    if found.module != image.module or not checks.traits(image.module).copies:
        raise Refused(f"{found.name}, of the module {found.module}, can have no copy of {image.name}")


def _kept(session: Session, image: str, number: int | None) -> tuple[int, RepositoryFacts, RevisionFacts]:
    """The number of a revision, and a repository that has it."""
    number = number or images.known_image(session, image).revision
    found, entries = revisions.one(session, image, number), repositories.all_of_them(session)
    for entry in entries:
        for each in found.copies:
            if each.place == Place("", entry.name) and each.state is CopyState.USABLE:
                return number, entry, found
    raise NotFound(f"{image}/{number} is in no repository")


async def _entry(call: Call, name: str | None) -> RepositoryFacts:
    """The repository of that name, else the only one of this site."""
    entries = await call.backend.read(repositories.all_of_them)
    if name:
        return known("repository", name, {e.name: e for e in entries}, "`vclab repository list` lists them")
    here = [each for each in entries if each.site == call.backend.settings.site]
    if len(here) == 1:
        return here[0]
    if not here:
        raise Refused(f"the site {call.backend.settings.site} has no repository", "`vclab repository add` adds one")
    raise Invalid("there are several repositories", f"name one: --repository {here[0].name}")


def _opened(entry: RepositoryFacts) -> Repository:
    return Repository(Path(entry.folder))


def _notes(text: str) -> str:
    return checks.line(text, "the notes", LONGEST_NOTES) if text else ""


# Importing and exporting.


def _planned(session: Session, call: Call, question: Import, found: Found) -> tuple[model.Image, RevisionState]:
    """The image as it is going to be. Raises ``Invalid``, ``Refused``."""
    before = images.find(session, question.name)
    module = question.module or (before.module if before else images.DEFAULT_MODULE)
    if not checks.traits(module).from_library:
        raise Refused(f"the module {module} makes no machines from images of the library")
    number = catalog.newest_revision(session, question.name) + 1
    fields = question.model_dump(include=set(images.Add.model_fields), exclude_none=True)
    asked = images.Add(**{**fields, "disk_gb": disk_gib(found.size)})
    image = images.planned(call, asked, before, number)
    given = {word: getattr(question, word) for word in ("firmware", "controller", "card")}
    hardware = replace(image.hardware, **{word: value for word, value in given.items() if value is not None})
    if hardware.firmware:
        checks.one_of(hardware.firmware, "firmware", FIRMWARES)
    dedicated = image.dedicated if question.dedicated is None else question.dedicated
    state = RevisionState.TEST if before else RevisionState.PRODUCTION
    return replace(image, hardware=hardware, dedicated=dedicated), state


def _written(file: Path, found: Found, disk: Path, told: Told) -> None:
    if found.format is Format.RAW:
        content.copy(file, disk, told)
    else:
        formats.to_raw(file, found, disk, told)


def _with_firmware(record: RevisionRecord, disk: Path) -> RevisionRecord:
    """As it was given, or as the disk's partition table says. Raises ``Refused``."""
    firmware = record.hardware.firmware or partitions.firmware(disk)
    if not firmware:
        raise Refused("the disk has no partition table that tells its firmware", "say it: --firmware bios or efi")
    return replace(record, hardware=replace(record.hardware, firmware=firmware))


def _recorded(
    session: Session, entry: RepositoryFacts, image: model.Image, state: RevisionState, kept: RevisionRecord
) -> RevisionView:
    image, lent = replace(image, hardware=kept.hardware), checks.traits(image.module).lent
    catalog.put_image(session, image, lent, state, kept.origin)
    repositories.holds(session, entry.name, image.name, image.revision, datetime.now(UTC))
    return _view(image.name, revisions.one(session, image.name, image.revision))


def _export(disk: Path, file: Path, wanted: Format, sha256: str, told: Told) -> None:
    """A new file, whole or not at all. Raises ``StepFailed`` when a raw one has another hash than it should have."""
    if file.exists():
        raise Refused(f"{file} exists", "give another name")
    part = file.with_name(f".{file.name}.part")
    try:
        folder = os.statvfs(file.parent)
        if folder.f_bavail * folder.f_frsize < content.allocated(disk):
            raise Refused(f"{file.parent} has no room for {content.allocated(disk)} bytes")
        part.unlink(missing_ok=True)
        if wanted is Format.RAW:
            if content.copy(disk, part, told).sha256 != sha256:
                raise StepFailed(f"{disk} has other bytes than it should have", "`vclab image verify` marks it broken")
        else:
            formats.from_raw(disk, part, wanted, told)
        part.rename(file)
    except OSError as error:
        raise Unreachable(f"{file} can't be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)


# What is shown.


def _view(image: str, found: RevisionFacts) -> RevisionView:
    origin = found.origin
    return RevisionView(
        image=image,
        revision=found.number,
        state=found.state,
        sha256=origin.sha256,
        size=origin.size,
        made_at=origin.made_at,
        made_by=origin.made_by,
        parent=f"{origin.parent_image or image}/{origin.parent}" if origin.parent else "",
        reservation=origin.reservation,
        notes=origin.notes,
        untried=origin.untried,
        differs=origin.differs,
        retired_at=found.retired_at,
        copies=tuple(map(_copy_view, found.copies)),
    )


def _copy_view(copy: CopyFacts) -> CopyView:
    return CopyView(
        place=str(copy.place),
        endpoint=copy.place.endpoint or None,
        storage=copy.place.storage,
        state=copy.state,
        why=copy.why,
        since=copy.since,
        ours=copy.ours,
        verified_at=copy.verified_at,
        waiting=copy.waiting,
        children=copy.children,
    )
