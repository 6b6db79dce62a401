"""Files that people send to the library and fetch from it, also when the connection is lost in between."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.service.test_administration import OLGA
from tests.service.test_library import backend, disk
from vclab.client import transfers as files
from vclab.client.transfers import fetched, sent
from vclab.contract import library, transfers
from vclab.contract.library import Export, Import
from vclab.contract.progress import nobody
from vclab.contract.transfers import Announce, Named, Part
from vclab.contract.use_case import A, Nothing, Q, UseCase
from vclab.model.errors import Failed, Invalid, NotFound, Refused, Unreachable
from vclab.service.actor import Actor, Authentication, Role
from vclab.service.backend import Backend
from vclab.service.use_case import perform

__all__ = ["backend", "disk"]  # fixtures
ROOT = Actor("root", frozenset({Role.ADMINISTRATOR}), Authentication.ACCOUNT)  # keeps the lab, and is no operator


class Network:
    """A client whose connection is lost after so many bytes of a file, as often as is said."""

    def __init__(self, backend: Backend, losses: int = 0, after: int = 1 << 20, actor: Actor = OLGA) -> None:
        self._backend, self._losses, self._after, self._actor = backend, losses, after, actor
        self.parts: list[int] = []

    async def call(self, use_case: UseCase[Q, A], question: Q) -> A:
        answer = await perform(use_case, self._backend, self._actor, question)
        if isinstance(question, Part):
            self.parts.append(question.offset)
            return self._cut(answer)  # type: ignore[return-value,arg-type]
        return answer

    async def send(self, use_case: UseCase[Q, A], question: Q, content: AsyncIterator[bytes]) -> A:
        assert isinstance(question, Part)
        self.parts.append(question.offset)
        return await perform(use_case, self._backend, self._actor, question, content=self._cut(content))

    async def _cut(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        passed = 0
        async for piece in content:
            if self._losses and passed + len(piece) > self._after:
                self._losses -= 1
                raise Unreachable("the connection was lost")
            passed += len(piece)
            yield piece


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.0))


def test_a_disk_is_sent_imported_exported_and_fetched(backend: Backend, disk: Path, tmp_path: Path) -> None:
    told: list[str] = []
    client = Network(backend, losses=3, after=9 << 20)

    async def run() -> None:
        there = await sent(client, disk, None, lambda what, done, size: told.append(what))
        assert client.parts == [n * (9 << 20) for n in range(4)]
        assert (there.received, there.by, there.repository) == (disk.stat().st_size, "olga", "main")
        asked = Import(name="suse", transfer=there.transfer, cpus=1, memory_mb=512)
        revision = await client.call(library.import_image, asked)
        assert (revision.sha256, revision.size) == (there.sha256, there.size)
        assert await client.call(transfers.listing, Nothing()) == ()
        made = await client.call(library.export_image, Export(name="suse", format="raw"))
        assert made.transfer is not None and made.file == "suse-1.raw"
        cut = Network(backend, losses=1, after=30 << 20)
        await fetched(cut, made.transfer, tmp_path / "back.raw", nobody)
        assert cut.parts == [0, 30 << 20]
        assert await client.call(transfers.listing, Nothing()) == ()

    asyncio.run(run())
    assert (tmp_path / "back.raw").read_bytes() == disk.read_bytes()
    assert {f"reading {disk.name}", f"sending {disk.name}"} <= set(told)


def test_what_was_sent_in_part_is_gone_on_with(backend: Backend, disk: Path) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield disk.read_bytes()[: 32 << 20]

    async def run() -> None:
        with pytest.raises(Unreachable):
            await sent(Network(backend, losses=9, after=0), disk, None, nobody)
        client = Network(backend)
        (there,) = await client.call(transfers.listing, Nothing())
        await client.send(transfers.write, Part(transfer=there.transfer), half())
        assert (await sent(client, disk, None, nobody)).transfer == there.transfer
        assert client.parts == [0, 32 << 20]

    asyncio.run(run())


def test_other_peoples_files_read_as_not_found(backend: Backend, disk: Path) -> None:
    olga, root = Network(backend), Network(backend, actor=ROOT)

    async def run() -> None:
        there = await sent(olga, disk, None, nobody)
        assert await root.call(transfers.listing, Nothing()) == ()
        await root.call(transfers.remove, Named(transfer=there.transfer))
        with pytest.raises(NotFound):
            await root.call(transfers.show, Named(transfer=there.transfer))
        with pytest.raises(NotFound):
            await root.call(transfers.fetch, Part(transfer=there.transfer))
        with pytest.raises(NotFound):
            await root.call(library.import_image, Import(name="suse", transfer=there.transfer, cpus=1, memory_mb=512))
        mine = await sent(root, disk, None, nobody)
        assert {each.by for each in await olga.call(transfers.listing, Nothing())} == {"olga", "root"}
        assert (await olga.call(transfers.show, Named(transfer=mine.transfer))).by == "root"

    asyncio.run(run())


def test_what_is_not_as_announced(backend: Backend, disk: Path, tmp_path: Path) -> None:
    client = Network(backend)

    async def content() -> AsyncIterator[bytes]:
        yield os.urandom(10)

    async def run() -> None:
        good = Announce(name="a.raw", size=10, sha256="0" * 64)
        there = await client.call(transfers.announce, good)
        with pytest.raises(Refused, match="only 0 of 10 bytes"):
            await client.call(library.import_image, Import(name="suse", transfer=there.transfer))
        await client.send(transfers.write, Part(transfer=there.transfer), content())
        with pytest.raises(Refused, match="other bytes than it was announced with"):
            await client.call(library.import_image, Import(name="suse", transfer=there.transfer))
        with pytest.raises(Failed, match="has arrived with other bytes"):
            await fetched(client, there.transfer, tmp_path / "back", nobody)
        assert not list(tmp_path.glob("*back*"))
        for wrong in ({"size": 0}, {"size": 1 << 41}, {"sha256": "x"}, {"name": ""}):
            with pytest.raises(Invalid):
                await client.call(transfers.announce, good.model_copy(update=wrong))
        for question in (Import(name="suse"), Import(name="suse", file="/a", transfer="b")):
            with pytest.raises(Invalid, match="an import needs one file"):
                await client.call(library.import_image, question)
        with pytest.raises(Invalid, match="it has no byte 11"):
            await client.call(transfers.fetch, Part(transfer=there.transfer, offset=11))

    asyncio.run(run())
