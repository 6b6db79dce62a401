"""The description of the API: what programs are made from."""

from typing import Any

import jsonschema_rs
import pytest

from tests import openapi
from tests.api.conftest import Ask
from vclab.contract import USE_CASES


@pytest.fixture
async def described(ask: Ask) -> dict[str, Any]:
    """As anybody gets it."""
    answer = await ask("", "GET", "/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


def operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in described["paths"].values() for operation in path.values()]


async def test_each_operation_has_an_id_of_its_own_and_says_what_it_does(described: dict[str, Any]) -> None:
    ids = [each["operationId"] for each in operations(described)]
    assert len(ids) == len(set(ids)) and set(ids) >= set(USE_CASES)
    assert all(each["summary"] and each["tags"] and "401" in each["responses"] for each in operations(described))


async def test_examples_are_as_their_schemas_say(described: dict[str, Any]) -> None:
    for operation in operations(described):
        contents = [each.get("content", {}) for each in operation["responses"].values()]
        contents.append(operation.get("requestBody", {}).get("content", {}))
        for content in contents:
            for media in content.values():
                schema = {**media["schema"], "components": described["components"]}
                checked = jsonschema_rs.validator_for(schema)
                wrong = [
                    f"{list(each.instance_path)}: {each.message}" for each in checked.iter_errors(media["example"])
                ]
                assert not wrong, (operation["operationId"], wrong)


async def test_fields_are_explained(described: dict[str, Any]) -> None:
    """By what stands behind them in the source."""
    reservation = described["components"]["schemas"]["views.Reservation"]["properties"]
    assert reservation["address"]["description"] == "its public address"


async def test_it_is_not_sent_again_to_those_who_know_it(ask: Ask) -> None:
    known = (await ask("", "GET", "/openapi.json")).headers["etag"]
    assert (await ask("", "GET", "/openapi.json", headers={"If-None-Match": known})).status_code == 304


def test_the_copy_in_docs_is_the_newest() -> None:
    """Programs are made from it. ``python -m tests.openapi`` writes it anew."""
    assert openapi.FILE.read_text() == openapi.text()
