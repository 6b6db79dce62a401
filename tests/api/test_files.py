"""Files, and progress while an answer is waited for, through the application and the client that people have."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import Response

from tests.api.conftest import Ask, ask, by_name
from tests.service.conftest import Lab, lab, seeded
from tests.service.test_library import disk
from vclab.api import lines
from vclab.api.app import make_app
from vclab.client.contexts import Chosen, Context
from vclab.client.http import Http
from vclab.client.transfers import fetched, sent
from vclab.contract import library, repositories, transfers
from vclab.contract.library import Export, Import
from vclab.contract.progress import LINES, Told, nobody
from vclab.contract.transfers import Named, Part
from vclab.contract.use_case import Nothing
from vclab.model.errors import Invalid, NotFound, Refused

__all__ = ["ask", "disk", "lab", "seeded"]  # fixtures
LONG = {"headers": {"Accept": f"application/json;q=0.5, {LINES}"}}


@pytest.fixture
async def client(lab: Lab, told: list[str]) -> AsyncIterator[Http]:
    """Olga's, who has a repository."""
    transport = httpx.ASGITransport(make_app(lab.backend, by_name))
    made = Http(
        Chosen("lab", Context(url="http://api"), "olga"),
        lambda what, done, size: told.append(what),
        transport=transport,
    )
    folder = lab.backend.settings.secrets_dir.parent / "images"
    await made.call(repositories.add, repositories.Add(name="main", folder=str(folder)))
    yield made
    await made.close()


@pytest.fixture
def told() -> list[str]:
    """What was told of progress."""
    return []


async def test_a_disk_goes_and_comes_back(client: Http, disk: Path, tmp_path: Path, told: list[str]) -> None:
    """It is far larger than the body of any other request may be."""
    there = await sent(client, disk, None, nobody)
    asked = Import(name="suse", transfer=there.transfer, cpus=1, memory_mb=512)
    revision = await client.call(library.import_image, asked)
    assert (revision.sha256, revision.size) == (there.sha256, disk.stat().st_size)
    made = await client.call(library.export_image, Export(name="suse", format="raw"))
    assert made.transfer
    await fetched(client, made.transfer, tmp_path / "back.raw", nobody)
    assert (tmp_path / "back.raw").read_bytes() == disk.read_bytes()
    assert await client.call(transfers.listing, Nothing()) == ()
    assert told


async def test_what_is_wrong_with_a_file_is_a_problem(client: Http, disk: Path) -> None:
    async def more() -> AsyncIterator[bytes]:
        yield b"x"

    there = await sent(client, disk, None, nobody)
    with pytest.raises(Refused, match="was announced with"):
        await client.send(transfers.write, Part(transfer=there.transfer, offset=there.size), more())
    with pytest.raises(Refused) as error:
        await client.send(transfers.write, Part(transfer=there.transfer, offset=1), more())
    assert error.value.more == {"received": there.size}
    with pytest.raises(NotFound):
        [piece async for piece in await client.call(transfers.fetch, Part(transfer="0" * 32))]
    with pytest.raises(Invalid):
        [piece async for piece in await client.call(transfers.fetch, Part(transfer=there.transfer, offset=-1))]
    await client.call(transfers.remove, Named(transfer=there.transfer))


async def test_lines_end_with_the_answer_or_the_problem(ask: Ask) -> None:
    asked = {"json": {"repository": "x", "file": "/x"}}
    refused = await ask("olga", "POST", "/images/suse/revisions", **asked, **LONG)
    assert (refused.status_code, refused.headers["content-type"]) == (200, LINES)
    *_, last = map(json.loads, refused.text.splitlines())
    assert (last["problem"]["code"], last["problem"]["status"]) == ("not_found", 404)
    plain = await ask("olga", "POST", "/images/suse/revisions", **asked)
    assert (plain.status_code, plain.json()) == (404, last["problem"])
    assert (await ask("", "POST", "/images/suse/revisions", **asked, **LONG)).status_code == 401


async def test_progress_is_told_and_whoever_goes_away_stops_the_work() -> None:
    ended = asyncio.Event()

    async def run(told: Told) -> Response:
        try:
            told("importing", 1, 2)
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    said = lines._lines(run)
    assert json.loads(await anext(said)) == {"progress": {"what": "importing", "done": 1, "size": 2}}
    await said.aclose()  # type: ignore[attr-defined]
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_silent_work_shows_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "QUIET", 0.01)
    lasts = asyncio.Event()

    async def run(told: Told) -> Response:
        await lasts.wait()
        return Response(status_code=204)

    said = lines._lines(run)
    assert json.loads(await anext(said)) == {}
    lasts.set()
    assert [json.loads(each) async for each in said][-1] == {"answer": None}
