"""The device flow as people see it: a program, a real browser, a real server and a real provider."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from tests import provider
from tests.provider import Provider
from tests.sign_in import chromium
from tests.sign_in.chromium import Chromium
from tests.sign_in.installation import Installation
from tests.temporal_server import free_ports
from vclab.lab.provider import Client
from vclab.settings_sign_in import ProviderSettings

pytestmark = pytest.mark.skipif(bool(provider.missing()), reason=provider.missing())


@pytest.fixture(scope="module")
def address() -> str:
    """Where the server is."""
    return f"127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture(scope="module")
def dex(tmp_path_factory: pytest.TempPathFactory, address: str) -> Iterator[Provider]:
    """It knows this server."""
    client = Client("vclab", "secret", (f"http://{address}/sign-in/uni/callback",))
    with provider.running(tmp_path_factory.mktemp("provider"), (client,)) as running:
        yield running


@pytest.fixture
def server(installation: Installation, dex: Provider, address: str, tmp_path: Path) -> Iterator[str]:
    """The server, in a thread of its own. Its URL."""
    secret = tmp_path / "client-secret"
    secret.write_text("secret")
    uni = ProviderSettings(issuer=dex.issuer, client_id="vclab", client_secret_file=secret, title="University")
    settings = installation.backend.settings
    settings.sign_in = settings.sign_in.model_copy(update={"providers": {"uni": uni}})
    host, _, port = address.partition(":")
    made = uvicorn.Server(uvicorn.Config(installation.app, host, int(port), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(made.serve()))
    thread.start()
    yield f"http://{address}"
    made.should_exit = True
    thread.join(20)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    """Chromium."""
    with chromium.running(tmp_path / "chromium") as running:
        yield running


def begin(server: str) -> dict[str, str]:
    """As `vclab login` does it."""
    answer = httpx.post(f"{server}/api/v1/device", data={"client_id": "vclab", "client_name": "laptop"})
    found: dict[str, str] = answer.json()
    return found


def ask(server: str, begun: dict[str, str]) -> httpx.Response:
    """As `vclab login` does it."""
    return httpx.post(f"{server}/api/v1/device/token", data={"device_code": begun["device_code"]})


def sign_in_at_university(browser: Chromium, login: str) -> None:
    """At Dex, whose page is shown."""
    browser.click("a.button")
    assert "/dex/auth" in browser.url
    browser.type("#login", login)
    browser.type("#password", f"{login}-password")
    browser.click("#submit-login")


def test_a_program_is_let_in_by_a_browser(server: str, browser: Chromium) -> None:
    """And the browser keeps the rules that the pages set: no script reads the cookie, none runs, none is framed."""
    begun = begin(server)
    browser.open(begun["verification_uri_complete"])
    assert browser.url.startswith(f"{server}/sign-in?then=")
    sign_in_at_university(browser, "ann")
    assert browser.text("#code") == begun["user_code"]
    assert (browser.text("#program"), browser.text("#address")) == ("vclab on laptop", "127.0.0.1")
    assert "act as ann" in browser.text()
    assert ask(server, begun).json() == {"error": "authorization_pending"}
    browser.click("button[value=allow]")
    assert "vclab on laptop is let in" in browser.text()
    token = ask(server, begun).json()["access_token"]
    me = httpx.get(f"{server}/api/v1/me", headers={"Authorization": f"Bearer {token}"}).json()
    assert (me["login"], me["affiliation"]) == ("ann", "uni")
    cookie = browser.cookie("vclab-session")
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    assert browser.run("return document.cookie") == ""
    ran = "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.head.append(s);"
    assert browser.run(f"{ran} return window.ran === undefined")
    browser.click("form[action='/sign-out'] button")
    assert "signed out" in browser.text()
    browser.open(f"{server}/signed-in")
    assert browser.url == f"{server}/sign-in"


def test_a_program_is_refused_in_a_browser(server: str, browser: Chromium) -> None:
    """Without a link: somebody types the code that they read."""
    begun = begin(server)
    browser.open(f"{server}/device")
    sign_in_at_university(browser, "ben")
    browser.type("#user_code", begun["user_code"].lower())
    browser.click("button")
    browser.click("button[value=refuse]")
    assert "was refused" in browser.text()
    assert ask(server, begun).json() == {"error": "access_denied"}


def test_pages_are_accessible(server: str, browser: Chromium) -> None:
    """One heading and one main part, a language, and every field has a label."""
    looks = """
        return [document.documentElement.lang, document.querySelectorAll('h1').length,
                document.querySelectorAll('main').length, document.title,
                [...document.querySelectorAll('input:not([type=hidden])')].every(each => each.labels.length === 1),
                getComputedStyle(document.querySelector('main')).maxWidth]
    """
    browser.open(f"{server}/sign-in")
    assert browser.run(looks) == ["en", 1, 1, "Sign in – vclab", True, "480px"], "with its style"
