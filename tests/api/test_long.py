"""What takes long, and files, which are no JSON."""

import asyncio
import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Ask
from tests.service.conftest import Lab
from vclab.api import lines
from vclab.library.repository import Repository

LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture
async def repository(ask: Ask, lab: Lab, tmp_path: Path) -> str:
    """Of an operator."""
    folder = tmp_path / "library"
    answer = await ask("olga", "PUT", "/repositories/main", json={"folder": str(folder)})
    assert answer.status_code == 200, answer.text
    return str(folder)


def told(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_the_last_line_is_the_answer(ask: Ask, repository: str) -> None:
    answer = await ask("olga", "POST", "/repositories/main/check", headers=LINES)
    assert answer.headers["content-type"] == LINES["Accept"]
    assert told(answer.text)[-1]["answer"]["name"] == "main"


async def test_the_last_line_is_the_problem(ask: Ask, repository: str) -> None:
    answer = await ask("olga", "POST", "/repositories/other/check", headers=LINES)
    (line,) = told(answer.text)
    assert (line["problem"]["code"], line["problem"]["status"]) == ("not_found", 404)


async def test_who_asks_for_json_gets_the_answer_only(ask: Ask, repository: str) -> None:
    answer = await ask("olga", "POST", "/repositories/main/check")
    assert answer.json()["name"] == "main"


async def test_a_line_tells_how_far_it_is_and_that_somebody_is_there(
    ask: Ask, lab: Lab, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "QUIET", 0.01)
    silent = threading.Event()
    tidy = Repository.sweep

    def slow(self: Repository) -> int:
        silent.wait(0.2)
        return tidy(self)

    monkeypatch.setattr(Repository, "sweep", slow)
    answer = await ask("olga", "POST", "/repositories/main/check", headers=LINES)
    first, *_, last = told(answer.text)
    assert first == {} and "answer" in last


async def test_who_goes_away_stops_it() -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def work(heard: Callable[[str, int, int], None]) -> Any:
        heard("importing", 1, 2)
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    streamed = lines._lines(work)
    assert told((await anext(streamed)).decode())[0]["progress"] == {"what": "importing", "done": 1, "size": 2}
    await streamed.aclose()  # type: ignore[attr-defined]
    assert begun.is_set() and stopped.is_set()


async def test_a_file_is_sent_and_fetched(ask: Ask, repository: str) -> None:
    content = bytes(range(256)) * 10_000
    wanted = {"name": "disk.raw", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    id = (await ask("olga", "POST", "/transfers", json=wanted)).json()["transfer"]
    path = f"/transfers/{id}/content"
    half = len(content) // 2
    first = await ask("olga", "PUT", path, content=content[:half])
    assert (first.status_code, first.json()["received"]) == (200, half)
    assert (await ask("olga", "PUT", f"{path}?offset={half}", content=content[half:])).json()["received"] == len(
        content
    )
    assert (await ask("olga", "GET", path)).content == content
    assert (await ask("alice", "GET", path)).status_code in (403, 404)
