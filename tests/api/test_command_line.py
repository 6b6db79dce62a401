"""The command line against the server itself: signing in, what a person may, tokens for programs."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.serving import serving, token_of
from tests.believing import believed
from tests.cli.conftest import Said
from tests.service.conftest import Lab
from vclab.cli.app import run
from vclab.client import device
from vclab.client.contexts import Chosen, Context, Contexts
from vclab.client.http import Http
from vclab.contract import tokens
from vclab.contract.people import me
from vclab.contract.use_case import Nothing
from vclab.model.errors import Forbidden, Refused
from vclab.model.people import LOCAL, SignedIn
from vclab.service import sign_in
from vclab.service.actor import Actor, Authentication, Role
from vclab.service.authentication import Account
from vclab.service.use_case import perform

Command = Callable[..., Any]


@pytest.fixture
async def url(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Where the server listens."""
    monkeypatch.setattr(sign_in, "INTERVAL", 0.0)
    monkeypatch.setattr("vclab.api.sign_in.devices.INTERVAL", 0.0)
    async with serving(lab.backend) as made:
        yield made


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command beside the server."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    async def call(*words: str) -> Said:
        capfd.readouterr()
        code = await asyncio.to_thread(run, words)
        return Said(code, *capfd.readouterr())

    return call


async def with_browser(lab: Lab, login: str) -> Actor:
    """Somebody who has signed in with a browser."""
    user = (await believed(lab.backend, Account("root"), login)).user
    roles = frozenset({Role.USER})
    return Actor(login, roles, Authentication.SESSION, user=user, signed_in=SignedIn(login, LOCAL))


async def test_in_by_the_device_flow(lab: Lab, url: str) -> None:
    server = Http(Chosen("", Context(url=url), ""))
    begun = await device.begin(server)
    assert begun.page == f"{url}/device?user_code={begun.user_code}"
    alice = await with_browser(lab, "alice")
    shown = await perform(tokens.waiting, lab.backend, alice, tokens.Code(code=begun.user_code))
    assert shown.address == "127.0.0.1" and shown.program.startswith("vclab on ")
    await perform(tokens.decide, lab.backend, alice, tokens.Decision(code=begun.user_code, allow=True))
    token = await device.token(server, begun)
    assert (await Http(Chosen("", Context(url=url), token)).call(me, Nothing())).login == "alice"


async def test_who_is_refused_in_the_browser(lab: Lab, url: str) -> None:
    server = Http(Chosen("", Context(url=url), ""))
    begun = await device.begin(server)
    alice = await with_browser(lab, "alice")
    await perform(tokens.decide, lab.backend, alice, tokens.Decision(code=begun.user_code, allow=False))
    with pytest.raises(Refused, match="refused in the browser"):
        await device.token(server, begun)


async def test_tokens_for_programs(lab: Lab, url: str, command: Command, tmp_path: Path) -> None:
    Contexts.own().put("lab", Context(url=url), token_of(lab.backend, "alice"))
    view = lab.reserved()
    assert (await command("list", "-o", "name")).out == f"{view.id}\n"
    made = await command("token", "create", "nightly")
    assert made.code == 0 and made.out.startswith("vct_"), made.err
    file = tmp_path / "token"
    file.write_text(made.out)
    file.chmod(0o600)
    program = Http(Chosen("", Context(url=url), made.out.strip()))
    assert (await program.call(me, Nothing())).login == "alice"
    with pytest.raises(Refused) as raised:
        await program.call(tokens.create, tokens.Create(name="more", scopes=("act",)))
    assert raised.value.code == Forbidden.code
    listed = (await command("token", "list", "--json")).json
    id = next(each["id"] for each in listed if each["name"] == "nightly")
    assert made.out.strip() not in str(listed)
    assert (await command("token", "revoke", id)).code == 0
    with pytest.raises(Refused, match="ended"):
        await program.call(me, Nothing())
    assert "ended" in (await command("token", "list")).out
    assert (await command("logout")).code == 0
    (await command("list")).one_line_error(3, f"run `vclab login {url}`")


async def test_a_password_is_typed_and_never_an_argument(
    lab: Lab, url: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = Contexts.own()
    contexts.put("olga", Context(url=url), token_of(lab.backend, "olga"))
    contexts.put("alice", Context(url=url), token_of(lab.backend, "alice"))

    async def typed(lines: str, *words: str) -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        said: Said = await command(*words)
        return said

    first, second = "correct horse battery", "staple correct horse"
    assert (await typed(f"{first}\n", "--as", "olga", "user", "password", "alice")).code == 0
    contexts.put("alice", Context(url=url), token_of(lab.backend, "alice"))
    (await typed(f"{second}\n{first}\n", "user", "password", "alice")).one_line_error(3)
    said = await typed(f"{first}\n{second}\n", "user", "password", "alice")
    assert said.code == 0 and first not in said.out + said.err
    (await command("list")).one_line_error(3, "login")  # it was signed out with all others
    assert (await sign_in.by_password(lab.backend, "alice", second, "192.0.2.1")).user == "alice"


async def test_each_answer_tells_the_version(url: str) -> None:
    async with httpx.AsyncClient() as plain:
        answers = [await plain.get(f"{url}{path}") for path in ("/api/v1/me", "/nowhere")]
    assert [each.headers["vclab-version"] for each in answers] == [version("vclab")] * 2


async def test_another_persons_reservation_is_not_found(lab: Lab, url: str, command: Command) -> None:
    Contexts.own().put("lab", Context(url=url), token_of(lab.backend, "bob"))
    view = lab.reserved("alice")
    for verb in ("show", "end", "connect", "why"):
        (await command(verb, view.id)).one_line_error(4, "there is no reservation")
    (await command("needs-help")).one_line_error(3, "may not operate the lab")
