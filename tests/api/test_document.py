"""The description of the API: what programs are made from."""

import json
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest

from tests import openapi
from tests.api.conftest import Ask
from tests.service.conftest import Lab
from vclab.contract import USE_CASES


@pytest.fixture
async def described(ask: Ask) -> dict[str, Any]:
    """As anybody gets it."""
    answer = await ask("", "GET", "/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def described_once() -> dict[str, Any]:
    """The same."""
    found: dict[str, Any] = json.loads(openapi.text())
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


@pytest.mark.parametrize("name", USE_CASES)
def test_each_question_has_an_example_that_is_one(described_once: dict[str, Any], name: str) -> None:
    """With what its path says."""
    assert USE_CASES[name].question.model_validate(_asked(described_once, name))


NOT_TRIED = (
    *("endpoints.", "power.", "lab_machines.", "computer_import.", "repositories.", "library."),
    *("images.add", "images.check", "computers.preview_edit", "transfers.", "tokens.sign_out", "users.link"),
)
"""What asks other machines, works in folders, ends who asks, or names an identity provider that this lab has not."""


async def test_no_example_is_refused_as_invalid(described_once: dict[str, Any], ask: Ask, lab: Lab) -> None:
    """By what does it. What is there has the names of the examples, as far as they are names of this lab."""
    await ask("olga", "PUT", "/groups/class-5b", json={"kind": "people"})
    for name, use_case in USE_CASES.items():
        if not name.startswith(NOT_TRIED):
            fields = _asked(described_once, name)
            path = use_case.route.path.format(
                **{each: quote(str(fields.pop(each)), "") for each in use_case.route.fields}
            )
            more = {"params": fields} if use_case.route.method == "GET" else {"json": fields}
            answer = await ask("olga", use_case.route.method, path, **more)
            assert answer.status_code in (200, 204, 403, 404, 409, 503), (name, fields, answer.text)


def _asked(described: dict[str, Any], name: str) -> dict[str, Any]:
    route = USE_CASES[name].route
    operation = described["paths"][f"/api/v1{route.path}"][route.method.lower()]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example", {})
    asked = {each["name"]: each["example"] for each in operation["parameters"] if "example" in each}
    id = {"reservation": "434abxamsyx"} if name == "acts.reserve" else {}
    return {**asked, **body, **id}


async def test_examples_say_something(described: dict[str, Any]) -> None:
    """No text is empty, no moment is anything else."""
    for operation in operations(described):
        for answer in operation["responses"].values():
            example = answer.get("content", {}).get("application/json", {}).get("example")
            assert '""' not in json.dumps(example), (operation["operationId"], example)
    created = described["components"]["schemas"]["views.Reservation"]["properties"]["created"]
    assert (created["type"], created["format"]) == ("string", "date-time")


async def test_the_stream_is_described(described: dict[str, Any]) -> None:
    """As the text that it is, and with the token that it needs."""
    operation = described["paths"]["/api/v1/events"]["get"]
    assert set(operation["responses"]["200"]["content"]) == {"text/event-stream"}
    assert {each["name"] for each in operation["parameters"]} == {
        *("kind", "thing", "reservation", "after", "last-event-id")
    }
    assert operation.get("security") != [] and "401" in operation["responses"]


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
