"""Files on their way between a person's machine and a repository."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from vclab.contract import transfers as contract
from vclab.contract.transfers import KEPT, Announce, Named, Part, Transfer
from vclab.contract.use_case import Nothing
from vclab.library.repository import Repository
from vclab.library.transit import About, Transit
from vclab.model.access import Permission
from vclab.model.errors import Invalid, NotFound, Refused, Unreachable
from vclab.service import checks
from vclab.service.repositories import entry_of
from vclab.service.use_case import Call, does
from vclab.store import repositories
from vclab.store.repositories import RepositoryFacts

T = TypeVar("T")

PIECE = 1 << 20
"""Bytes that are written or read at one time."""
LONGEST_NAME = 200


@does(contract.listing)
async def listing(call: Call, question: Nothing) -> tuple[Transfer, ...]:
    found = []
    for entry, transit in await _all(call):
        for id in await asyncio.to_thread(transit.there):
            with suppress(NotFound):  # it has just gone
                found.append(await asyncio.to_thread(_view, entry, transit, id))
    operates = await call.may(Permission.OPERATE)
    return tuple(each for each in found if operates or each.by == call.actor.login)


@does(contract.announce)
async def announce(call: Call, question: Announce) -> Transfer:
    name = checks.line(question.name, "the name of the file", LONGEST_NAME)
    sha256 = checks.fingerprint(question.sha256)
    most = call.backend.settings.library.largest_file
    if not 0 < question.size <= most:
        raise Invalid(f"a file has 1 to {most} bytes, not {question.size}", "`library.largest_file` sets the limit")
    entry = await entry_of(call, question.repository)
    about = About(name, question.size, sha256, call.actor.login)

    def begin() -> Transfer:
        transit = _opened(entry)
        transit.sweep(KEPT)
        return _view(entry, transit, transit.announce(about))

    return await asyncio.to_thread(begin)


@does(contract.show)
async def show(call: Call, question: Named) -> Transfer:
    return await found(call, question.transfer, lambda entry, transit: _view(entry, transit, question.transfer))


@does(contract.write)
async def write(call: Call, question: Part) -> Transfer:
    assert call.content is not None
    entry, transit = await _place(call, question.transfer)
    writer = await asyncio.to_thread(transit.open, question.transfer, question.offset)
    try:
        async for piece in _gathered(call.content):
            await asyncio.to_thread(writer.write, piece)
    finally:
        await asyncio.to_thread(writer.close)
    return await asyncio.to_thread(_view, entry, transit, question.transfer)


@does(contract.fetch)
async def fetch(call: Call, question: Part) -> AsyncIterator[bytes]:
    _, transit = await _place(call, question.transfer)
    file = await asyncio.to_thread(transit.file, question.transfer)
    if not 0 <= question.offset <= transit.received(question.transfer):
        raise Invalid(f"it has no byte {question.offset}")
    return _pieces(file, question.offset)


@does(contract.remove)
async def remove(call: Call, question: Named) -> None:
    with suppress(NotFound):
        _, transit = await _place(call, question.transfer)
        await asyncio.to_thread(transit.remove, question.transfer)


async def found(call: Call, id: str, look: Callable[[RepositoryFacts, Transit], T]) -> T:
    """What is to be known of a file that the caller may see. Raises ``NotFound``."""
    return await asyncio.to_thread(look, *await _place(call, id))


async def _place(call: Call, id: str) -> tuple[RepositoryFacts, Transit]:
    """Where it is. Raises ``NotFound``; other people's files read as not found."""
    operates = await call.may(Permission.OPERATE)
    for entry, transit in await _all(call):
        with suppress(NotFound):
            about = await asyncio.to_thread(transit.about, id)
            if operates or about.by == call.actor.login:
                return entry, transit
    raise NotFound(f"there is no file {id[:80]!r} on its way", "it is deleted a week after it was last touched")


async def _all(call: Call) -> list[tuple[RepositoryFacts, Transit]]:
    """The repositories that are reached from here."""
    there = []
    for entry in await call.backend.read(repositories.all_of_them):
        with suppress(Unreachable, Refused):
            there.append((entry, await asyncio.to_thread(_opened, entry)))
    return there


def _opened(entry: RepositoryFacts) -> Transit:
    return Transit(Repository(Path(entry.folder)))


def _view(entry: RepositoryFacts, transit: Transit, id: str) -> Transfer:
    about = transit.about(id)
    return Transfer(
        transfer=id,
        name=about.name,
        repository=entry.name,
        size=about.size,
        received=transit.received(id),
        sha256=about.sha256,
        by=about.by,
        until=datetime.fromtimestamp(transit.touched(id) + KEPT, UTC),
    )


async def _gathered(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same in larger pieces: a server gets them as they come from the network."""
    held = bytearray()
    async for piece in content:
        held += piece
        if len(held) >= PIECE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


async def _pieces(file: Path, offset: int) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as opened:
        opened.seek(offset)
        while piece := await asyncio.to_thread(opened.read, PIECE):
            yield piece
