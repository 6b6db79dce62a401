"""The library: revisions of images, imported and exported, promoted and retired, verified, copied, deleted."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from vclab.contract import library as contract
from vclab.contract.images import Add as AddImage
from vclab.contract.library import CopyTo, CopyView, Export, Exported, Import, Numbered, RevisionView
from vclab.contract.retiring import Named
from vclab.library import content, formats, partitions
from vclab.library.content import Told
from vclab.library.formats import Format, Found
from vclab.library.repository import Repository
from vclab.library.transit import Transit
from vclab.model import catalog as model
from vclab.model.access import Permission
from vclab.model.errors import Invalid, NotFound, Refused, StepFailed, Unreachable
from vclab.model.revisions import CopyState, Origin, Place, RevisionRecord, RevisionState, Wanted, disk_gib
from vclab.model.typed import known
from vclab.service import checks, images, transfers
from vclab.service.repositories import entry_of
from vclab.service.use_case import Call, does
from vclab.store import catalog, copies, copy_jobs, repositories, revisions
from vclab.store.repositories import RepositoryFacts
from vclab.store.revisions import CopyFacts, RevisionFacts

LONGEST_NOTES = 1000

FIRMWARES = ("bios", "efi")


@does(contract.history)
async def history(call: Call, question: Named) -> tuple[RevisionView, ...]:
    def ask(session: Session) -> tuple[RevisionView, ...]:
        images.shown_image(session, call, question.name)
        return tuple(_view(question.name, each) for each in revisions.history(session, question.name))

    return await call.backend.read(ask)


@does(contract.import_image)
async def import_image(call: Call, question: Import) -> RevisionView:
    checks.name(question.name, "an image")
    notes, entry = _notes(question.notes), await entry_of(call, question.repository)
    file = await _given(call, question)
    found = await call.work(lambda told: formats.inspect(file), f"looking at {file.name}")
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

    kept = await call.work(keep, f"importing {file.name}")
    view = await call.backend.write(lambda session: _recorded(session, entry, image, state, kept))
    if question.transfer:
        await transfers.found(call, question.transfer, lambda _, transit: transit.remove(question.transfer))
    return view


@does(contract.export_image)
async def export_image(call: Call, question: Export) -> Exported:
    wanted = checks.one_of(question.format, "format", tuple(Format))
    if question.file:
        await _must_keep_all(call)
    number, entry, found = await call.backend.read(lambda session: _kept(session, question.name, question.revision))
    sha256, name = found.origin.sha256, f"{question.name}-{number}.{wanted}"

    def write(told: Told) -> Exported:
        repository = _opened(entry)
        disk = repository.disk(question.name, number)
        if question.file:
            file = Path(question.file)
            _export(disk, file, Format(wanted), sha256, told)
            return Exported(file=str(file), format=wanted, bytes=content.allocated(file), sha256=sha256)
        transit = Transit(repository)
        id = transit.make(name, call.actor.login, lambda new: _export(disk, new, Format(wanted), sha256, told), told)
        size = content.allocated(transit.file(id))
        return Exported(file=name, transfer=id, format=wanted, bytes=size, sha256=sha256)

    return await call.work(write, f"exporting {question.name}/{number}")


@does(contract.promote)
async def promote(call: Call, question: Numbered) -> RevisionView:
    return await _changed(call, question, lambda s: revisions.promote(s, question.name, question.revision))


@does(contract.retire)
async def retire(call: Call, question: Numbered) -> RevisionView:
    now = datetime.now(UTC)
    return await _changed(call, question, lambda s: revisions.retire(s, question.name, question.revision, now))


@does(contract.restore)
async def restore(call: Call, question: Numbered) -> RevisionView:
    return await _changed(call, question, lambda s: revisions.restore(s, question.name, question.revision))


@does(contract.delete)
async def delete(call: Call, question: Numbered) -> RevisionView:
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


@does(contract.verify)
async def verify(call: Call, question: Numbered) -> RevisionView:
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

        why = "" if await call.work(look, f"reading {name}/{number} in {entry.name}") else "it has other bytes"
        now = datetime.now(UTC)
        await call.backend.write(
            lambda s, of=entry.name, why=why, now=now: repositories.holds(s, of, name, number, now, why)  # type: ignore[misc]
        )
    return await call.backend.read(lambda s: _view(name, _one(s, name, number)))


@does(contract.copy)
async def copy(call: Call, question: CopyTo) -> RevisionView:
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


async def _given(call: Call, question: Import) -> Path:
    """The file that is to be imported; one that was sent has arrived whole. Raises ``Invalid``, ``Refused``, and
    ``NotFound`` for what somebody else has sent."""
    if bool(question.file) == bool(question.transfer):
        raise Invalid("an import needs one file: one that was sent, or one where the service runs")
    if question.file:
        await _must_keep_all(call)
        return Path(question.file)
    transit = await transfers.found(call, question.transfer, lambda _, transit: transit)
    return await call.work(lambda told: transit.check(question.transfer, told), "checking what was sent")


async def _must_keep_all(call: Call) -> None:
    """Who names a path of the server reads and writes whatever the service may, also disks of images in groups of which
    they keep none. Raises ``Forbidden`` for who does not keep the lab."""
    await call.must(Permission.KEEP)


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


def _opened(entry: RepositoryFacts) -> Repository:
    return Repository(Path(entry.folder))


def _notes(text: str) -> str:
    return checks.line(text, "the notes", LONGEST_NOTES) if text else ""


# Importing and exporting.


def _planned(session: Session, call: Call, question: Import, found: Found) -> tuple[model.Image, RevisionState]:
    """The image as it is going to be. Raises ``Invalid``, ``Refused``."""
    before = images.find(session, question.name)
    module = question.module or (before.module if before else model.DEFAULT_MODULE)
    if not checks.traits(module).from_library:
        raise Refused(f"the module {module} makes no machines from images of the library")
    number = catalog.newest_revision(session, question.name) + 1
    fields = question.model_dump(include=set(AddImage.model_fields), exclude_none=True)
    asked = AddImage(**{**fields, "disk_gb": disk_gib(found.size)})
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
