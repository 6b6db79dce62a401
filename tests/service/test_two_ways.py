"""Root's command line on the management node calls use cases itself, all others ask the API: they are told the same."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.believing import believed
from tests.service.conftest import Lab, made_lab
from vclab.api import examples
from vclab.api.problems import words
from vclab.client.protocol import Client
from vclab.contract import USE_CASES
from vclab.contract.use_case import Content, Question, UseCase
from vclab.model.errors import VclabError
from vclab.service.actor import Actor
from vclab.service.authentication import Account, unknown
from vclab.service.backend import Backend
from vclab.service.client import InProcess

ROOT = Account("root", keeps_secrets=True)
PEOPLE = ("alice", "olga", "")


@pytest.fixture
def labs(tmp_path: Path, seeded: Path) -> Iterator[tuple[Lab, Lab]]:
    """Two that are the same."""
    folders = [tmp_path / name for name in "ab"]
    for each in folders:
        each.mkdir()
    made = [made_lab(each, seeded) for each in folders]
    yield made[0], made[1]
    for lab in made:
        lab.store.close()


def in_process(lab: Lab, as_user: str) -> Client:
    async def who(backend: Backend) -> Actor:
        return await believed(backend, ROOT, as_user)

    return InProcess(lab.backend, who, unknown(ROOT))


def example(use_case: UseCase[Any, Any]) -> Question:
    schema = use_case.question.model_json_schema()
    question: Question = use_case.question.model_validate(examples.of("", schema, schema.get("$defs", {})))
    return question.model_copy(update={"code": "BCDF-GHJK"}) if "code" in use_case.question.model_fields else question


async def outcome(client: Client, use_case: UseCase[Any, Any]) -> str:
    """What is answered, or the error."""
    try:
        if use_case.content is Content.SENT:
            answer = await client.send(use_case, example(use_case), content())
        else:
            answer = await client.call(use_case, example(use_case))
        if use_case.content is Content.ANSWERED:
            return repr([piece async for piece in answer])
        told: Any = use_case.document(answer)
    except VclabError as error:
        message, hint = words(error)  # of a part that is away only root, on the machine, hears where it is
        told = {"code": error.code, "message": message, "hint": hint, "more": dict(error.more)}
    return json.dumps(told, indent=1)


def without_place(lab: Lab, said: str) -> str:
    """The same without what is another one in each lab, without times and ids of intents."""
    settings = lab.backend.settings
    for place in (str(settings.secrets_dir.parent), settings.temporal.address):
        said = said.replace(place, "…")
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{32}", "…", said)


async def content() -> AsyncIterator[bytes]:
    yield b"x"


@pytest.mark.parametrize("as_user", PEOPLE)
async def test_both_are_told_the_same(labs: tuple[Lab, Lab], as_user: str) -> None:
    """Of each use case, one after the other: what one changes, the next one finds."""
    here, there = labs
    one, other = in_process(here, as_user), there.make_client(as_user)
    for name, use_case in USE_CASES.items():
        told = without_place(here, await outcome(one, use_case)), without_place(there, await outcome(other, use_case))
        assert told[0] == told[1], name
