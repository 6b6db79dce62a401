"""Attacks on signing in, each by somebody whom a provider lets in, or by nobody."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import sqlalchemy as sa

from tests.sign_in.hostile import Hostile
from tests.sign_in.installation import ME, Installation, sign_in, who
from vclab.api.app import make_app
from vclab.api.sign_in.providers import Providers
from vclab.model.catalog import Thing, User
from vclab.model.errors import Unauthenticated
from vclab.model.people import LOCAL, SignedIn
from vclab.service import passwords
from vclab.service import sign_in as service
from vclab.settings import ApiLimitSettings
from vclab.store import catalog, models, people, retirement, sign_ins
from vclab.store.sign_ins import Pauses


@pytest.fixture
def hostile() -> Hostile:
    """The provider: it says what a test wants."""
    return Hostile()


@pytest.fixture
def uni(installation: Installation, hostile: Hostile) -> Installation:
    """An installation whose provider ``uni`` that is."""
    backend = installation.backend
    providers = {"uni": hostile.settings()}
    backend.settings.sign_in = backend.settings.sign_in.model_copy(update={"providers": providers})
    installation.app.state.providers = Providers(backend, hostile)
    return installation


@pytest.fixture
async def browser(uni: Installation) -> AsyncIterator[httpx.AsyncClient]:
    """At the installation."""
    async with uni.browser() as made:
        yield made


async def come_in(browser: httpx.AsyncClient, hostile: Hostile, **claims: str) -> httpx.Response:
    """Somebody whom the provider lets in, called so there."""
    sent = await browser.get("/sign-in/uni")
    assert sent.status_code == 303, sent.text
    asked = {name: values[0] for name, values in parse_qs(urlsplit(sent.headers["location"]).query).items()}
    hostile.claims |= {"nonce": asked["nonce"]} | claims
    return await browser.get("/sign-in/uni/callback", params={"state": asked["state"], "code": "code"})


async def test_a_newcomer_does_not_become_the_operator_whom_the_settings_name(
    uni: Installation, hostile: Hostile, browser: httpx.AsyncClient
) -> None:
    """Not even before that one has an entry, nor with the number that the next one of the name would get."""
    uni.backend.settings.operators = ("otto", "otto-2")
    answer = await come_in(browser, hostile, preferred_username="otto@uni.edu")
    assert answer.status_code == 303, answer.text
    me = (await browser.get(ME)).json()
    assert (me["login"], me["roles"]) == ("otto-3", ["user"])
    uni.store(lambda s: catalog.put_user(s, User("otto", 4000)))
    providers = uni.backend.settings.sign_in.providers
    providers["uni"] = providers["uni"].model_copy(update={"adopt": True})
    async with uni.browser() as own:
        await come_in(own, hostile, sub="subject-2", preferred_username="otto")
        me = (await own.get(ME)).json()
    assert (me["login"], me["roles"]) == ("otto", ["operator", "user"]), "an administrator has entered them"


# --- what somebody has who was in before ------------------------------------------------------------------------------


async def let_in(program: httpx.AsyncClient, installation: Installation, by: SignedIn) -> dict[str, str]:
    """A program that somebody has let in, and that has not fetched its token yet: by what it asks for that."""
    begun: dict[str, str] = (await program.post("/api/v1/device", data={"client_name": "laptop"})).json()
    now = datetime.now(UTC)
    installation.store(lambda s: sign_ins.decide(s, begun["user_code"], by, now))
    return {"device_code": begun["device_code"]}


@pytest.mark.parametrize(
    ("method", "path", "question"),
    [
        ("POST", "/api/v1/users/alice/password", {"password": "several long words"}),
        ("POST", "/api/v1/users/alice/disable", {}),
        ("DELETE", "/api/v1/users/alice", None),
    ],
    ids=["reset", "disabled", "removed"],
)
async def test_a_program_that_a_thief_has_let_in_gets_no_token_any_more(
    installation: Installation, method: str, path: str, question: dict[str, str] | None
) -> None:
    """With a password that was reset then, or as somebody who was disabled or removed."""
    olga = {"Authorization": f"Bearer {installation.token('olga')}"}
    async with installation.client() as client:
        thiefs, bobs = [await let_in(client, installation, SignedIn(login, LOCAL)) for login in ("alice", "bob")]
        answer = await client.request(method, path, json=question, headers=olga)
        assert answer.status_code < 300, answer.text
        if path.endswith("disable"):
            await client.post("/api/v1/users/alice/enable", headers=olga)
        answer = await client.post("/api/v1/device/token", data=thiefs)
        assert (answer.status_code, answer.json()) == (400, {"error": "expired_token"})
        assert (await client.post("/api/v1/device/token", data=bobs)).status_code == 200


async def test_a_stolen_token_does_not_come_back_when_its_person_is_enabled(installation: Installation) -> None:
    by_password, by_uni = installation.token("alice"), installation.token("alice", who=SignedIn("alice", "uni", "s-1"))
    bobs, now = installation.token("bob"), datetime.now(UTC)
    installation.store(lambda s: retirement.disable(s, Thing.USER, "alice", "her laptop was stolen", now))
    installation.store(lambda s: retirement.enable(s, Thing.USER, "alice"))
    async with installation.client() as client:
        for stolen in (by_password, by_uni):
            with pytest.raises(Unauthenticated, match="this token was ended: the person was disabled"):
                await who(client, stolen)
        assert await who(client, bobs) == ("bob", ("user",))


# --- a provider that does not mean somebody ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "word", "gone"),
    [
        (401, "invalid_client", False),
        (400, "unauthorized_client", False),
        (429, "rate_limited", False),
        (403, "", False),
        (400, "invalid_request", False),
        (400, "invalid_grant", True),
    ],
)
async def test_everybody_is_not_signed_out_by_what_a_provider_has_against_us(
    uni: Installation, hostile: Hostile, browser: httpx.AsyncClient, status: int, word: str, gone: bool
) -> None:
    """A client secret that has expired, or a limit that anybody can use up: nobody is gone by that."""
    await come_in(browser, hostile)
    now = datetime.now(UTC)
    due = sa.update(models.ProviderAccount).values(check_at=now)
    uni.store(lambda s: s.execute(due))
    hostile.answers["/token"] = lambda: httpx.Response(status, json={"error": word} if word else {})
    assert (await browser.get(ME)).status_code == (401 if gone else 200)
    with uni.backend.store.read() as session:
        (account,) = people.accounts(session, "ann")
    assert (account.gone_at is not None) is gone and account.check_at > now, "it was asked"


# --- who tries again and again ----------------------------------------------------------------------------------------


async def test_a_password_of_ones_own_buys_no_more_guesses_at_others(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each login is guessed at once: only what counts for the address is in the way."""
    monkeypatch.setattr(service, "OF_ADDRESS", Pauses(free=4, forgiven=timedelta(minutes=2)))
    kept = await passwords.hashed("correct horse battery")
    installation.store(lambda s: people.put_password(s, "alice", kept, datetime.now(UTC)))
    statuses = []
    async with installation.browser() as browser:
        for number in range(6):
            own = await sign_in(browser, "alice", "correct horse battery")
            statuses += [own.status_code, (await sign_in(browser, f"victim{number}", "summer2026")).status_code]
    assert statuses[:8] == [303, 401] * 4 and set(statuses[8:]) == {429}, statuses
    async with installation.browser("203.0.113.5") as elsewhere:
        assert (await sign_in(elsewhere, "alice", "correct horse battery")).status_code == 303


async def test_who_has_to_wait_makes_nobody_else_wait(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an account for what its thief's address may not try, nor an address for what an account may not."""
    monkeypatch.setattr(service, "OF_ADDRESS", Pauses(free=2, forgiven=timedelta(minutes=2)))
    monkeypatch.setattr(service, "OF_ACCOUNT", Pauses(free=3))
    kept = await passwords.hashed("correct horse battery")
    installation.store(lambda s: people.put_password(s, "alice", kept, datetime.now(UTC)))

    async def tries(address: str, *logins: str) -> list[int]:
        async with installation.browser(address) as browser:
            return [(await sign_in(browser, login, "summer2026")).status_code for login in logins]

    assert await tries("192.0.2.1", "bob", "carol", *["alice"] * 9) == [401, 401] + [429] * 9
    async with installation.browser("192.0.2.2") as browser:
        assert (await sign_in(browser, "alice", "correct horse battery")).status_code == 303
    assert await tries("192.0.2.3", "dora", "erin") == [401, 401]
    assert await tries("192.0.2.4", "dora") + await tries("192.0.2.5", "dora") == [401, 401]
    assert await tries("192.0.2.6", *["dora"] * 9) == [429] * 9
    assert await tries("192.0.2.6", "frank") == [401]


async def test_nobody_keeps_others_from_being_sent_to_a_provider(
    uni: Installation, hostile: Hostile, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By beginning so many sign-ins that no more are awaited. Who does come in from there is not counted."""
    monkeypatch.setattr(service, "OF_STARTS", Pauses(free=5))
    monkeypatch.setattr(sign_ins, "MOST_OPEN", 8)
    for _ in range(7):
        assert (await come_in(browser, hostile)).status_code == 303
    async with uni.browser("198.51.100.66") as attacker:
        statuses = [(await attacker.get("/sign-in/uni")).status_code for _ in range(20)]
        refused = await attacker.get("/sign-in/uni")
    assert statuses == [303] * 5 + [429] * 15 and int(refused.headers["retry-after"]) >= 1
    assert (await come_in(browser, hostile)).status_code == 303


@pytest.mark.parametrize(
    "limits",
    [{"address_rate": 0.001, "address_burst": 3}, {"stranger_rate": 0.001, "stranger_burst": 3}],
    ids=["of an address", "of a stranger"],
)
async def test_who_has_a_whole_network_asks_as_often_as_who_has_an_address(
    installation: Installation, limits: dict[str, float]
) -> None:
    """With each request from another address of the /64 that every customer has."""
    api = installation.backend.settings.api
    own = api.model_copy(update={"limits": ApiLimitSettings.model_validate(limits)})
    installation.backend.settings.api = own
    there = replace(installation, app=make_app(installation.backend))

    async def ask(address: str) -> int:
        async with there.client(address) as client:
            return (await client.get(ME)).status_code

    assert [await ask(f"2001:db8:0:1::{n:x}") for n in range(5)] == [401] * 3 + [429] * 2
    assert await ask("2001:db8:0:2::1") == await ask("::ffff:192.0.2.1") == 401, "others, on a socket of both kinds"
    assert [await ask(f"::ffff:198.51.100.{n}") for n in range(5)] == [401] * 5
