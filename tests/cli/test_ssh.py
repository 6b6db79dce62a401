"""The ssh command line, against a real SSH server: asyncssh's in this process, OpenSSH's client."""

import asyncio
import shlex
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncssh
import pytest

from vclab.cli import ssh
from vclab.cli.errors import Usage
from vclab.client.way import Way
from vclab.contract.views import Reservation
from vclab.model.addresses import checked_address
from vclab.model.errors import Refused
from vclab.model.reservations import ReservationView
from vclab.model.states import ReservationState

NOW = datetime.now(UTC)
VIEW = ReservationView(
    id="r1",
    user="alice",
    image="debian-12",
    revision=1,
    state=ReservationState.RESERVED,
    word="Ready",
    created=NOW,
    start=NOW,
    end=NOW,
    public_address="203.0.113.21",
)


def shown(**changes: str) -> Reservation:
    """The reservation as the service answers."""
    return Reservation.of(replace(VIEW, **changes))  # type: ignore[arg-type]


class Server(asyncssh.SSHServer):
    """Lets everybody in."""

    def begin_auth(self, username: str) -> bool:
        return False


async def _answer(process: "asyncssh.SSHServerProcess[str]") -> None:
    """Tells who asks for what, then copies its input."""
    user = process.get_extra_info("username")
    process.stdout.write(f"{user}: {process.command}\n")
    process.stdout.write(await process.stdin.read())
    process.exit(7)


class Computer:
    """A computer with one host key, reached through ``person``: a ``via`` that goes to the server's own port."""

    def __init__(self, folder: Path) -> None:
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        via = folder / "via"
        via.write_text(
            f'#!/bin/sh\nshift\nexec ssh -F none -o HostKeyAlias=127.0.0.1 -p {self._server.get_port()} "$@"\n'
        )
        via.chmod(0o755)
        self.person = Way(via=(str(via),))
        self.view = shown(public_address="127.0.0.1", host_key=self.public(self.key))

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[self.key], server_factory=Server, process_factory=_answer
        )

    @staticmethod
    def public(key: asyncssh.SSHKey) -> str:
        return key.export_public_key().decode().strip()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        asyncio.run_coroutine_threadsafe(self._server.wait_closed(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@pytest.fixture(scope="module")
def computer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computer]:
    made = Computer(tmp_path_factory.mktemp("a folder"))
    yield made
    made.close()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Temporary files go where the test can look for them; the path holds what ssh's options make special."""
    folder = tmp_path / "a b%h"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_runs_as_the_user_and_passes_on_input_output_and_exit_code(
    computer: Computer, temporary: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Standard input is inherited, so this needs a process of its own.
    line = shlex.join(ssh.ssh_command(computer.view, computer.person, _known(computer, tmp_path), ["cat", "a b"]))
    done = subprocess.run(["sh", "-c", line], input="hello", capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (7, "alice: cat 'a b'\nhello")


def _known(computer: Computer, folder: Path) -> Path:
    file = folder / "known hosts %d"
    file.write_text(ssh.known_hosts_line(computer.view))
    return file


def test_leaves_no_file_behind(computer: Computer, temporary: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ssh.run_ssh(computer.view, computer.person, ["ls /etc | wc"]) == 7
    assert "alice: ls /etc | wc\n" in capfd.readouterr().out
    assert list(temporary.iterdir()) == []


def test_another_host_key_is_refused(computer: Computer, temporary: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = Computer.public(asyncssh.generate_private_key("ssh-ed25519"))
    assert ssh.run_ssh(computer.view.model_copy(update={"host_key": other}), computer.person, ["id"]) == 255
    assert "Host key verification failed" in capfd.readouterr().err


def test_a_missing_program_is_one_line(temporary: Path) -> None:
    with pytest.raises(Refused, match="the program /nowhere/ip is not installed here"):
        ssh.run_ssh(shown(), Way(via=("/nowhere/ip", "netns")), [])


def test_a_user_of_the_embedded_lab_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Refused, match="which only root may enter; run `sudo vclab connect r1`"):
        ssh.run_ssh(shown(), Way(via=("ip", "netns", "exec", "vclab-alice")), [])


def test_the_stable_file_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = ssh.write_known_hosts(shown(host_key="ssh-ed25519 AAAA"))
    assert file == ssh.write_known_hosts(shown(host_key="ssh-ed25519 BBBB"))
    assert file.read_text() == "203.0.113.21 ssh-ed25519 BBBB\n"
    assert [path.name for path in file.parent.iterdir()] == ["r1"]
    ssh.forget_known_hosts("r1")
    ssh.forget_known_hosts("r1")
    assert not file.exists()


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7/32 ", "192.0.2.7"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("2001:db8::7/64", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_addresses_are_normalised(given: str, meant: str) -> None:
    assert checked_address(given) == meant


@pytest.mark.parametrize(
    "given", ["", "x", "1.2.3", "1.2.3.4.5", "192.0.2.7/33", "1.2.3.4; rm -rf /", "-oProxyCommand=x"]
)
def test_what_is_not_an_address(given: str) -> None:
    with pytest.raises(Usage, match="is not an IP address"):
        checked_address(given)


@pytest.mark.parametrize(
    "given", ["0.0.0.0/0", "::/0", "10.0.0.0/7", "127.0.0.1", "::1", "0.0.0.0", "224.0.0.1", "ff02::1", "fe80::1%eth0"]
)
def test_addresses_that_no_computer_is_opened_to(given: str) -> None:
    with pytest.raises(Refused):
        checked_address(given)


def test_where_the_callers_address_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    nobody, somebody = Way(), Way(address="198.51.100.1")
    monkeypatch.setattr(ssh, "_own_address", lambda towards: "")
    with pytest.raises(Usage, match="--from ADDRESS"):
        ssh.caller_address("", nobody, "203.0.113.21")
    for useless in ("::1 5 ::1 22", "fe80::1%eth0 5 fe80::2 22", "2001:db8::7 5 2001:db8::8 22", "garbage"):
        monkeypatch.setenv("SSH_CONNECTION", useless)
        with pytest.raises(Usage, match="--from ADDRESS"):
            ssh.caller_address("", nobody, "203.0.113.21")
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.2 50000 198.51.100.9 22")
    assert ssh.caller_address("", nobody, "203.0.113.21") == "198.51.100.2"
    assert ssh.caller_address("", somebody, "203.0.113.21") == "198.51.100.1"
    assert ssh.caller_address("198.51.100.3", somebody, "203.0.113.21") == "198.51.100.3"


def test_an_address_that_is_an_option_runs_nothing(tmp_path: Path) -> None:
    """A computer, or whoever answers for it, chooses its address: ssh takes it for a host's name."""
    ran = tmp_path / "ran"
    view = shown(public_address=f"-oProxyCommand=touch {ran}", host_key="ssh-ed25519 AAAA")
    words = ssh.ssh_command(view, Way(), tmp_path / "known_hosts", ("id",))
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 255 and not ran.exists(), done.stderr
