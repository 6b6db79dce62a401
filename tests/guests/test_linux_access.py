"""Accounts, firewall, connections and notices of the Linux guest on a real machine, seen from the users' places."""

import asyncio
import logging
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.guests.bench import ALICE, BOB, Bench, Place, interrupted
from vclab.guests.base import Connections
from vclab.model.errors import NotOurs, StepFailed, Unreachable
from vclab.model.plans import Access

pytestmark = pytest.mark.lab

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINOLP0XDHSqAfxkpMpOxTiaSa9xICm1CJbGK1uih36uw"
NOTICE = "Your time ends at 10:05 — käse 日本 🙂"


def grant(place: Place, access: Access, **tenure: Any) -> None:
    place.bench.manage(place.bench.linux().grant_access(replace(place.target, **tenure), place.facts, access))


def close(place: Place, access: Access) -> None:
    place.bench.manage(place.bench.linux().close_access(place.target, place.facts, access))


def connected(place: Place, access: Access) -> Connections:
    return place.bench.manage(place.bench.linux().connections(place.target, place.facts, access))


@asynccontextmanager
async def session(place: Place, access: Access, key: Path) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """An open connection of the user."""
    async with asyncssh.connect(
        place.facts.public_address,
        username=access.login,
        client_keys=[str(key)],
        known_hosts=([asyncssh.import_public_key(place.facts.host_key)], [], []),
        config=None,
        agent_path=None,
        connect_timeout=5,
    ) as connection:
        yield connection


# Evidence


def test_the_last_words_of_a_computer(loaded: Place) -> None:
    said = loaded.bench.manage(loaded.bench.linux().console(loaded.target, loaded.facts))
    assert "up" in said[0], said


# Accounts


def test_the_user_gets_in_with_the_key_and_others_find_the_port_shut(
    loaded: Place, access: Access, user_key: Path
) -> None:
    grant(loaded, access)
    said = loaded.ssh("alice", user_key, access.login, "id -un; id -u; id -gn; pwd; stat -c %a . .ssh; cat .ssh/*")
    words = [access.login, str(access.uid), "vclab", f"/home/{access.login}", "700", "700"]
    assert said.stdout.split("\n")[:6] == words, said
    assert said.stdout.split("\n")[6:-1] == [" ".join(access.public_keys[0].split())]
    assert loaded.shut("bob")
    assert loaded.shut("carol")


def test_the_user_gets_in_with_the_one_time_password(bench: Bench, loaded: Place, access: Access) -> None:
    grant(loaded, replace(access, public_keys=()))
    password = bench.secrets.get(access.password_ref)
    assert bench.person("alice", loaded.password_login(access.login, password))


def test_without_a_password_there_is_only_the_key(loaded: Place, access: Access, user_key: Path) -> None:
    grant(loaded, replace(access, password_ref=""))
    assert loaded.hash_of(access.login) == "*"
    assert loaded.ssh("alice", user_key, access.login, "true").returncode == 0


def test_root_access_is_given_and_taken(loaded: Place, access: Access, user_key: Path) -> None:
    grant(loaded, replace(access, sudo=True))
    assert loaded.ssh("alice", user_key, access.login, "sudo", "-n", "id", "-u").stdout == "0\n"
    grant(loaded, access)
    assert loaded.ssh("alice", user_key, access.login, "sudo", "-n", "id", "-u").returncode != 0
    loaded.inside("visudo", "-c", "-q")


@pytest.mark.parametrize("login", ["www-data", "daemon", "root"])
def test_a_login_of_the_image_is_refused_and_unchanged(loaded: Place, access: Access, login: str) -> None:
    def state() -> str:
        return loaded.inside("cat", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/vclab/firewall.nft")

    grant(loaded, access)
    before = state()
    with pytest.raises(StepFailed, match=f"the login {login} exists in this image"):
        grant(loaded, replace(access, login=login, addresses=(BOB,), sudo=True))
    assert state() == before
    assert not loaded.inside("find", "/etc/sudoers.d", "-name", f"vclab-{login}")
    assert loaded.shut("bob")


def test_a_user_id_of_the_image_is_refused(loaded: Place, access: Access) -> None:
    grant(loaded, access)
    with pytest.raises(StepFailed, match=rf"the user id {access.uid} of other belongs to {access.login}"):
        grant(loaded, replace(access, login="other"))
    assert not loaded.inside("getent", "passwd", "other", check=False)


def test_a_home_of_the_image_is_refused(loaded: Place, access: Access) -> None:
    loaded.inside("mkdir", f"/home/{access.login}")
    with pytest.raises(StepFailed, match=f"/home/{access.login} exists in this image"):
        grant(loaded, access)
    assert not loaded.inside("getent", "passwd", access.login, check=False)


def test_an_account_of_an_earlier_tenure_in_the_image_is_not_taken_for_ours(loaded: Place, access: Access) -> None:
    loaded.inside("useradd", "-u", str(access.uid), "-c", f"vclab {access.login}", access.login)
    loaded.inside("sh", "-c", f"echo {access.login} {access.uid} vclab-test/r0/0/1 >> /etc/vclab/accounts")
    with pytest.raises(StepFailed, match="exists in this image"):
        grant(loaded, access)


@pytest.mark.parametrize(
    "change",
    [
        {"login": "a b"},
        {"login": "x;reboot"},
        {"login": "-x"},
        {"login": "Käthe"},
        {"login": ""},
        {"login": "x\ny"},
        {"uid": 0},
        {"uid": 999},
        {"public_keys": ('command="x" ssh-ed25519 AAAA',)},
        {"public_keys": ("nonsense",)},
        {"public_keys": (f"{KEY}\n{KEY}",)},
        {"public_keys": (f"{KEY} a\x1b[2Jcomment",)},
        {"addresses": ("203.0.113.11; drop",)},
        {"addresses": ("",)},
        {"addresses": ("any",)},
        {"ports": (0,)},
    ],
)
def test_what_is_not_valid_is_refused(loaded: Place, access: Access, change: dict[str, Any]) -> None:
    with pytest.raises(StepFailed):
        grant(loaded, replace(access, **change))
    assert not loaded.inside("getent", "passwd", access.login, check=False) or "ports" in change


# Twice, and interrupted


def test_twice_is_harmless(bench: Bench, loaded: Place, access: Access) -> None:
    def state() -> str:
        files = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/vclab/accounts", "/etc/vclab/firewall.nft"]
        return loaded.inside("cat", *files) + loaded.inside("nft", "list", "ruleset")

    grant(loaded, access)
    before, password = state(), bench.secrets.get(access.password_ref)
    grant(loaded, access)
    assert (state(), bench.secrets.get(access.password_ref)) == (before, password)


def test_an_interrupted_grant_converges(
    loaded: Place, access: Access, user_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = replace(access, sudo=True)
    assert interrupted(monkeypatch, lambda: grant(loaded, access)) == 5
    said = loaded.ssh("alice", user_key, access.login, "sudo", "-n", "id", "-u")
    assert said.stdout == "0\n", said
    assert loaded.inside("grep", "-c", f"^{access.login} ", "/etc/vclab/accounts") == "1\n"


def test_an_account_cut_off_before_its_home_is_completed(loaded: Place, access: Access, user_key: Path) -> None:
    grant(loaded, access)
    loaded.inside("rm", "-r", f"/home/{access.login}")
    loaded.inside("mkdir", f"/home/{access.login}.vclab")
    grant(loaded, access)
    assert loaded.ssh("alice", user_key, access.login, "cat", ".profile").returncode == 0


def test_a_password_that_the_user_changed_stays(bench: Bench, loaded: Place, access: Access) -> None:
    grant(loaded, access)
    loaded.inside("sh", "-c", f"echo {access.login}:my-own-one | chpasswd")
    grant(loaded, access)
    assert bench.person("alice", loaded.password_login(access.login, "my-own-one"))


def test_a_link_in_the_home_does_not_lead_root_astray(loaded: Place, access: Access) -> None:
    grant(loaded, access)
    home = f"/home/{access.login}"
    loaded.inside("sh", "-c", f"mkdir -p /root/prize && rm -r {home}/.ssh && ln -s /root/prize {home}/.ssh")
    with pytest.raises(StepFailed, match="Permission denied"):
        grant(loaded, access)
    assert not loaded.inside("ls", "/root/prize")


def test_another_reservations_computer_is_not_touched(loaded: Place, access: Access) -> None:
    before = loaded.inside("cat", "/etc/passwd", "/etc/vclab/firewall.nft")
    for tenure in ({"reservation": "r2"}, {"generation": 2}, {"installation": "other"}):
        with pytest.raises(NotOurs, match="nothing was done"):
            grant(loaded, replace(access, password_ref=""), **tenure)
    assert loaded.inside("cat", "/etc/passwd", "/etc/vclab/firewall.nft") == before


# Firewall


def test_addresses_are_replaced_and_open_sessions_of_others_end(
    bench: Bench, loaded: Place, access: Access, user_key: Path
) -> None:
    grant(loaded, replace(access, addresses=(ALICE, BOB)))

    async def is_cut_off() -> None:
        async with session(loaded, access, user_key) as connection:
            await connection.run("true", check=True)
            await asyncio.to_thread(grant, loaded, replace(access, addresses=(BOB,)))
            with pytest.raises((asyncssh.ConnectionLost, asyncssh.ChannelOpenError, ConnectionResetError)):
                async with asyncio.timeout(5):
                    await connection.run("true")

    bench.person("alice", is_cut_off())
    assert "203.0.113.11" not in loaded.inside("ss", "-Htn", "state", "established")
    assert loaded.shut("alice")
    assert loaded.opens("bob")


def test_a_prefix_lets_all_of_it_in(loaded: Place, access: Access) -> None:
    grant(loaded, replace(access, addresses=("203.0.113.8/29", "203.0.113.12", "203.0.113.11")))  # .8 to .15
    assert loaded.opens("alice")
    assert loaded.opens("carol")
    grant(loaded, replace(access, addresses=("0.0.0.0/0", "::/0")))
    assert loaded.opens("olga")


def test_ipv6_addresses(bench: Bench, loaded: Place, access: Access) -> None:
    loaded.inside("ip", "address", "add", "2001:db8::1/64", "dev", "eth1", "nodad")
    for login, last in (("alice", 11), ("bob", 12)):
        card = ["address", "add", f"2001:db8::{last}/64", "dev", "eth0", "nodad"]
        subprocess.run(["ip", "-n", bench.layout.person(login), *card], check=True)
    grant(loaded, replace(access, addresses=("2001:db8::11", f"::ffff:{BOB}")))
    assert loaded.opens("alice", address="2001:db8::1")
    assert loaded.shut("bob", address="2001:db8::1")
    assert loaded.opens("bob")
    assert loaded.shut("alice")


def test_nobody_and_closed_are_the_same(loaded: Place, access: Access) -> None:
    grant(loaded, access)
    assert loaded.opens("alice")
    close(loaded, access)
    assert loaded.shut("alice")
    close(loaded, access)
    grant(loaded, replace(access, addresses=()))
    assert loaded.shut("alice")


def test_other_connect_ports(loaded: Place, access: Access) -> None:
    server = "import socket\ns = socket.create_server(('', 3389))\nwhile True: s.accept()"
    init = str(loaded.machine.init())
    with subprocess.Popen(["nsenter", "-t", init, "-n", "python3", "-c", server]) as process:
        try:
            grant(loaded, replace(access, ports=(3389,)))
            assert loaded.shut("alice", 22)
            assert loaded.opens("alice", 3389)
            assert loaded.shut("bob", 3389)
        finally:
            process.kill()


def test_rules_that_did_not_take_are_noticed(loaded: Place, access: Access) -> None:
    """nft that does nothing but show an open table."""
    with replaced(loaded, "/usr/sbin/nft", '[ "$1" = -f ] || exec /usr/sbin/nft.real "$@"'):
        loaded.inside("nft.real", "add", "element", "inet", "vclab", "users4", "{ 203.0.113.77 }")
        with pytest.raises(StepFailed, match="not as it was set: users4"):
            close(loaded, access)
    close(loaded, access)


@contextmanager
def replaced(place: Place, program: str, script: str) -> Iterator[None]:
    """A program of the machine replaced by a shell script."""
    place.inside("mv", program, f"{program}.real")
    try:
        place.write(program, f"#!/bin/sh\n{script}\n")
        place.inside("chmod", "755", program)
        yield
    finally:
        place.inside("mv", f"{program}.real", program)


# Connections and notices


def test_a_connection_is_seen_while_it_lasts(bench: Bench, loaded: Place, access: Access, user_key: Path) -> None:
    grant(loaded, replace(access, addresses=(ALICE, BOB)))

    async def look_while_connected() -> Connections:
        async with session(loaded, access, user_key):
            return await asyncio.to_thread(connected, loaded, access)

    assert not connected(loaded, access)
    assert bench.person("alice", look_while_connected()).addresses == (ALICE,)
    deadline = time.monotonic() + 5
    while connected(loaded, access):
        assert time.monotonic() < deadline


def test_a_connection_that_is_over_was_one(bench: Bench, loaded: Place, access: Access, user_key: Path) -> None:
    """Whoever came and went between two looks was there; who only knocked was not."""
    grant(loaded, access)

    async def come_and_go() -> None:
        async with session(loaded, access, user_key) as connection:
            await connection.run("true")

    bench.person("alice", come_and_go())
    time.sleep(1)
    assert connected(loaded, access).addresses == ()
    place = loaded
    look = place.bench.linux().connections(place.target, place.facts, access, 20.0)
    assert place.bench.manage(look).addresses == (ALICE,)
    time.sleep(2)
    look = place.bench.linux().connections(place.target, place.facts, access, 2.0)
    assert place.bench.manage(look).addresses == ()


def test_a_connection_that_the_firewall_cut_off_does_not_count(
    bench: Bench, loaded: Place, access: Access, user_key: Path
) -> None:
    """As on a kernel that can't end other programs' connections."""
    grant(loaded, access)
    real = '[ "$1" = -HKtn ] || exec /usr/bin/ss.real "$@"'

    async def look_when_closed() -> Connections:
        async with session(loaded, access, user_key) as connection:
            with replaced(loaded, "/usr/bin/ss", real):
                await asyncio.to_thread(close, loaded, access)
                connection.abort()
                assert ALICE in loaded.inside("ss", "-Htn", "state", "established")
                return await asyncio.to_thread(connected, loaded, access)

    assert bench.person("alice", look_when_closed()).addresses == ()
    close(loaded, access)


def test_a_connection_over_ipv6_is_seen(bench: Bench, loaded: Place, access: Access) -> None:
    loaded.inside("ip", "address", "replace", "2001:db8::1/64", "dev", "eth1", "nodad")
    card = ["address", "replace", "2001:db8::13/64", "dev", "eth0", "nodad"]
    subprocess.run(["ip", "-n", bench.layout.person("carol"), *card], check=True)
    grant(loaded, replace(access, addresses=("2001:db8::/64",)))

    async def look_while_connected() -> Connections:
        _, writer = await asyncio.open_connection("2001:db8::1", 22)
        try:
            return await asyncio.to_thread(connected, loaded, access)
        finally:
            writer.close()

    assert bench.person("carol", look_while_connected()).addresses == ("2001:db8::13",)


def test_who_is_connected_is_unknown_when_the_host_key_changed(
    bench: Bench, loaded: Place, access: Access, tmp_path: Path
) -> None:
    facts = replace(loaded.facts, host_key=bench.new_key("changed").with_suffix(".pub").read_text())
    with pytest.raises(Unreachable, match=r"can't tell who is connected: .* was pinned"):
        bench.manage(bench.linux().connections(loaded.target, facts, access))


def test_a_notice_arrives_on_each_open_terminal(bench: Bench, loaded: Place, access: Access, user_key: Path) -> None:
    grant(loaded, access)
    guest = bench.linux()
    text = f"{NOTICE}\x1b[2J\x07\u202e\r\nsecond 'line' $(id) %s \\n"

    async def read(terminal: "asyncssh.SSHClientProcess[str]") -> str:
        seen = ""
        async with asyncio.timeout(10):
            while "second" not in seen or not seen.endswith("\n"):
                seen += await terminal.stdout.read(4096)
        return seen

    async def both() -> list[str]:
        async with session(loaded, access, user_key) as connection:
            options = {"term_type": "xterm", "encoding": "utf-8"}
            terminals = [await connection.create_process("echo on; cat", **options) for _ in range(2)]
            for terminal in terminals:
                await terminal.stdout.readline()
            await asyncio.to_thread(bench.manage, guest.notify(loaded.target, loaded.facts, text))
            return [await read(terminal) for terminal in terminals]

    for seen in bench.person("alice", both()):
        lines = [line.strip("\r") for line in seen.split("\n")]
        assert lines == ["\a", f"{NOTICE}[2J", "second 'line' $(id) %s \\n", ""]


def test_a_notice_to_nobody_is_no_error(bench: Bench, loaded: Place) -> None:
    bench.manage(bench.linux().notify(loaded.target, loaded.facts, "nobody is here"))


# Marks and secrets


def test_the_first_taint_stays(bench: Bench, loaded: Place) -> None:
    loaded.inside("sed", "-i", "/^vcld_tainted/d", "/root/currentimage.txt")
    for reason in ("a login was\nseen", "another"):
        bench.manage(bench.linux().taint(loaded.target, loaded.facts, reason))
    tags = loaded.inside("cat", "/root/currentimage.txt").splitlines()
    assert [tag for tag in tags if tag.startswith("vcld_tainted")] == ["vcld_tainted=a login was seen"]


def test_a_user_who_removes_the_mark_is_still_looked_after(bench: Bench, loaded: Place, access: Access) -> None:
    grant(loaded, access)
    loaded.inside("mv", "/root/currentimage.txt", "/root/away")
    try:
        assert not connected(loaded, access)
        close(loaded, access)
        with pytest.raises(NotOurs, match="the mark none"):
            grant(loaded, access)
    finally:
        loaded.inside("mv", "/root/away", "/root/currentimage.txt")


def test_secrets_show_in_no_argument_list_no_log_and_no_error(
    bench: Bench, loaded: Place, access: Access, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncssh.set_debug_level(2)
    password = bench.secrets.generate(access.password_ref)
    root = bench.secrets.get("tenure/vm01/1/root")
    with watched_arguments() as seen, replaced(loaded, "/usr/sbin/chpasswd", "cat >&2; sleep 0.2; exit 1"):
        with pytest.raises(StepFailed, match=rf"password of {access.login} .*: {access.login}:\*\*\*$") as failure:
            grant(loaded, access)
        with pytest.raises(StepFailed, match=r"root:\*\*\*$"):
            loaded.step("linux.post_load")
    with watched_arguments() as more:
        grant(loaded, access)
        loaded.step("linux.post_load")
    asyncssh.set_debug_level(1)
    shown = "\n".join(seen | more)
    assert "set -eu" in shown, "the watcher saw nothing of ours"
    error: BaseException | None = failure.value
    while error:
        assert password not in repr(error)
        error = error.__cause__ or error.__context__
    for secret in (password, root):
        assert secret not in shown
        assert secret not in caplog.text


@contextmanager
def watched_arguments() -> Iterator[set[str]]:
    """The argument lists of all processes, this machine's and the lab machines', while the block runs."""
    seen: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
