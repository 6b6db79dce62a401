"""A running server, and what may come to it over the network."""

import asyncio
import json
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api import running
from tests.api.running import Api
from tests.labfixture import eventually
from tests.service.conftest import seeded
from tests.temporal_server import free_ports
from vclab.store.engine import Store, open_store

__all__ = ["seeded"]
pytestmark = pytest.mark.timeout(240)

SETTINGS = """
database = "sqlite:///{folder}/vclab.db"
secrets_dir = "{folder}/secrets"
operators = ["olga"]
temporal.address = "127.0.0.1:{nothing}"
api.limits.head_seconds = 1
api.limits.body_seconds = 1
api.limits.stranger_burst = 3
"""
Start = Callable[..., Api]


@pytest.fixture
def folder(tmp_path: Path, seeded: Path) -> Path:
    """An installation whose Temporal server does not answer."""
    shutil.copy(seeded, tmp_path / "vclab.db")
    (nothing,) = free_ports(1)
    (tmp_path / "vclab.toml").write_text(SETTINGS.format(folder=tmp_path, nothing=nothing))
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    """Its store."""
    opened = open_store(f"sqlite:///{folder}/vclab.db")
    yield opened
    opened.close()


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts servers."""
    made: list[Api] = []

    def begin(more: str = "", **environment: str) -> Api:
        file = folder / "vclab.toml"
        file.write_text(file.read_text() + more)
        made.append(running.start(file, environment))
        return made[-1]

    yield begin
    for each in made:
        each.kill()


async def heard(api: Api, *sent: bytes, pause: float = 0.0) -> bytes:
    """What the server says to these bytes, sent one after the other, until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    said = bytearray()

    async def listen() -> None:
        while piece := await reader.read(65536):
            said.extend(piece)

    listening = asyncio.create_task(listen())
    try:
        for each in sent:
            if listening.done():
                break
            writer.write(each)
            await writer.drain()
            await asyncio.sleep(pause)
    except ConnectionError:
        pass
    try:
        async with asyncio.timeout(20):
            await listening
    except ConnectionError:
        pass
    finally:
        writer.close()
    return bytes(said)


def problem(said: bytes) -> tuple[int, str]:
    """Status and code of the one answer."""
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["code"]


def head(method: str, path: str, *fields: str) -> bytes:
    return "\r\n".join((f"{method} /api/v1{path} HTTP/1.1", "Host: api", *fields, "", "")).encode()


async def test_ten_megabytes_are_refused_before_they_are_read(start: Start, store: Store) -> None:
    api, token = start(), running.token(store, "alice")
    fields = f"Authorization: Bearer {token}", "Content-Type: application/json"
    told = await heard(api, head("POST", "/reservations", *fields, "Content-Length: 10000000"))
    assert problem(told) == (413, "too_large")
    chunks = [b"40000\r\n" + b" " * 0x40000 + b"\r\n"] * 40
    told = await heard(api, head("POST", "/reservations", *fields, "Transfer-Encoding: chunked"), *chunks)
    assert problem(told) == (413, "too_large")


async def test_who_sends_slowly_is_left(start: Start, store: Store) -> None:
    api, token = start(), running.token(store, "alice")
    request = head("GET", "/me", f"Authorization: Bearer {token}")
    assert problem(await heard(api, *(request[n : n + 1] for n in range(50)), pause=0.05)) == (408, "too_slow")
    assert problem(await heard(api)) == (408, "too_slow")
    fields = f"Authorization: Bearer {token}", "Content-Type: application/json", "Content-Length: 100"
    assert problem(await heard(api, head("POST", "/reservations", *fields), *[b" "] * 50, pause=0.05)) == (
        408,
        "too_slow",
    )


async def test_many_who_send_slowly_hinder_nobody(start: Start, store: Store) -> None:
    api, token = start("api.limits.connections = 150\n"), running.token(store, "alice")
    slow = [asyncio.create_task(heard(api, b"GET / HTTP/1.1\r\n", *[b"X"] * 100, pause=0.1)) for _ in range(300)]
    try:
        async with asyncio.timeout(30), api.client(token) as alice:
            while (await _status(alice)) != 200:
                await asyncio.sleep(0.1)
        told = [problem(each)[1] for each in await asyncio.gather(*slow) if each]
    finally:
        for each in slow:
            each.cancel()
    assert set(told) == {"busy", "too_slow"}


@asynccontextmanager
async def held(api: Api, number: int, sent: bytes) -> AsyncIterator[list[asyncio.StreamReader]]:
    """So many connections from 127.0.0.2, on each of which this was sent and no more."""
    made = [await asyncio.open_connection("127.0.0.1", api.port, local_addr=("127.0.0.2", 0)) for _ in range(number)]
    for _, writer in made:
        writer.write(sent)
    try:
        yield [reader for reader, _ in made]
    finally:
        for _, writer in made:
            writer.close()


async def _codes(readers: list[asyncio.StreamReader], number: int) -> set[str]:
    """Of the problems that so many of them are told, who are left first. Who still sends then may miss it."""
    tasks = [asyncio.create_task(_until_left(reader)) for reader in readers]
    try:
        async with asyncio.timeout(30):
            told = [await each for _, each in zip(range(number), asyncio.as_completed(tasks), strict=False)]
    finally:
        for task in tasks:
            task.cancel()
    return {problem(each)[1] for each in told if each}


async def _until_left(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def _statuses(api: Api, number: int) -> set[bytes]:
    """What so many are told who ask at one moment, from 127.0.0.2."""
    async with held(api, number, head("GET", "/health/live")) as readers:
        return {(await reader.readline()).split()[1] for reader in readers}


async def test_one_who_sends_bodies_slowly_hinders_nobody(start: Start, store: Store) -> None:
    """Without a name, to a route that reads before it asks who it is: 60 bodies of which one byte has come."""
    api = start("api.limits.requests = 20\napi.limits.address_bodies = 30\n", VCLAB_API__LIMITS__BODY_SECONDS="60")
    slow = head("POST", "/device", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 100") + b"c"
    async with held(api, 60, slow) as readers, api.client(running.token(store, "alice")) as alice:
        told = await _codes(readers, 30)
        assert (await alice.get("/me")).status_code == 200
        answer = await alice.post("/device", data={"client_name": "laptop"})
    assert told == {"too_many"}
    assert answer.status_code == 200, answer.text


async def test_one_who_holds_connections_hinders_nobody(start: Start, store: Store) -> None:
    more = "api.limits.connections = 60\napi.limits.address_connections = 30\n"
    api = start(more, VCLAB_API__LIMITS__HEAD_SECONDS="60")
    async with held(api, 60, b"GET / HTTP/1.1\r\n") as readers, api.client(running.token(store, "alice")) as alice:
        told = await _codes(readers, 30)
        assert (await alice.get("/me")).status_code == 200
    assert told == {"too_many"}
    async with asyncio.timeout(30):  # what was held is given back
        while await _statuses(api, 30) != {b"200"}:
            await asyncio.sleep(0.1)


async def test_a_trusted_proxy_has_no_share(start: Start) -> None:
    more = 'api.limits.address_connections = 5\napi.trusted_proxies = ["127.0.0.2/32"]\n'
    assert await _statuses(start(more), 20) == {b"200"}


async def _status(client: httpx.AsyncClient) -> int:
    try:
        return (await client.get("/me")).status_code
    except httpx.TransportError:
        return 0


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /\r\n\r\n",
        head("POST", "/reservations", "Content-Length: many"),
        head("POST", "/reservations", "Content-Length: 1", "Content-Length: 2"),
    ],
)
async def test_what_is_no_request_is_told(start: Start, sent: bytes) -> None:
    status, code = problem(await heard(start(), sent))
    assert (status, code) == (400, "invalid")


@pytest.mark.parametrize("field", ["X", "Authorization"])
async def test_large_headers_are_refused(start: Start, field: str) -> None:
    async with start().client() as anybody:
        told = await anybody.get("/me", headers={field: "x" * 40_000})
    assert (told.status_code, told.json()["code"]) == (431, "head_too_large")


async def test_large_headers_are_refused_before_they_have_all_come(start: Start) -> None:
    sent = head("GET", "/me", "X: " + "x" * 40_000).removesuffix(b"\r\n\r\n")
    assert problem(await heard(start(), sent)) == (431, "head_too_large")


async def test_the_wrong_token_again_and_again(start: Start, store: Store) -> None:
    """Whoever has it waits; others behind the same address do not."""
    api, good, old = start(), running.token(store, "alice"), running.token(store, "bob", seconds=-1)
    async with api.client(old) as client:
        told = [(await client.get("/me")).status_code for _ in range(5)]
    assert told == [401, 401, 401, 429, 429]
    async with api.client(good) as client:
        assert (await client.get("/me")).status_code == 200


async def test_a_person_who_asks_too_often_waits(start: Start, store: Store) -> None:
    api = start("api.limits.person_rate = 1\napi.limits.person_burst = 5\n")
    async with api.client(running.token(store, "alice")) as client:
        answers = [await client.get("/me") for _ in range(8)]
    assert [each.status_code for each in answers[:5]] == [200] * 5 and answers[-1].status_code == 429
    assert 0 < int(answers[-1].headers["retry-after"]) <= 5
    async with api.client(running.token(store, "bob")) as client:
        assert (await client.get("/me")).status_code == 200


async def test_temporal_is_away(start: Start, store: Store) -> None:
    """Reads go on, and acts are told why not."""
    api = start()
    async with api.client(running.token(store, "olga")) as olga:
        assert (await olga.get("/reservations?everyone=true")).status_code == 200
        told = await olga.post("/reservations", json={"image": "debian-12", "seconds": 3600})
        assert (told.status_code, told.json()["code"]) == (503, "unreachable")
        assert "Temporal" in told.json()["detail"] and int(told.headers["retry-after"]) > 0
        ready = await olga.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "database": "ok", "temporal": "away"})


async def test_the_database_is_away(start: Start, store: Store, folder: Path) -> None:
    """Who asks is told so, and not where it is; when it is there again, all goes on."""
    api = start()
    async with api.client(running.token(store, "alice")) as alice, api.client() as anybody:
        (folder / "vclab.db").rename(folder / "elsewhere.db")
        told = await anybody.get("/health/ready")
        assert (told.status_code, told.json()["more"]["database"]) == (503, "away")
        assert (await anybody.get("/health/live")).status_code == 200
        listed = await alice.get("/reservations")
        acted = await alice.post("/reservations", json={"image": "debian-12", "seconds": 3600})
        for answer in (listed, acted):
            assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")
            assert int(answer.headers["retry-after"]) > 0
        (folder / "elsewhere.db").rename(folder / "vclab.db")
        assert (await alice.get("/reservations")).json()["items"] == []
    assert str(folder) not in told.text + listed.text + acted.text


async def test_the_log_tells_neither_tokens_nor_queries(start: Start, store: Store) -> None:
    api, token = start(), running.token(store, "alice")
    async with api.client(token) as alice:
        await alice.get("/computers", params={"image": "geheim"})
        await alice.get(f"/me/{token}")
    eventually(lambda: "/me/" in api.log)
    assert " 127.0.0.1 alice GET /api/v1/computers 200 " in api.log
    assert "geheim" not in api.log and token not in api.log


async def test_who_has_told_where_from_is_believed_only_as_a_proxy(start: Start, store: Store) -> None:
    token, forwarded = running.token(store, "alice"), {"X-Forwarded-For": "203.0.113.9"}
    direct, behind = start(), start('api.trusted_proxies = ["127.0.0.0/8"]\n')
    for api in (direct, behind):
        async with api.client(token) as alice:
            await alice.get("/me", headers=forwarded)
    eventually(lambda: " 127.0.0.1 alice GET" in direct.log and " 203.0.113.9 alice GET" in behind.log)
    assert "203.0.113.9" not in direct.log


async def test_tls(start: Start, folder: Path) -> None:
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=api",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run([*words, "-keyout", folder / "key", "-out", folder / "cert"], check=True, capture_output=True)
    (port,) = free_ports(1)
    more = f'api.tls_cert = "{folder}/cert"\napi.tls_key = "{folder}/key"\n'
    file = folder / "vclab.toml"
    file.write_text(file.read_text() + more)
    trust = ssl.create_default_context(cafile=folder / "cert")
    api = running.launched(file, port, {})
    try:
        answer = eventually(lambda: running.said(f"https://127.0.0.1:{port}/api/v1/health/live", trust), 60)
        assert answer.status_code == 200 and "strict-transport-security" in answer.headers
    finally:
        api.kill()


async def test_the_page_of_metrics(start: Start, store: Store) -> None:
    (port,) = free_ports(1)
    api = start(f'api.metrics = "127.0.0.1:{port}"\n')
    async with api.client(running.token(store, "alice")) as alice:
        await alice.get("/me")
        await alice.get("/nowhere")

    def page() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    wanted = 'route="none",status="4xx"', 'vclab_api_request_seconds_count{route="/me",status="2xx"} 1'
    eventually(lambda: all(each in page() for each in wanted))  # each is counted after it was answered


async def test_it_stops_when_what_runs_is_done(start: Start, store: Store) -> None:
    """An act that waits for Temporal is answered; nobody new is let in."""
    api, token = start(), running.token(store, "olga")
    async with api.client(token) as olga:
        asked = asyncio.create_task(olga.post("/reservations", json={"image": "debian-12", "seconds": 3600}))
        await asyncio.sleep(0.5)
        began = time.monotonic()
        code = await asyncio.to_thread(api.stop)
        answer: Any = await asked
    assert code == 0 and answer.status_code == 503 and time.monotonic() - began < 35
