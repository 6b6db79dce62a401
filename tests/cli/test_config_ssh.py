"""Real OpenSSH reaches a reservation by name, and accepts its pinned host key only."""

import asyncio
import os
import random
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.cli.test_ssh import Server, shown
from tests.client.scripted import Answer, Asked, scripted
from vclab.cli import ssh_proxy
from vclab.cli.app import run as run_command
from vclab.cli.config_ssh import stanza
from vclab.client.contexts import Chosen, Context, Contexts
from vclab.client.http import Http
from vclab.model.errors import Invalid, NotFound, Refused

TOKEN = "vct_" + "a1B2" * 8
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: OpenSSH's port on an address of this machine")


async def _answer(process: "asyncssh.SSHServerProcess[str]") -> None:
    """Tells who asks for what, then copies its input."""
    process.stdout.write(f"{process.get_extra_info('username')}: {process.command}\n")
    process.stdout.write(await process.stdin.read())
    process.exit(7)


class Lab:
    """A server of vclab with reservations of one computer, which listens where OpenSSH does."""

    def __init__(self) -> None:
        self.address = f"127.{random.randrange(2, 250)}.{random.randrange(250)}.{random.randrange(2, 250)}"
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.known = self.key.export_public_key().decode().strip()
        self.listed: list[dict[str, Any]] = [self.reservation("1f3k9", "Debian-12")]
        self.asked: list[Asked] = []

    def reservation(self, id: str, image: str) -> dict[str, Any]:
        made = shown(id=id, image=image, public_address=self.address, host_key=self.known)
        return made.model_dump(mode="json")

    def script(self, asked: Asked) -> Any:
        self.asked.append(asked)
        path = asked.target.removeprefix("/api/v1")
        if path == "/me":
            return {"login": "alice", "roles": ["user"], "zone": "UTC", "affiliation": ""}
        if path.partition("?")[0] == "/reservations":
            return {"items": self.listed, "next": None}
        found = [each for each in self.listed if path == f"/reservations/{each['id']}/connect"]
        if found and asked.json == {}:
            return found[0] | {"host_key": self.known}
        return Answer({"code": "not_found", "detail": "there is no reservation of that name", "hint": ""}, 404)


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    """Of a person who has logged in, and has not configured OpenSSH."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "con fig"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "ca che%h"))
    made = Lab()
    async with scripted(made.script) as server:
        Contexts.own().put("campus", Context(url=server.url, login="alice"), TOKEN)
        yield made


@pytest.fixture
async def listening(lab: Lab) -> AsyncIterator[Lab]:
    """Its computer listens."""
    server = await asyncssh.listen(
        lab.address, 22, server_host_keys=[lab.key], server_factory=Server, process_factory=_answer
    )
    yield lab
    server.close()
    await server.wait_closed()


async def _run(*words: str, input: str = "") -> tuple[int, str, str]:
    child = await asyncio.create_subprocess_exec(
        *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await asyncio.wait_for(child.communicate(input.encode()), 60)
    return child.returncode or 0, out.decode(), err.decode()


async def _configured(file: Path) -> None:
    assert await asyncio.to_thread(run_command, ["config-ssh", "--file", str(file)]) == 0


@ROOT
async def test_names_lead_to_computers(listening: Lab, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Host elsewhere\n    User bob\n")
    await _configured(file)
    for name in ("vclab-1f3k9", "debian-12.vclab"):
        code, out, err = await _run("ssh", "-F", str(file), name, "cat", input="hello")
        assert (code, out) == (7, "alice: cat\nhello"), err
    assert listening.asked[-1].headers["authorization"] == f"Bearer {TOKEN}"
    # What is about other hosts is as it was.
    _, out, _ = await _run("ssh", "-F", str(file), "-G", "elsewhere")
    assert "user bob\n" in out and "proxycommand" not in out
    again = file.read_text()
    await _configured(file)
    assert file.read_text() == again


@ROOT
async def test_another_host_key_is_refused(listening: Lab, tmp_path: Path) -> None:
    file = tmp_path / "config"
    await _configured(file)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    listening.known, known = other, listening.known
    code, _, err = await _run("ssh", "-F", str(file), "vclab-1f3k9", "id")
    assert code == 255 and "Host key verification failed" in err
    listening.known = known
    assert (await _run("ssh", "-F", str(file), "vclab-1f3k9", "id"))[0] == 7


async def test_what_is_wrong_is_told_by_ssh(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "config"
    await _configured(file)
    code, _, err = await _run("ssh", "-F", str(file), "vclab-9zzzz", "id")
    assert code == 255 and "vclab: ssh-proxy: there is no reservation of that name" in err
    code, _, err = await _run("ssh", "-F", str(file), "hello.vclab", "id")
    assert code == 255 and "you have no reservation of hello" in err


async def test_nothing_is_left(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("Host elsewhere\n    User bob\n")
    await _configured(file)
    assert await asyncio.to_thread(run_command, ["config-ssh", "--file", str(file), "--remove"]) == 0
    assert file.read_text() == "Host elsewhere\n    User bob\n"
    assert not (tmp_path / "con fig" / "vclab" / "ssh_config").exists()


async def test_which_reservation_a_name_means(lab: Lab) -> None:
    chosen = Chosen("campus", Contexts.own().called("campus"), TOKEN)

    async def means(name: str) -> str:
        return await ssh_proxy.reservation_called(Http(chosen), name)

    assert await means("vclab-1f3k9") == "1f3k9"
    assert await means("debian-12.vclab") == "1f3k9"
    lab.listed.append(lab.reservation("2aaaa", "debian-12") | {"state": "new"})
    assert await means("debian-12.vclab") == "1f3k9"  # the one that is ready
    lab.listed.append(lab.reservation("3bbbb", "debian-12"))
    with pytest.raises(Refused, match="several of debian-12: 1f3k9, 3bbbb"):
        await means("debian-12.vclab")
    with pytest.raises(NotFound):
        await means("other.vclab")
    for name in ("", "x", "vclab-", "vclab-../../x", "../x.vclab", "a/b.vclab", "vclab-1;id", "$(id).vclab"):
        with pytest.raises(Invalid):
            await means(name)


async def test_paths_and_names_that_need_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a b%h"))
    chosen = Chosen("my lab", Context(url="https://x", identity_file="/home/a b/key%"), TOKEN)
    file = tmp_path / "stanza"
    file.write_text(stanza("alice", "/opt/a b/vclab%", chosen))
    code, out, err = await _run("ssh", "-F", str(file), "-G", "vclab-1f3k9")
    assert code == 0, err
    assert f"userknownhostsfile {tmp_path}/a b%h/vclab/known_hosts/vclab-1f3k9\n" in out
    assert "proxycommand '/opt/a b/vclab%%' --context 'my lab' ssh-proxy '%n'\n" in out
    assert "identityfile /home/a b/key%%\n" in out
