"""A real provider: Dex over an LDAP directory. Skipped where slapd is missing."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
import sqlalchemy as sa

from tests import provider
from tests.provider import CLIENT, Provider
from tests.sign_in.installation import ME, URL, Installation, form_of, who
from vclab.api.sign_in import openid
from vclab.lab.provider import Entry, dn, person
from vclab.model.catalog import Thing
from vclab.model.errors import Unauthenticated
from vclab.model.people import Account
from vclab.settings_sign_in import ProviderSettings
from vclab.store import models, people, retirement

pytestmark = pytest.mark.skipif(bool(provider.missing()), reason=provider.missing())


@pytest.fixture(scope="module")
def dex(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Both servers, for all tests of this file."""
    with provider.running(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture
def uni(installation: Installation, dex: Provider, tmp_path: Path) -> Installation:
    """An installation whose provider ``uni`` it is."""
    secret = tmp_path / "client-secret"
    secret.write_text(CLIENT.secret)
    settings = ProviderSettings(issuer=dex.issuer, client_id=CLIENT.id, client_secret_file=secret, title="University")
    sign_in = installation.backend.settings.sign_in
    installation.backend.settings.sign_in = sign_in.model_copy(update={"providers": {"uni": settings}})
    return installation


@pytest.fixture
async def browser(uni: Installation) -> AsyncIterator[httpx.AsyncClient]:
    """At the installation."""
    async with uni.browser() as made:
        yield made


async def at_provider(url: str, login: str, password: str = "") -> str:
    """Sign in at Dex, as a browser does it. Returns where it sends the browser; empty when it does not let it in."""
    async with httpx.AsyncClient(follow_redirects=False) as browser:
        answer = await browser.get(url)
        while answer.is_redirect:
            url = urljoin(url, answer.headers["location"])
            answer = await browser.get(url)
        action = re.search(r'<form method="post" action="([^"]+)"', answer.text)
        assert action, answer.text
        form = {"login": login, "password": password or f"{login}-password"}
        answer = await browser.post(urljoin(url, unescape(action[1])), data=form)
        while answer.is_redirect:
            url = urljoin(url, answer.headers["location"])
            if url.startswith(URL):
                return url
            answer = await browser.get(url)
    return ""


async def sign_in(browser: httpx.AsyncClient, login: str, then: str = "") -> httpx.Response:
    """All of it."""
    sent = await browser.get("/sign-in/uni", params={"then": then} if then else {})
    assert sent.status_code == 303, sent.text
    back = await at_provider(sent.headers["location"], login)
    assert back, "Dex has not let them in"
    return await browser.get(back)


def account(installation: Installation, login: str) -> Account:
    with installation.backend.store.read() as session:
        (found,) = people.accounts(session, login)
    return found


def due(installation: Installation, login: str, ago: timedelta = timedelta(0)) -> None:
    """It is time to ask the provider again; it has confirmed this account so long ago."""
    now = datetime.now(UTC)
    change = sa.update(models.ProviderAccount).where(models.ProviderAccount.user == login)
    installation.store(lambda s: s.execute(change.values(check_at=now, confirmed_at=now - ago)))


async def test_somebody_signs_in_at_the_provider(uni: Installation, browser: httpx.AsyncClient) -> None:
    page = await browser.get("/sign-in", params={"then": "/device"})
    assert "Sign in with University" in page.text
    answer = await sign_in(browser, "ann", then="/device")
    assert (answer.status_code, answer.headers["location"]) == (303, "/device"), answer.text
    me = (await browser.get(ME)).json()
    assert (me["login"], me["affiliation"], me["roles"]) == ("ann", "uni", ["user"])
    with uni.backend.store.read() as session:
        assert people.provider_groups(session, "ann") == {"uni/staff"}
    assert account(uni, "ann").refresh_ref, "it can be asked again"


async def test_who_is_called_as_somebody_here_is_not_them(uni: Installation, browser: httpx.AsyncClient) -> None:
    await sign_in(browser, "olga")
    assert (await browser.get(ME)).json() | {"zone": ""} == {
        "login": "olga-2", "roles": ["user"], "zone": "", "affiliation": "uni",
    }  # fmt: skip


async def test_an_answer_counts_once_and_in_the_browser_that_asked(
    uni: Installation, browser: httpx.AsyncClient
) -> None:
    sent = await browser.get("/sign-in/uni")
    back = await at_provider(sent.headers["location"], "ben")
    async with uni.browser() as another:
        await another.get("/sign-in")
        answer = await another.get(back)
        assert answer.status_code == 400 and "not begun in this browser" in answer.text
        assert (await another.get(ME)).status_code == 401
    assert (await browser.get(back)).status_code == 303
    answer = await browser.get(back)
    assert answer.status_code == 400, "it was replayed"
    sent = await browser.get("/sign-in/uni")
    state = parse_qs(urlsplit(sent.headers["location"]).query)["state"][0]
    code = parse_qs(urlsplit(back).query)["code"][0]
    answer = await browser.get("/sign-in/uni/callback", params={"state": state, "code": code})
    assert answer.status_code == 400 and "does not accept the code" in answer.text, "an old code in a new sign-in"


async def test_a_code_is_worth_nothing_to_who_has_stolen_it(uni: Installation, browser: httpx.AsyncClient) -> None:
    """In another sign-in it meets another verifier: PKCE, checked by the provider."""
    stolen = await at_provider((await browser.get("/sign-in/uni")).headers["location"], "ben")
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    async with uni.browser() as thief:
        sent = await thief.get("/sign-in/uni")
        state = parse_qs(urlsplit(sent.headers["location"]).query)["state"][0]
        answer = await thief.get("/sign-in/uni/callback", params={"state": state, "code": code})
        assert answer.status_code == 400 and (await thief.get(ME)).status_code == 401


async def test_who_the_provider_does_not_let_in(browser: httpx.AsyncClient) -> None:
    sent = await browser.get("/sign-in/uni")
    assert await at_provider(sent.headers["location"], "ann", "wrong") == ""
    state = parse_qs(urlsplit(sent.headers["location"]).query)["state"][0]
    answer = await browser.get("/sign-in/uni/callback", params={"state": state, "error": "access_denied"})
    assert answer.status_code == 400 and "access_denied" in answer.text


async def test_the_device_flow_through_the_provider(uni: Installation, browser: httpx.AsyncClient) -> None:
    async with uni.client("198.51.100.20") as program:
        begun = (await program.post("/api/v1/device", data={"client_name": "laptop"})).json()
        page = await browser.get(begun["verification_uri_complete"])
        then = parse_qs(urlsplit(page.headers["location"]).query)["then"][0]
        answer = await sign_in(browser, "cleo", then)
        page = await browser.get(answer.headers["location"])
        await browser.post("/device", data=form_of(page.text) | {"decision": "allow"})
        got = await program.post("/api/v1/device/token", data={"device_code": begun["device_code"]})
        assert await who(program, got.json()["access_token"]) == ("cleo", ("user",))


async def token_of(uni: Installation, login: str) -> str:
    """A token of somebody who has signed in at the provider."""
    async with uni.browser() as browser:
        await sign_in(browser, login)
        made = await browser.post("/api/v1/tokens", json={"name": "script", "scopes": ["read", "act"]})
    assert made.status_code == 200, made.text
    secret: str = made.json()["secret"]
    return secret


async def test_the_provider_is_asked_again_for_groups(uni: Installation, dex: Provider) -> None:
    token = await token_of(uni, "dan")
    dex.change(f"dn: cn=staff,ou=groups,dc=lab,dc=test\nchangetype: modify\nadd: member\nmember: {dn('dan')}\n")
    due(uni, "dan")
    async with uni.client() as client:
        assert await who(client, token) == ("dan", ("user",))
    with uni.backend.store.read() as session:
        assert people.provider_groups(session, "dan") == {"uni/staff", "uni/students"}
    assert account(uni, "dan").check_at > datetime.now(UTC) + timedelta(minutes=50)


async def test_whom_the_provider_does_not_vouch_for_any_more_loses_their_tokens(
    uni: Installation, dex: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dex forgets refresh tokens when it ends, and then refuses them. It has other keys then, too."""
    monkeypatch.setattr(openid, "KEYS_PAUSE", 0.0)
    token = await token_of(uni, "ruth")
    with dex.away():
        due(uni, "ruth")
        async with uni.client() as client:
            assert await who(client, token) == ("ruth", ("user",)), "it is away, which is nobody's fault"
    due(uni, "ruth")
    async with uni.client() as client:
        for _ in range(2):
            with pytest.raises(Unauthenticated, match="does not confirm this account any more"):
                await who(client, token)
    assert account(uni, "ruth").gone_at is not None
    assert await who_signs_in(uni, "ruth") == "ruth", "who is still there signs in again"


async def who_signs_in(uni: Installation, login: str) -> str:
    async with uni.browser() as browser:
        answer = await sign_in(browser, login)
        assert answer.status_code == 303, answer.text
        found: str = (await browser.get(ME)).json()["login"]
    return found


async def test_who_is_removed_from_the_directory_is_out_when_the_grace_is_over(
    uni: Installation, dex: Provider
) -> None:
    """Dex can't tell "not there" from "I can't ask": it answers 500. So it is taken at its word after a day."""
    dex.change(person(Entry("eve", "eve-password")).replace("\n", "\nchangetype: add\n", 1))
    token = await token_of(uni, "eve")
    dex.change(f"dn: {dn('eve')}\nchangetype: delete\n")
    async with uni.client() as client:
        due(uni, "eve", timedelta(hours=2))
        assert await who(client, token) == ("eve", ("user",))
        due(uni, "eve", timedelta(hours=26))
        with pytest.raises(Unauthenticated, match="has not confirmed this account since"):
            await who(client, token)
    dex.change(person(Entry("eve", "eve-password")).replace("\n", "\nchangetype: add\n", 1))
    assert await who_signs_in(uni, "eve") == "eve-2", "another entry of the directory is another person"


async def test_who_is_renamed_is_the_same_person(uni: Installation, dex: Provider) -> None:
    assert await who_signs_in(uni, "stan") == "stan"
    uid = "changetype: modrdn\nnewrdn: uid=stanislaw\ndeleteoldrdn: 1\n"
    dex.change(f"dn: {dn('stan')}\n{uid}")
    async with uni.browser() as browser:
        sent = await browser.get("/sign-in/uni")
        back = await at_provider(sent.headers["location"], "stanislaw", "stan-password")
        assert (await browser.get(back)).status_code == 303
        assert (await browser.get(ME)).json()["login"] == "stan"
    assert account(uni, "stan").called == "stanislaw"


async def test_who_is_disabled_here_gets_in_nowhere(uni: Installation) -> None:
    token = await token_of(uni, "alice")
    uni.store(lambda s: retirement.disable(s, Thing.USER, "alice-2", "a warning", datetime.now(UTC)))
    async with uni.client() as client, uni.browser() as browser:
        with pytest.raises(Unauthenticated, match="is disabled"):
            await who(client, token)
        answer = await sign_in(browser, "alice")
        assert answer.status_code == 400 and "a warning" in answer.text


async def test_the_provider_is_down_and_local_accounts_go_on(
    uni: Installation, dex: Provider, browser: httpx.AsyncClient
) -> None:
    with dex.away():
        answer = await browser.get("/sign-in/uni")
        assert answer.status_code == 503 and "The identity provider uni can&#39;t be asked now" in answer.text
        assert int(answer.headers["retry-after"]) > 0
        page = await browser.get("/sign-in")
        assert page.status_code == 200 and 'name="password"' in page.text
