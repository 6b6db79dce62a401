"""Use cases as routes."""

from tests.api.conftest import Ask
from tests.service.conftest import Lab


async def test_who_one_is(ask: Ask) -> None:
    answer = await ask("alice", "GET", "/me")
    assert (answer.status_code, answer.json()["login"], answer.json()["roles"]) == (200, "alice", ["user"])


async def test_a_list_has_items_and_where_it_goes_on(ask: Ask, lab: Lab) -> None:
    made = lab.reserved()
    answer = (await ask("alice", "GET", "/reservations")).json()
    assert ([each["id"] for each in answer["items"]], answer["next"]) == ([made.id], None)


async def test_an_act_takes_its_fields_from_path_and_body(ask: Ask, lab: Lab) -> None:
    made = lab.reserved()
    answer = await ask("alice", "POST", f"/reservations/{made.id}/extend", json={"by": 600})
    assert (answer.status_code, answer.json()["id"]) == (200, made.id)
    [(sent_to, message)] = lab.workflows.sent
    assert (sent_to, (message.end - made.end).total_seconds()) == (made.id, 600)


async def test_an_answer_that_is_known_is_not_sent_again(ask: Ask) -> None:
    first = await ask("alice", "GET", "/offers")
    again = await ask("alice", "GET", "/offers", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
