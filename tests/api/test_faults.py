"""Servers side by side on the pretended world: many at once, clients that die, and servers that are killed."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from datetime import datetime
from itertools import islice
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session

from tests.api import running
from tests.api.running import Api, Site
from tests.labfixture import eventually
from tests.node.harness import Node
from tests.store import postgresql
from vclab.api.app import PREFIX
from vclab.client.feed import events
from vclab.model.catalog import IdentityPool, User
from vclab.store import catalog, feed

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

FEW, MANY = 40, 200  # who reserve at one moment
PEOPLE = FEW + MANY + 40
WANTED = {"image": "fake-1", "seconds": 3600}
MORE = """
fake.hosts = {fake1 = {cpus = 1000, memory_mb = 4000000}}
[api.limits]
address_burst = 100000
address_rate = 10000
"""
Start = Callable[[], Api]
People = Iterator[str]
"""Tokens of people who have nothing yet."""


@pytest.fixture(scope="module")
def database() -> Iterator[postgresql.Server]:
    """A PostgreSQL server: on SQLite nothing is at one time."""
    with postgresql.running() as server:
        yield server


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, database: postgresql.Server) -> Iterator[Node]:
    """Temporal, a worker, and so many people and computers. Each test has people of its own."""
    folder = tmp_path_factory.mktemp("faults")
    made = Node(folder, folder, database=database.url(database.create()), settings=MORE)
    made.store.run(_people)
    made.start_server()
    asyncio.run(made.answers())
    made.start_worker()
    yield made
    made.stop()


def _people(session: Session) -> None:
    for number in range(PEOPLE):
        catalog.put_user(session, User(_login(number), 30000 + number))
    catalog.put_pool(session, IdentityPool("many", 2 * PEOPLE, "02:76:64"))


@pytest.fixture(scope="module")
def people(node: Node) -> People:
    """A token of each, once."""
    return (running.token(node.store, _login(number)) for number in range(PEOPLE))


def _login(number: int) -> str:
    return f"user{number:03}"


@pytest.fixture
def start(node: Node) -> Iterator[Start]:
    """Starts servers of the node."""
    made: list[Api] = []

    def begin() -> Api:
        made.append(running.start(node.settings_file))
        return made[-1]

    yield begin
    for each in made:
        each.kill()


async def sent(apis: list[Api], token: str, path: str, body: dict[str, Any], key: str) -> httpx.Response:
    """An act, as a careful program sends it: with a key, and again, at the next server, until it is answered."""
    for attempt in range(100):
        with suppress(httpx.TransportError):
            async with apis[attempt % len(apis)].client(token) as client:
                answer = await client.post(path, json=body, headers={"Idempotency-Key": key})
            if (
                answer.status_code < 500
                and answer.json()["code" if answer.status_code >= 400 else "id"] != "in_progress"
            ):
                return answer
        await asyncio.sleep(0.3)
    raise AssertionError("nobody answers")


@pytest.mark.parametrize("number", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
async def test_many_reserve_at_one_moment(node: Node, start: Start, people: People, number: int) -> None:
    """As many distinct computers; at two servers, and each person sends it twice."""
    apis, tokens = [start(), start()], list(islice(people, number))
    keys = [uuid.uuid4().hex for _ in tokens]
    twice = [
        sent(order, token, "/reservations", WANTED, key)
        for order in (apis, apis[::-1])
        for token, key in zip(tokens, keys, strict=True)
    ]
    answers = await asyncio.gather(*twice)
    assert {each.status_code for each in answers} == {200}, [each.text for each in answers if each.status_code != 200][
        :3
    ]
    made = {each.json()["id"]: each.json()["computer"] for each in answers}
    assert len(made) == len(set(made.values())) == number


async def test_a_client_that_dies_between_sending_and_reading(node: Node, start: Start) -> None:
    """What it asked for is done, and whoever asks again with its key gets that."""
    api, token, key = start(), running.token(node.store, "alice"), uuid.uuid4().hex
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    body = b'{"image": "fake-1", "seconds": 3600}'
    fields = f"Host: api\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: {key}\r\nContent-Type: application/json"
    writer.write(
        f"POST /api/v1/reservations HTTP/1.1\r\n{fields}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )
    await writer.drain()
    writer.transport.abort()
    answer = await sent([api], token, "/reservations", WANTED, key)
    async with api.client(token) as alice:
        listed = (await alice.get("/reservations")).json()["items"]
    assert [each["id"] for each in listed] == [answer.json()["id"]]


async def changes(site: Site, after: int) -> AsyncGenerator[tuple[int, str], None]:
    """The numbers of what somebody hears after that one, and what has changed."""
    async with aclosing(events(site, after=after)) as told:
        async for one in told:
            if one.name == "change" and one.number is not None:
                yield one.number, f"{one.data['kind']} {one.data['thing']}"


async def heard(site: Site, after: int, last: "asyncio.Future[int]") -> list[tuple[int, str]]:
    """The same, up to the last one."""
    found: list[tuple[int, str]] = []
    async with aclosing(changes(site, after)) as hearing:
        async for number, thing in hearing:
            found.append((number, thing))
            if last.done() and number >= last.result():
                break
    return found


@pytest.mark.parametrize(("number", "times"), [(8, 3), pytest.param(24, 5, marks=pytest.mark.long)])
async def test_a_server_is_killed_under_load(node: Node, start: Start, people: People, number: int, times: int) -> None:
    """Nothing is lost, and nothing done twice: not even what moves an end by so much. Who listens misses nothing."""
    apis, tokens = [start(), start()], list(islice(people, number))
    began = await asyncio.to_thread(feed.end, node.store)
    last: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def one(token: str, order: list[Api]) -> None:
        made = (await sent(order, token, "/reservations", WANTED, uuid.uuid4().hex)).json()
        path = f"/reservations/{made['id']}/extend"
        later = [await sent(order, token, path, {"by": 60}, uuid.uuid4().hex) for _ in range(times)]
        assert {each.status_code for each in later} == {200}, [each.text for each in later]
        async with apis[1].client(token) as client:
            (kept,) = (await client.get("/reservations")).json()["items"]
        assert _seconds(kept) == _seconds(made) + times * 60

    async with apis[1].client(running.token(node.store, "olga")) as client:
        site = Site(client, apis[0].url.removesuffix(PREFIX))
        listening = asyncio.create_task(heard(site, began, last))
        running_ones = [asyncio.create_task(one(token, apis[:: 1 - 2 * (n % 2)])) for n, token in enumerate(tokens)]
        await asyncio.to_thread(eventually, lambda: apis[0].log.count("/extend 200") >= 5, 120)
        apis[0].kill()
        site.url = apis[1].url.removesuffix(PREFIX)
        await asyncio.gather(*running_ones)
        node.store.run(lambda s: catalog.put_user(s, User("last", 40000 + number)))
        last.set_result(await asyncio.to_thread(feed.end, node.store))
        found = await asyncio.wait_for(listening, 60)
        numbers = [told for told, _ in found]
        assert len(numbers) > number and numbers == sorted(set(numbers))
        afterwards = await asyncio.wait_for(heard(site, began, last), 60)
    assert _newest(found) == _newest(afterwards), "several changes of one thing may be told as one"


def _newest(told: list[tuple[int, str]]) -> dict[str, int]:
    return {thing: number for number, thing in told}


@pytest.mark.long
async def test_the_worker_is_away(node: Node, start: Start, people: People) -> None:
    """Reads go on, an act is told why not, and when it is sent again with its key it is done once."""
    api, token, key = start(), next(people), uuid.uuid4().hex
    node.kill("worker")
    async with api.client(token) as client:
        told = await client.post("/reservations", json=WANTED, headers={"Idempotency-Key": key})
        assert (told.status_code, told.json()["code"]) == (503, "unreachable"), told.text
        assert int(told.headers["retry-after"]) > 0
        assert (await client.get("/reservations")).status_code == 200
        assert (await client.get("/images")).status_code == 200
        node.start_worker()
        answer = await sent([api], token, "/reservations", WANTED, key)
        listed = (await client.get("/reservations")).json()["items"]
    assert [each["id"] for each in listed] == [answer.json()["id"]]


def _seconds(reservation: dict[str, Any]) -> float:
    return (datetime.fromisoformat(reservation["end"]) - datetime.fromisoformat(reservation["start"])).total_seconds()
