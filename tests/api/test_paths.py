"""What a path names: nothing in a name is mistaken for a part of the path."""

import pytest

from tests.api.conftest import Ask
from tests.service.conftest import Lab


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("GET", "/images/a%2Fb", "there is no image 'a/b'"),
        ("GET", "/images/a%2Fevents", "there is no image 'a/events'"),  # nor is it about the events of a
        ("DELETE", "/computers/m1%2Fconsole", "there is no computer 'm1/console'"),  # nor is that hung up
        ("GET", "/images/a%252Fb", "there is no image 'a%2Fb'"),
        ("GET", "/images/..%2F..%2Fetc", "there is no image '../../etc'"),
        ("GET", "/images/%E2%98%83%20", "there is no image '☃ '"),
        ("GET", "/images/a%3Fb%23c", "there is no image 'a?b#c'"),
    ],
)
async def test_a_name_is_one_whatever_is_in_it(ask: Ask, method: str, path: str, detail: str) -> None:
    answer = await ask("olga", method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"].startswith(detail)


async def test_other_ways_to_write_a_path(ask: Ask) -> None:
    assert (await ask("olga", "GET", "/im%61ges/debian%2D12")).json()["name"] == "debian-12"


async def test_it_is_bound_to_a_state_by_its_name(ask: Ask, lab: Lab) -> None:
    """``If-Match`` reads the thing that the path names."""
    shown = await ask("olga", "GET", "/images/debian%2D12")
    edited = await ask(
        "olga", "PATCH", "/images/debian%2D12", json={"title": "new"}, headers={"If-Match": shown.headers["etag"]}
    )
    assert (edited.status_code, edited.json()["title"]) == (200, "new"), edited.text


async def test_only_what_is_offered_is_answered(ask: Ask) -> None:
    shown, head = [await ask("olga", method, "/images/debian-12") for method in ("GET", "HEAD")]
    assert (head.status_code, head.headers) == (200, shown.headers)
    refused = await ask("olga", "PUT", "/images")
    assert (refused.status_code, set(refused.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})
