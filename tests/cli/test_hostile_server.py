"""A server that somebody has taken over: what it says reaches no file, no command and no terminal of its users."""

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_ssh import shown
from tests.client.scripted import Answer, Asked, scripted
from vclab.cli import ssh
from vclab.cli.app import run as run_command
from vclab.cli.asking import typed_secret
from vclab.cli.config_ssh import stanza
from vclab.cli.transfers import Progress
from vclab.client.contexts import Chosen, Context, Contexts
from vclab.client.http import Http
from vclab.contract import reservations
from vclab.contract.people import me
from vclab.contract.reservations import Named
from vclab.contract.use_case import Nothing
from vclab.model.errors import Failed, Refused

TOKEN = "vct_" + "a1B2" * 8
KEY = "ssh-ed25519 AAAA"
ME: dict[str, Any] = {"login": "alice", "roles": ["user"], "zone": "UTC", "affiliation": ""}
GOOD: dict[str, Any] = json.loads(shown(id="1f3k9", host_key=KEY).model_dump_json())


def offered(name: str, title: str) -> dict[str, Any]:
    """An image of the list that people reserve from."""
    sizes = {"revision": 1, "cpus": 1, "memory_mb": 1024, "disk_gb": 8}
    rest = {"module": "fake", "guest": "", "suspect": None, "disabled_at": None, "disabled_why": ""}
    return {"name": name, "title": title, **sizes, **rest}


class Hostile:
    """It knows one person and one reservation, and lies about both."""

    def __init__(self) -> None:
        self.url = ""
        self.me, self.reservation = dict(ME), dict(GOOD)
        self.offers: list[dict[str, Any]] = []

    def script(self, asked: Asked) -> Any:
        path = asked.target.removeprefix("/api/v1")
        if path == "/me":
            return self.me
        if path == "/offers":
            return {"items": self.offers, "next": None}
        if path.startswith("/reservations/1f3k9"):
            more = {"already": False} if path.endswith("/end") else {"now": None, "capture": None}
            return self.reservation | ({} if path.endswith("/connect") else more)
        return Answer({"code": "not_found", "detail": "there is no such thing", "hint": ""}, 404)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hostile]:
    """The one that is in use."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    made = Hostile()
    async with scripted(made.script) as serving:
        made.url = serving.url
        Contexts.own().put("campus", Context(url=serving.url, login="alice"), TOKEN)
        yield made


async def _run(*words: str) -> int:
    return await asyncio.to_thread(run_command, list(words))


async def test_a_login_adds_no_line_to_the_configuration_of_openssh(server: Hostile, tmp_path: Path) -> None:
    file = tmp_path / "config"
    server.me["login"] = f'alice\nMatch exec "touch {tmp_path}/ran"'
    assert await _run("config-ssh", "--file", str(file)) == 1
    assert not file.exists() and not (tmp_path / ".config/vclab/ssh_config").exists()
    server.me["login"] = "alice"
    assert await _run("config-ssh", "--file", str(file)) == 0


def test_no_value_of_the_stanza_has_a_line_of_its_own() -> None:
    with pytest.raises(Failed, match="no login name"):
        stanza('alice\nMatch exec "id"', "/usr/bin/vclab", None)
    with pytest.raises(Refused, match="can't have"):
        stanza("alice", "/usr/bin/vclab\n", None)
    chosen = Chosen("campus", Context(url="https://lab", identity_file="k\rey"), TOKEN)
    with pytest.raises(Refused, match="can't name"):
        stanza("alice", "/usr/bin/vclab", chosen)


async def test_an_id_leads_to_no_other_file(server: Hostile, tmp_path: Path) -> None:
    file = tmp_path / ".bashrc"
    file.write_text("mine\n")
    server.reservation |= {"id": "../../../.bashrc", "host_key": f"{KEY}\ntouch ran"}
    assert await _run("connect", "1f3k9", "--print") == 1
    assert file.read_text() == "mine\n"
    server.reservation["host_key"] = KEY
    assert await _run("end", "1f3k9") == 1
    assert file.read_text() == "mine\n"


def test_the_functions_that_make_a_path_refuse_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    ssh.known_hosts_folder().mkdir(parents=True)
    file = tmp_path / "mine"
    file.write_text("mine\n")
    for name in ("../../../mine", str(file), "..", ""):
        with pytest.raises(Failed, match="can't be a reservation"):
            ssh.forget_known_hosts(name)
        with pytest.raises(Failed, match="can't be a reservation"):
            ssh.write_known_hosts(shown(id=name))
    assert file.read_text() == "mine\n"


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("id", "../../x"),
        ("id", "a" * 32),
        ("user", "-oProxyCommand=id"),
        ("user", "alice\n"),
        ("address", "-oProxyCommand=id"),
        ("address", "203.0.113.21 ssh-ed25519 BBBB"),
        ("address", "fe80::1%x\ny"),
        ("host_key", f"{KEY}\n* {KEY}"),
        ("host_key", f"* {KEY}"),
        ("remote_addresses", ["everywhere"]),
    ],
)
async def test_what_is_heard_of_a_reservation_is_parsed(server: Hostile, field: str, said: Any) -> None:
    http = Http(Chosen("campus", Context(url=server.url), TOKEN))
    assert (await http.call(reservations.look, Named(reservation="1f3k9"))).host_key == KEY
    server.reservation[field] = said
    with pytest.raises(Failed, match="is not understood"):
        await http.call(reservations.look, Named(reservation="1f3k9"))
    server.me["login"] = "Alice; id"
    with pytest.raises(Failed, match="is not understood"):
        await http.call(me, Nothing())
    await http.close()


EVALUATED = """
_arguments() { words="${1#*((}"; eval "ws=( ${words%))} )"; }
eval "$1"
"""
"""What zsh does with what a completion prints, whose double quotes are as bash's (`_arguments` in zshcompsys(1))."""


async def test_a_completion_runs_nothing(server: Hostile, tmp_path: Path) -> None:
    """Names of a server, and titles, which administrators of images choose."""
    runs = f"$(touch {tmp_path}/ran)"
    for number, text in enumerate((runs, f"\\{runs}", f"`{runs}`", f'"{runs}"', f"'{runs}'", f"x\n{runs}")):
        server.offers += [offered(f"debian-{text}", "Debian"), offered(f"debian-{number}", f"Debian {text}")]
    environment = {**os.environ, "_VCLAB_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "vclab image show deb"}
    words = [sys.executable, "-m", "tests.command"]
    said = await asyncio.to_thread(subprocess.run, words, env=environment, capture_output=True, text=True, timeout=90)
    assert all(f'"debian-{number}"' in said.stdout for number in range(6)), said
    done = await asyncio.to_thread(subprocess.run, ["bash", "-c", EVALUATED, "zsh", said.stdout], timeout=90)
    assert not (tmp_path / "ran").exists() and done.returncode == 0, said.stdout


class Terminal(io.StringIO):
    """What is written to it."""

    def isatty(self) -> bool:
        return True


def test_progress_and_prompts_are_no_escape_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, asked = Terminal(), list[str]()

    def typed(prompt: str, stream: io.StringIO) -> str:
        asked.append(prompt)
        return "secret"

    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", typed)
    telling = Progress()
    telling("\x1b]52;c;aWQ=\x07reading", 0, 10)
    telling._told -= 60
    telling("\x1b]52;c;aWQ=\x07reading", 5, 10)
    typed_secret("Password of \x1b]52;c;aWQ=\x07root", "password")
    assert "reading: 50 %" in screen.getvalue() and "\x07" not in screen.getvalue()
    assert len(asked) == 1 and asked[0].isprintable()
