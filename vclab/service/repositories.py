"""Repositories, as administrators keep them."""

import os
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from vclab.contract import repositories as contract
from vclab.contract.repositories import Add, DetailedRepository, Kept, Repository
from vclab.contract.retiring import Named
from vclab.contract.transfers import KEPT
from vclab.contract.use_case import Nothing
from vclab.library.content import Told
from vclab.library.repository import Repository as Folder
from vclab.library.transit import Transit
from vclab.model import catalog as model
from vclab.model.errors import Invalid, Refused, StepFailed
from vclab.model.revisions import CopyState, RevisionRecord, RevisionState, disk_gib
from vclab.model.typed import known
from vclab.service import checks
from vclab.service.use_case import Call, does
from vclab.store import catalog, repositories
from vclab.store.repositories import RepositoryFacts


@does(contract.listing)
async def listing(call: Call, question: Nothing) -> tuple[Repository, ...]:
    return tuple(Repository(**each.__dict__) for each in await call.backend.read(repositories.all_of_them))


@does(contract.show)
async def show(call: Call, question: Named) -> DetailedRepository:
    return await _looked_at(call, await _known(call, question.name), 0)


@does(contract.add)
async def add(call: Call, question: Add) -> DetailedRepository:
    entry = _entry(question, question.site or call.backend.settings.site)
    await call.work(lambda told: Folder.make(Path(entry.folder)), "making the repository")
    await call.backend.write(lambda session: repositories.put(session, entry, datetime.now(UTC)))
    return await _looked_at(call, entry, 0)


@does(contract.check)
async def check(call: Call, question: Named) -> DetailedRepository:
    entry = await _known(call, question.name)
    swept = await call.work(lambda told: _swept(Folder(Path(entry.folder))), "tidying")
    found = await _looked_at(call, entry, swept)
    lost = [tuple(each.rsplit("/", 1)) for each in found.missing]

    def note(session: Session) -> None:
        for image, number in lost:
            text = "it is not in the repository any more"
            repositories.holds(session, entry.name, image, int(number), datetime.now(UTC), text)

    if lost:
        await call.backend.write(note)
    return found


@does(contract.rebuild)
async def rebuild(call: Call, question: Named) -> DetailedRepository:
    entry = await _known(call, question.name)
    there = await call.backend.read(lambda session: repositories.contents(session, entry.name))

    def read_back(told: Told) -> list[RevisionRecord]:
        folder = Folder(Path(entry.folder))
        records = [each for each in folder.records() if not isinstance(each, StepFailed)]
        new = [each for each in records if (each.image, each.revision) not in there]
        return [each for each in new if folder.verify(each.image, each.revision, told)]

    for record in await call.work(read_back, f"reading {entry.name}"):
        await call.backend.write(lambda session, record=record: _entered(session, entry, record))  # type: ignore[misc]
    return await _looked_at(call, entry, 0)


def _swept(folder: Folder) -> int:
    return folder.sweep() + Transit(folder).sweep(KEPT)


def _entry(question: Add, site: str) -> RepositoryFacts:
    name, folder = checks.name(question.name, "a repository"), os.path.normpath(question.folder)
    if not folder.startswith("/"):
        raise Invalid(f"the folder {question.folder} must be an absolute path", "the workers of the site go by it")
    return RepositoryFacts(name, checks.name(site, "a site"), folder)


def _entered(session: Session, entry: RepositoryFacts, record: RevisionRecord) -> None:
    """A revision as its record says; one that is there is left alone, unless it has other bytes."""
    known = {image.revision: image for image, _ in _revisions(session, record.image)}
    if record.revision not in known:
        image = model.Image(
            name=record.image,
            title=record.title,
            revision=record.revision,
            module=record.module,
            guest=record.guest,
            cpus=record.cpus,
            memory_mb=record.memory_mb,
            disk_gb=disk_gib(record.size),
            ports=(22,) if record.guest else (),
            hardware=record.hardware,
            dedicated=record.dedicated,
            child_factor=record.child_factor,
            module_data=record.module_data,
        )
        first = not catalog.newest_revision(session, record.image)
        state = RevisionState.PRODUCTION if first else RevisionState.TEST
        catalog.put_image(session, image, checks.traits(image.module).lent, state, record.origin)
    repositories.holds(session, entry.name, record.image, record.revision, datetime.now(UTC))


def _revisions(session: Session, name: str) -> list[tuple[model.Image, RevisionState]]:
    return catalog.revisions(session, name) if name in catalog.image_names(session) else []


async def _known(call: Call, name: str) -> RepositoryFacts:
    entries = {each.name: each for each in await call.backend.read(repositories.all_of_them)}
    return known("repository", name, entries, "`vclab repository list` lists them")


async def _looked_at(call: Call, entry: RepositoryFacts, swept: int) -> DetailedRepository:
    recorded = await call.backend.read(lambda session: repositories.contents(session, entry.name))

    def look(told: Told) -> DetailedRepository:
        folder = Folder(Path(entry.folder))
        records, room = list(folder.records()), folder.room()
        there = [each for each in records if not isinstance(each, StepFailed)]
        kept = tuple(
            Kept(
                image=each.image,
                revision=each.revision,
                bytes=folder.size(each.image, each.revision),
                recorded=recorded.get((each.image, each.revision)),
            )
            for each in there
        )
        names = {(each.image, each.revision) for each in there}
        kept_here = {revision for revision, state in recorded.items() if state is not CopyState.COPYING}
        return DetailedRepository(
            **entry.__dict__,
            free=room.free,
            promised=room.promised,
            kept=kept,
            missing=tuple(f"{image}/{number}" for image, number in sorted(kept_here - names)),
            faults=tuple(str(each) for each in records if isinstance(each, StepFailed)),
            swept=swept,
        )

    return await call.work(look, f"looking at {entry.name}")


async def entry_of(call: Call, name: str | None) -> RepositoryFacts:
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
