"""Signing in by the device flow (RFC 8628), against a server that implements it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.client.scripted import LOST, Answer, Asked, Script, scripted
from vclab.client import device, http
from vclab.client.contexts import Chosen, Context
from vclab.client.http import Http
from vclab.model.errors import Failed, Refused, VclabError

TOKEN = "vct_" + "a1B2" * 8
BEGUN = {
    "device_code": "secret",
    "user_code": "BCDF-GHJK",
    "verification_uri": "https://lab.example.org/device",
    "verification_uri_complete": "https://lab.example.org/device?user_code=BCDF-GHJK",
    "expires_in": 600,
    "interval": 0,
}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pauses as long as nothing else needs."""
    monkeypatch.setattr(http, "PAUSES", (0.01,) * 2)
    monkeypatch.setattr(device, "SLOWER", 0.01)
    yield


def said(error: str) -> Answer:
    return Answer({"error": error}, 400)


def script(*answers: Any, begun: Any = BEGUN) -> Script:
    """Begins, and then answers so, one after the other."""
    rest = iter(answers)
    return lambda asked: begun if asked.target.endswith("/device") else next(rest)


async def signed_in(answers: Script) -> tuple[str, list[Asked]]:
    async with scripted(answers) as server:
        reached = Http(Chosen("", Context(url=server.url), ""))
        begun = await device.begin(reached)
        assert (begun.user_code, begun.page) == ("BCDF-GHJK", BEGUN["verification_uri_complete"])
        return await device.token(reached, begun), server.asked


async def test_it_waits_until_somebody_confirms() -> None:
    granted = {"access_token": TOKEN, "token_type": "Bearer"}
    answers = (said("authorization_pending"), said("slow_down"), LOST, said("authorization_pending"), granted)
    token, asked = await signed_in(script(*answers))
    assert token == TOKEN
    assert [each.target for each in asked] == ["/api/v1/device", *["/api/v1/device/token"] * 5]
    assert parse_qs(asked[1].body.decode()) == {
        "grant_type": ["urn:ietf:params:oauth:grant-type:device_code"],
        "device_code": ["secret"],
        "client_id": ["vclab"],
    }
    assert "secret" not in "".join(each.target for each in asked)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (said("access_denied"), "refused in the browser"),
        (said("expired_token"), "nobody confirmed"),
        (Answer({"code": "too_many", "detail": "slow down", "hint": ""}, 429, {"retry-after": "600"}), "slow down"),
        ({"access_token": "of another kind"}, "no token of vclab"),
        ({}, "no token of vclab"),
        (Answer(b"<html>", 404), "is the URL right"),
    ],
)
async def test_what_ends_it(answer: Any, says: str) -> None:
    with pytest.raises(Refused, match=says):
        await signed_in(script(said("authorization_pending"), answer))


async def test_it_ends_when_the_code_does() -> None:
    with pytest.raises(Refused, match="nobody confirmed the code in time"):
        await signed_in(lambda asked: BEGUN | {"expires_in": 0} if asked.target.endswith("/device") else LOST)


@pytest.mark.parametrize(
    "change", [{"device_code": None}, {"verification_uri_complete": "file:///etc"}, {"interval": "x"}]
)
async def test_another_kind_of_server_is_told(change: dict[str, Any]) -> None:
    begun = {name: value for name, value in (BEGUN | change).items() if value is not None}
    with pytest.raises(Failed, match="is not understood"):
        await signed_in(script(begun=begun))
    with pytest.raises(VclabError, match="is the URL right"):
        await signed_in(lambda _: Answer({}, 404))
