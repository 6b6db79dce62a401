"""Signing in and out at a server, and the servers that the command line knows."""

import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Said
from tests.client.scripted import Answer, Asked, Scripted, scripted
from tests.client.test_device import BEGUN
from tests.client.test_http import certificates, serving
from vclab.cli.app import run
from vclab.client.certificates import fingerprint_of
from vclab.client.contexts import Context, Contexts, chosen

__all__ = ["certificates"]

TOKEN, OTHER = "vct_" + "a1B2" * 8, "vct_" + "c3D4" * 8
ME = {"login": "alice", "roles": ["user"], "zone": "UTC", "affiliation": ""}

Command = Callable[..., Any]


class Server:
    """One that lets alice in once she has confirmed the code, which she does when it is asked for the second time."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.tokens = {TOKEN}

    def __call__(self, asked: Asked) -> Any:
        self.asked.append(asked)
        path = asked.target.removeprefix("/api/v1")
        if path == "/device":
            return BEGUN
        if path == "/device/token":
            waits = len([each for each in self.asked if each.target == asked.target]) < 2
            return Answer({"error": "authorization_pending"}, 400) if waits else {"access_token": TOKEN}
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return Answer({"code": "unauthenticated", "detail": "this token is not known", "hint": ""}, 401)
        if path == "/sign-out":
            self.tokens.discard(token)
            return Answer(status=204)
        return ME if path == "/me" else {"items": [], "next": None}


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command while the server of the test answers; ``stdin``: what is typed."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    async def call(*words: str, stdin: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capfd.readouterr()
        code = await asyncio.to_thread(run, words)
        return Said(code, *capfd.readouterr())

    return call


@pytest.fixture
async def lab() -> AsyncIterator[tuple[Server, Scripted]]:
    made = Server()
    async with scripted(made) as server:
        yield made, server


async def test_in_with_a_browser_and_out_again(command: Command, lab: tuple[Server, Scripted]) -> None:
    server, at = lab
    said = await command("login", at.url, "--name", "campus")
    assert said.code == 0, said.err
    assert BEGUN["verification_uri_complete"] in said.err and "BCDF-GHJK" in said.err
    assert f"Logged in at {at.url} as alice. Commands go there now (context campus)." in said.err
    assert TOKEN not in said.err + said.out
    used = chosen()
    assert used is not None and (used.name, used.token, used.context.login) == ("campus", TOKEN, "alice")
    assert (await command("list")).err == "No reservations now; --all lists those that have ended.\n"
    said = await command("logout")
    assert (said.code, said.err) == (0, "Logged out of campus.\n")
    assert server.tokens == set()
    (await command("list")).one_line_error(3, "this token is not known", f"run `vclab login {at.url}`")
    said = await command("logout")
    assert (said.code, said.err) == (0, "Nobody was logged in at campus.\n")


async def test_a_program_gives_its_token(command: Command, lab: tuple[Server, Scripted]) -> None:
    server, at = lab
    said = await command("login", at.url, "--token-stdin", stdin=f"{TOKEN}\n")
    assert said.code == 0, said.err
    assert [each.target for each in server.asked] == ["/api/v1/me"]
    assert [*Contexts.own().all()] == ["127.0.0.1"]
    for wrong, code in ((OTHER, 3), ("hunter2", 3), ("", 2)):
        said = await command("login", at.url, "--token-stdin", stdin=f"{wrong}\n")
        assert said.code == code and "hunter2" not in said.err
    used = chosen()
    assert used is not None and used.token == TOKEN


async def test_a_token_that_has_ended_is_forgotten(command: Command, lab: tuple[Server, Scripted]) -> None:
    server, at = lab
    Contexts.own().put("campus", Context(url=at.url), TOKEN)
    server.tokens.clear()
    assert (await command("logout")).code == 0
    assert Contexts.own().token("campus") == ""


async def test_what_can_not_be_ended_is_kept(command: Command, tmp_path: Path) -> None:
    Contexts.own().put("campus", Context(url="http://127.0.0.1:1"), TOKEN)
    (await command("logout")).one_line_error(5, "does not answer")
    assert Contexts.own().token("campus") == TOKEN


async def test_which_server(command: Command, lab: tuple[Server, Scripted]) -> None:
    _, at = lab
    (await command("login")).one_line_error(2, "which server?")
    (await command("logout")).one_line_error(3, "there is no context")
    (await command("login", "http://lab.example.org")).one_line_error(3, "everybody on the way")
    Contexts.own().put("campus", Context(url=at.url, identity_file="key"), "")
    assert (await command("login", "--token-stdin", stdin=TOKEN)).code == 0
    kept = Contexts.own().called("campus")
    assert (kept.identity_file, kept.login) == ("key", "alice")
    said = await command("login", "http://127.0.0.1:1", "--name", "campus", "--token-stdin", stdin=TOKEN)
    said.one_line_error(3, "the context campus is")


async def test_as_is_the_token_of_somebody(command: Command, lab: tuple[Server, Scripted]) -> None:
    server, at = lab
    server.tokens = {TOKEN, OTHER}
    contexts = Contexts.own()
    contexts.put("bob", Context(url=at.url), OTHER)
    contexts.put("alice", Context(url=at.url), TOKEN)
    for words in (("--as", "bob", "list"), ("list", "--as", "bob"), ("--context", "bob", "list")):
        assert (await command(*words)).code == 0
        assert server.asked[-1].headers["authorization"] == f"Bearer {OTHER}"
    (await command("--as", "carol", "list")).one_line_error(4, "there is no context 'carol'")
    asked = len(server.asked)
    for both in (("--context", "alice", "--as", "bob", "list"), ("--context", "alice", "list", "--as", "bob")):
        (await command(*both)).one_line_error(2, "--as bob and --context alice name two contexts")
    assert len(server.asked) == asked, "as nobody"
    assert (await command("--context", "bob", "--as", "bob", "list")).code == 0


async def test_contexts(command: Command, lab: tuple[Server, Scripted]) -> None:
    _, at = lab
    assert "No contexts" in (await command("context", "list")).err
    contexts = Contexts.own()
    contexts.put("one", Context(url=at.url, login="alice"), TOKEN)
    contexts.put("two", Context(url="https://two.example.org"), "")
    assert (await command("context", "use", "one")).code == 0
    listed = json.loads((await command("context", "list", "--json")).out)
    assert listed == [
        {"name": "one", "url": at.url, "login": "alice", "signed_in": True, "current": True},
        {"name": "two", "url": "https://two.example.org", "login": None, "signed_in": False, "current": False},
    ]
    said = await command("context", "list")
    assert said.out.splitlines()[1].split() == ["*", "one", at.url, "alice"]
    assert TOKEN not in said.out
    assert (await command("context", "remove", "one")).code == 0
    (await command("context", "use", "one")).one_line_error(4, "there are two")


def test_ctrl_c_while_a_server_is_silent(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    words = [sys.executable, "-c", "from vclab.cli.main import main; main()", "list", "--json"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = os.environ | {"VCLAB_URL": url, "VCLAB_TOKEN_FILE": str(file)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(words, env=environment, **pipes) as child:  # type: ignore[call-overload]
            connection, _ = silent.accept()
            assert connection.recv(4)  # it has asked, and waits
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=60)
            connection.close()
    assert (child.returncode, err) == (130, "")
    assert json.loads(out)["error"]["code"] == "interrupted"


async def test_a_certificate_is_confirmed_or_vouched_for(command: Command, certificates: Path) -> None:
    server = Server()
    async with scripted(server, serving(certificates, "own")) as at:
        login = ("login", at.url, "--token-stdin")
        said = await command(*login, stdin=TOKEN)
        seen = fingerprint_of((certificates / "own.pem").read_text())
        said.one_line_error(3, f"--fingerprint {seen}")
        said = await command(*login, "--fingerprint", "00" * 32, stdin=TOKEN)
        said.one_line_error(3, "shows another certificate")
        said = await command(*login, "--ca", str(certificates / "alone.pem"), stdin=TOKEN)
        said.one_line_error(3, "is not of the authority")
        said = await command(*login, "--ca", str(certificates / "own.key"), stdin=TOKEN)
        said.one_line_error(3, "can't be read")
        assert server.asked == []
        shown = ":".join(seen[n : n + 2].upper() for n in range(0, 64, 2))
        for words in (("--fingerprint", shown), ("--ca", str(certificates / "ca.pem")), ()):
            said = await command(*login, *words, stdin=TOKEN)
            assert said.code == 0, said.err
        assert (await command("list")).code == 0
