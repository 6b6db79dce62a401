"""Everything that is no answer is a problem, with a stable code."""

import pytest

from tests.api.conftest import Ask
from tests.service.conftest import Lab


@pytest.mark.parametrize(
    ("who", "method", "path", "more", "status", "code"),
    [
        ("", "GET", "/me", {}, 401, "unauthenticated"),
        ("alice", "GET", "/nothing", {}, 404, "not_found"),
        ("alice", "GET", "/reservations/434abxamsyx", {}, 404, "not_found"),
        ("alice", "PATCH", "/me", {}, 405, "not_allowed"),
        ("alice", "GET", "/acts", {}, 403, "forbidden"),
        ("alice", "GET", "/reservations?limit=many", {}, 422, "invalid"),
        ("alice", "GET", "/reservations?limit=1&limit=2", {}, 422, "invalid"),
        ("alice", "GET", "/reservations?colour=blue", {}, 422, "invalid"),
        ("alice", "POST", "/reservations", {"content": b"{"}, 415, "not_json_type"),
        ("alice", "POST", "/reservations", {"json": {"image": "debian-12"}}, 422, "invalid"),
        ("alice", "POST", "/reservations", {"json": ["debian-12"]}, 422, "invalid"),
        ("alice", "POST", "/reservations?image=debian-12", {"json": {}}, 422, "invalid"),
        ("alice", "POST", "/reservations", {"content": b"x" * (1 << 20 | 1)}, 413, "too_large"),
    ],
)
async def test_what_is_wrong_is_told(
    ask: Ask, who: str, method: str, path: str, more: dict[str, object], status: int, code: str
) -> None:
    answer = await ask(who, method, path, **more)
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code), told
    assert told["type"] == f"urn:vclab:problem:{code}" and told["detail"] and told["title"]


@pytest.mark.parametrize(
    "body",
    [b"{", b"[" * 100_000, b'{"by": NaN}', b'{"by": 1e999}', b'{"by": 1' + b"0" * 30 + b"}", b'{"to": "\\ud800"}'],
)
async def test_what_is_no_sound_json_is_told(ask: Ask, lab: Lab, body: bytes) -> None:
    made = lab.reserved()
    json = {"Content-Type": "application/json"}
    answer = await ask("alice", "POST", f"/reservations/{made.id}/extend", content=body, headers=json)
    assert answer.status_code in (400, 422), answer.text
    assert lab.workflows.sent == []


async def test_every_wrong_value_is_named(ask: Ask) -> None:
    told = (await ask("alice", "POST", "/reservations", json={"seconds": "long", "colour": 5})).json()
    assert {each["field"] for each in told["errors"]} == {"image", "seconds", "colour"}


async def test_a_password_is_not_repeated(ask: Ask) -> None:
    """Not even to whoever sent it in a wrong form: answers are kept in logs of proxies and programs."""
    answer = await ask("olga", "PUT", "/endpoints/vc9", json={"password": ["geheim"]})
    assert answer.status_code == 422 and "geheim" not in answer.text


async def test_a_fault_tells_a_number_and_nothing_else(
    ask: Ask, lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(question: object) -> object:
        raise RuntimeError("with a secret")

    monkeypatch.setattr(lab.backend, "read", broken)
    answer = await ask("alice", "GET", "/offers")
    told = answer.json()
    assert (answer.status_code, told["code"]) == (500, "internal") and "secret" not in answer.text
    assert told["detail"].split()[-1] in caplog.text


async def test_what_is_away_is_told_with_when_to_ask_again(ask: Ask, lab: Lab) -> None:
    lab.backend.store.file.rename(lab.backend.store.file.with_suffix(".away"))  # type: ignore[union-attr]
    lab.store.close()
    answer = await ask("alice", "GET", "/offers")
    assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")
    assert int(answer.headers["retry-after"]) > 0
