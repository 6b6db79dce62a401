"""Tokens and cookies: who they lead to, and when they are worth nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.sign_in.installation import ME, URL, Installation, who
from vclab.model import tokens as text
from vclab.model.access import Grant, Role, ToKind
from vclab.model.catalog import Thing
from vclab.model.errors import Unauthenticated
from vclab.model.people import SignedIn
from vclab.model.tokens import Kind, Scope
from vclab.store import access, models, retirement, tokens

USER, OPERATOR = ("user",), ("operator", "user")


async def test_a_token_leads_to_its_person(installation: Installation) -> None:
    async with installation.client("198.51.100.9") as client:
        assert await who(client, installation.token("alice")) == ("alice", USER)
        assert await who(client, installation.token("olga")) == ("olga", OPERATOR)
        headers = {"Authorization": f"bearer {installation.token('alice')}"}
        assert (await client.get(ME, headers=headers)).json()["login"] == "alice"


async def test_without_the_scope_admin_an_operator_is_a_user(installation: Installation) -> None:
    async with installation.client() as client:
        token = installation.token("olga", scopes=frozenset({Scope.READ, Scope.ACT}))
        assert await who(client, token) == ("olga", USER)


async def test_operators_need_more_than_a_password_where_the_settings_say_so(installation: Installation) -> None:
    settings = installation.backend.settings
    settings.sign_in = settings.sign_in.model_copy(update={"mfa_required_for_operators": True})
    async with installation.client() as client:
        assert await who(client, installation.token("olga")) == ("olga", USER)
        mfa = SignedIn("olga", "local", mfa=True)
        assert await who(client, installation.token("olga", who=mfa)) == ("olga", OPERATOR)


async def test_a_granted_role_needs_the_scope_and_the_second_factor_too(installation: Installation) -> None:
    """As one by the setting: whoever steals a token for programs has a user's rights only."""
    granted = Grant(Role.OPERATOR, ToKind.PERSON, "alice")
    installation.store(lambda s: access.grant(s, granted, "root", datetime.now(UTC)))
    acts = frozenset({Scope.READ, Scope.ACT})
    async with installation.client() as client:
        assert await who(client, installation.token("alice", scopes=acts)) == ("alice", USER)
        assert await who(client, installation.token("alice")) == ("alice", OPERATOR)
        settings = installation.backend.settings
        settings.sign_in = settings.sign_in.model_copy(update={"mfa_required_for_operators": True})
        assert await who(client, installation.token("alice")) == ("alice", USER)
        answer = await client.get("/api/v1/acts", headers={"Authorization": f"Bearer {installation.token('alice')}"})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Basic YWxpY2U6YWxpY2U=",
        "Bearer vct_0",
        "Bearer " + "A" * 7000,
        f"Bearer {text.make(Kind.LOGIN)}",
        f"Bearer {text.make(Kind.SESSION)}",
    ],
    ids=["none", "empty", "no token", "basic", "short", "huge", "unknown token", "unknown session"],
)
async def test_what_is_forged_leads_to_nobody(installation: Installation, header: str | None) -> None:
    async with installation.client() as client:
        answer = await client.get(ME, headers={} if header is None else {"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_what_has_expired_or_was_ended_is_worth_nothing(installation: Installation) -> None:
    """Whose it was hears why."""
    now = datetime.now(UTC)
    expired, ended = installation.token("alice", seconds=-1), installation.token("alice")
    installation.store(lambda s: tokens.end_all(s, "alice has revoked it", now, "alice"))
    async with installation.client() as client:
        with pytest.raises(Unauthenticated, match="alice has revoked it"):
            await who(client, ended)
        installation.store(lambda s: s.get_one(models.Token, _id(installation, expired)).__setattr__("ended_at", None))
        with pytest.raises(Unauthenticated, match="has expired at"):
            await who(client, expired)


def _id(installation: Installation, secret: str) -> str:
    with installation.backend.store.read() as session:
        found = tokens.find(session, secret)
    assert found is not None
    return found.token.id


async def test_who_is_disabled_or_removed_is_out_at_once(installation: Installation) -> None:
    alice, bob, now = installation.token("alice"), installation.token("bob"), datetime.now(UTC)
    async with installation.client() as client:
        assert await who(client, alice) == ("alice", USER)
        installation.store(lambda s: retirement.disable(s, Thing.USER, "alice", "", now))
        installation.store(lambda s: retirement.remove(s, Thing.USER, "bob", now))
        for token, why in ((alice, "is disabled"), (bob, "was removed")):
            with pytest.raises(Unauthenticated, match=why):
                await who(client, token)


async def test_a_session_counts_as_a_cookie_only_and_a_token_never(installation: Installation) -> None:
    session, token = installation.token("alice", Kind.SESSION), installation.token("alice")
    async with installation.client() as client:
        with pytest.raises(Unauthenticated):
            await who(client, session)
        for cookie, status in ((session, 200), (token, 401)):
            answer = await client.get(ME, headers={"Cookie": f"__Host-vclab-session={cookie}"})
            assert answer.status_code == status
        plain = await client.get(ME, headers={"Cookie": f"vclab-session={session}"})
        assert plain.status_code == 401, "over HTTPS another host of the domain could have set it"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": URL}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 403),
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": URL + ".evil.test"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
async def test_a_cookie_acts_from_pages_of_ours_only(
    installation: Installation, headers: dict[str, str], status: int
) -> None:
    cookie = {"Cookie": f"__Host-vclab-session={installation.token('alice', Kind.SESSION)}"}
    async with installation.client() as client:
        answer = await client.post("/api/v1/tokens", json={"name": "script"}, headers=cookie | headers)
        assert answer.status_code == status


async def test_when_a_token_was_used_is_noted_coarsely(installation: Installation) -> None:
    secret = installation.token("alice")

    def used_at() -> datetime | None:
        with installation.backend.store.read() as session:
            found = tokens.find(session, secret)
        assert found is not None
        return found.token.used_at

    async with installation.client() as client:
        assert used_at() is None
        await who(client, secret)
        first = used_at()
        await who(client, secret)
        assert first is not None and used_at() == first
        old = first - timedelta(hours=1)
        installation.store(lambda s: tokens.used(s, _id(installation, secret), old))
        await who(client, secret)
        assert (used_at() or old) > first - timedelta(minutes=1)
