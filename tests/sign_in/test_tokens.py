"""Tokens that people make for programs: shown once, with fewer rights than they have, for a time."""

import httpx
import pytest

from tests.sign_in.installation import ME, Installation, who
from vclab.model.errors import Unauthenticated
from vclab.model.people import SignedIn
from vclab.model.tokens import Scope

TOKENS = "/api/v1/tokens"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def made(client: httpx.AsyncClient, by: str, **question: object) -> httpx.Response:
    return await client.post(TOKENS, json={"name": "backup"} | question, headers=bearer(by))


async def test_a_token_is_shown_once(installation: Installation) -> None:
    async with installation.client() as client:
        alice = installation.token("alice")
        answer = await made(client, alice, scopes=["act"], days=7)
        assert answer.status_code == 200, answer.text
        secret, token = answer.json()["secret"], answer.json()["token"]
        assert (token["name"], token["kind"], token["scopes"]) == ("backup", "personal", ["act", "read"])
        assert await who(client, secret) == ("alice", ("user",))
        listed = (await client.get(TOKENS, headers=bearer(alice))).text
        assert token["id"] in listed and secret not in listed


async def test_a_repeat_with_the_same_key_shows_no_secret_again(installation: Installation) -> None:
    """What would be kept for whoever asks again would be a secret in the database."""
    async with installation.client() as client:
        headers = bearer(installation.token("alice")) | {"Idempotency-Key": "k"}
        answers = [await client.post(TOKENS, json={"name": "backup"}, headers=headers) for _ in range(2)]
    secrets = [each.json()["secret"] for each in answers]
    assert secrets[0] != secrets[1]
    raw = installation.backend.store.file
    assert raw is not None
    assert not any(each.encode() in raw.read_bytes() for each in secrets)


async def test_a_token_that_reads_does_not_act(installation: Installation) -> None:
    reads = installation.token("alice", scopes=frozenset({Scope.READ}))
    async with installation.client() as client:
        assert (await client.get(ME, headers=bearer(reads))).status_code == 200
        for answer in (
            await made(client, reads),
            await client.delete(f"{TOKENS}/ffffffffff", headers=bearer(reads)),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
            assert "may only read" in answer.json()["detail"]


async def test_a_token_makes_none_that_may_more(installation: Installation) -> None:
    acts = installation.token("olga", scopes=frozenset({Scope.READ, Scope.ACT}))
    async with installation.client() as client:
        assert (await made(client, acts, scopes=["admin"])).status_code == 403
        assert (await made(client, acts, scopes=["read"])).status_code == 200
        answer = await client.post("/api/v1/users/bob/disable", json={}, headers=bearer(acts))
        assert answer.status_code in (403, 409), "it is an operator's, and not for what operators do"


async def test_a_programs_token_does_not_renew_itself(installation: Installation) -> None:
    """Whoever has it loses it when it expires, or is revoked."""
    async with installation.client() as client:
        leaked = (await made(client, installation.token("alice"), scopes=["act"], days=1)).json()["secret"]
        answer = await made(client, leaked, scopes=["act"], days=366)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), answer.text
        assert "makes no tokens" in answer.json()["detail"]
        listed = (await client.get(TOKENS, headers=bearer(leaked))).json()["items"]
        assert len(listed) == 2


@pytest.mark.parametrize(
    "question", [{"days": 0}, {"days": -1}, {"days": 367}, {"days": "1e999"}, {"scopes": ["root"]}, {"name": " "}]
)
async def test_tokens_that_are_not_made(installation: Installation, question: dict[str, object]) -> None:
    async with installation.client() as client:
        answer = await made(client, installation.token("alice"), **question)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text


async def test_what_is_revoked_ends_at_once_and_others_can_not(installation: Installation) -> None:
    async with installation.client() as client:
        alice, bob, olga = (installation.token(login) for login in ("alice", "bob", "olga"))
        first, second = [(await made(client, alice)).json() for _ in range(2)]

        async def revoke(by: str, token: str) -> int:
            return (await client.delete(f"{TOKENS}/{token}", headers=bearer(by))).status_code

        assert await revoke(bob, first["token"]["id"]) == await revoke(bob, "ffffffffff") == 404
        assert await revoke(alice, first["token"]["id"]) == await revoke(alice, first["token"]["id"]) == 200
        with pytest.raises(Unauthenticated, match="revoked by alice"):
            await who(client, first["secret"])
        assert await revoke(olga, second["token"]["id"]) == 200
        with pytest.raises(Unauthenticated, match="revoked by olga"):
            await who(client, second["secret"])


async def test_tokens_of_others_are_for_operators(installation: Installation) -> None:
    async with installation.client() as client:
        bob, olga = installation.token("bob"), installation.token("olga")
        installation.token("alice")
        of_alice = {"user": "alice"}
        assert (await client.get(TOKENS, params=of_alice, headers=bearer(bob))).status_code == 403
        found = (await client.get(TOKENS, params=of_alice, headers=bearer(olga))).json()["items"]
        assert [each["user"] for each in found] == ["alice"]


async def test_what_a_token_makes_ends_with_the_account_that_it_came_by(installation: Installation) -> None:
    """It is known by which account at a provider its maker had signed in."""
    async with installation.client() as client:
        uni = installation.token("alice", who=SignedIn("alice", "uni", "s-1"))
        answer = await made(client, uni)
        assert (answer.json()["token"]["provider"], answer.status_code) == ("uni", 200)


async def test_a_new_password_signs_out_who_came_with_the_old_one(installation: Installation) -> None:
    async with installation.client() as client:
        bob, olga = installation.token("bob"), installation.token("olga")
        question = {"password": "several long words"}
        answer = await client.post("/api/v1/users/bob/password", json=question, headers=bearer(olga))
        assert answer.status_code == 200, answer.text
        with pytest.raises(Unauthenticated, match="reset by olga"):
            await who(client, bob)
