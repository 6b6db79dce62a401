"""What the API costs: a list in a store with many reservations, the command line over it, and many who reserve at once.

The node is that of the lifecycle bench: a Temporal server, a worker on the fake module, SQLite. The API server is a
process of its own, and its callers have tokens. ``list_p95_ms`` is a person's own list, ``list_everyone_p95_ms`` an
operator's first part of everybody's. Those who reserve at once are that many clients in one process, each with
connections of their own; beside it stands the same through the service layer in one process, by turns, each time after
all computers of the turn before were loaded. ``cli_cold_start_ms`` is the median of whole runs of ``vclab list``.
What is ``…_cpu_ms`` is processor time, of the API server for each list or act: it hardly depends on what else the
machine does.
"""

import asyncio
import dataclasses
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from sqlalchemy.orm import Session

from benchmarks import api_streams
from benchmarks.node import IMAGE, USERS, Node, running
from benchmarks.processes import cpu_seconds, free_port
from vclab.client.contexts import Chosen, Context
from vclab.client.http import Http
from vclab.client.protocol import Client
from vclab.contract import acts, reservations
from vclab.contract.reservations import Which
from vclab.model.catalog import User
from vclab.model.ids import new_id
from vclab.model.people import LOCAL, SignedIn
from vclab.model.plans import Target
from vclab.model.states import Ending, ReservationState
from vclab.model.tokens import ALL, Kind, make
from vclab.provisioning import registry
from vclab.service.actor import Actor, Authentication, Role
from vclab.service.backend import Backend
from vclab.service.client import InProcess
from vclab.settings import Settings
from vclab.store import catalog, tokens
from vclab.store.models import Reservation

OPERATOR = "operator1"
CURRENT = 20  # of so many reservations of a person one has not ended
PART = 100  # lines
SETTINGS = f"""
operators = ["{OPERATOR}"]
api.limits = {{person_rate = 1000000, person_burst = 1000000, address_rate = 1000000, address_burst = 1000000}}
"""


@dataclass(frozen=True)
class Measured:
    """What was measured; times in milliseconds."""

    reservations: int
    list_p50_ms: float
    list_p95_ms: float
    list_cpu_ms: float
    list_everyone_p95_ms: float
    list_everyone_cpu_ms: float
    cli_cold_start_ms: float
    cli_cold_start_cpu_ms: float  #: of that, processor time: what a machine that does nothing else comes near to
    python_start_ms: float  #: of that, an interpreter that does nothing
    at_once: int
    reserve_p50_ms: float
    reserve_p95_ms: float
    reserve_cpu_ms: float
    service_reserve_p50_ms: float
    service_reserve_p95_ms: float
    streams: int
    stream_worst_ms: float  #: until the last of them has heard of a change, the worst of several


def measure(number: int, lists: int, starts: int, at_once: int, rounds: int, streams: int) -> Measured:
    """All of it, on a node of its own."""
    with tempfile.TemporaryDirectory(prefix="vclab-bench-") as folder:
        return asyncio.run(_measure(Path(folder), number, lists, starts, at_once, rounds, streams))


async def _measure(
    folder: Path, number: int, lists: int, starts: int, at_once: int, rounds: int, streams: int
) -> Measured:
    listen = f"127.0.0.1:{free_port()}"
    async with running(folder, further=f'{SETTINGS}api.listen = "{listen}"\n') as node:
        secrets = node.store.run(lambda session: _fill(session, number))
        async with _serving(folder, listen) as server:
            url = server.url
            own, own_cpu = await _lists(server, [secrets[login] for login in USERS], Which(), lists)
            everyone, everyone_cpu = await _lists(server, [secrets[OPERATOR]], Which(everyone=True, limit=PART), lists)
            file = folder / "token"
            file.write_text(secrets[USERS[0]])
            file.chmod(0o600)
            cold, cpu, python = _cold_starts(url, file, starts)
            heard = await api_streams.measure(url, [secrets[login] for login in USERS], node.store, streams)
            over_http, by_service, act_cpu = await _reserve(node, server, secrets, folder, at_once, rounds)
    return Measured(
        reservations=number,
        list_p50_ms=_percentile(own, 50),
        list_p95_ms=_percentile(own, 95),
        list_cpu_ms=own_cpu,
        list_everyone_p95_ms=_percentile(everyone, 95),
        list_everyone_cpu_ms=everyone_cpu,
        cli_cold_start_ms=cold,
        cli_cold_start_cpu_ms=cpu,
        python_start_ms=python,
        at_once=at_once,
        reserve_p50_ms=_percentile(over_http, 50),
        reserve_p95_ms=_percentile(over_http, 95),
        reserve_cpu_ms=act_cpu,
        service_reserve_p50_ms=_percentile(by_service, 50),
        service_reserve_p95_ms=_percentile(by_service, 95),
        streams=streams,
        stream_worst_ms=round(1000 * max(heard), 1),
    )


def _percentile(seconds: Sequence[float], percent: int) -> float:
    """By nearest rank, in milliseconds."""
    ranked = sorted(seconds)
    return round(1000 * ranked[max(0, -(-len(ranked) * percent // 100) - 1)], 1)


# --- the node --------------------------------------------------------------------------------------------------------


def _fill(session: Session, number: int) -> dict[str, str]:
    """Reservations of all people, one in ``CURRENT`` of which goes on; and a token of each, by login."""
    now = datetime.now(UTC)
    catalog.put_user(session, User(OPERATOR, 19999))
    rows = [_row(n, now) for n in range(number)]
    session.execute(sa.insert(Reservation), rows)
    secrets = {login: make(Kind.LOGIN) for login in (*USERS, OPERATOR)}
    until = now + timedelta(days=1)
    for login, secret in secrets.items():
        tokens.put(session, secret, Kind.LOGIN, SignedIn(login, LOCAL), "bench", ALL, "127.0.0.1", now, until)
    return secrets


_TARGET = Target(
    "r",
    "",
    0,
    "bench",
    "fake",
    "fake",
    "fakes",
    "fake1",
    "",
    IMAGE,
    1,
    1,
    1024,
    8,
    "",
    "",
    traits=registry.traits()["fake"],
)


def _row(number: int, now: datetime) -> dict[str, object]:
    user, ended = USERS[number % len(USERS)], number // len(USERS) % CURRENT != 0
    created = now - timedelta(minutes=number + 60)
    end = created + timedelta(minutes=50) if ended else now + timedelta(hours=3)
    none = dict.fromkeys(("preload_at", "connected_at", "computer", "help_since", "help_until", "dismissed_at"))
    return none | {
        "id": new_id(),
        "user": user,
        "requested_by": user,
        "image": IMAGE,
        "revision": 1,
        "state": ReservationState.COMPLETE if ended else ReservationState.RESERVED,
        "ending": Ending.RELEASED if ended else None,
        "created": created,
        "starts": created,
        "ends": end,
        "load_seconds": 60.0,
        "first_notice": 300.0,
        "ready_at": created,
        "acknowledged_at": None,
        "ended_at": end if ended else None,
        "finished_at": end if ended else None,
        "generation": 0,
        "endpoint": "fakes",
        "host": "fake1",
        "target": dataclasses.asdict(_TARGET),
        "password_ref": "",
        "public_address": "203.0.113.7",
        "host_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ",
    }


@dataclass(frozen=True)
class Server:
    """An API server that runs."""

    url: str
    pid: int

    def cpu(self) -> float:
        """Seconds that it has used until now."""
        return cpu_seconds(self.pid)


@asynccontextmanager
async def _serving(folder: Path, listen: str) -> AsyncIterator[Server]:
    """An API server of this node, as a process. Raises ``RuntimeError`` with its log if it does not start."""
    log = folder / "api.log"
    environment = os.environ | {"VCLAB_CONFIG": str(folder / "vclab.toml")}
    with log.open("wb") as output:
        words = (sys.executable, "-m", "vclab.api.main")
        process = subprocess.Popen(words, stdout=output, stderr=output, env=environment)
    try:
        await _until(lambda: _answers(f"http://{listen}", process, log), 60)
        yield Server(f"http://{listen}", process.pid)
    finally:
        process.terminate()
        process.wait(40)


async def _answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the API server did not start: {log.read_text()[-1000:]}")
    async with httpx.AsyncClient() as http:
        try:
            return (await http.get(f"{url}/api/v1/me")).status_code == 401
        except httpx.TransportError:
            return False


async def _until(so: Callable[[], Awaitable[bool]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not await so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"it took longer than {seconds:.0f} s")
        await asyncio.sleep(0.2)


def _client(url: str, secret: str) -> Http:
    return Http(Chosen("", Context(url=url), secret))


# --- what is measured ------------------------------------------------------------------------------------------------


async def _lists(server: Server, secrets: Sequence[str], asked: Which, count: int) -> tuple[list[float], float]:
    """Seconds of each list, people after people; and milliseconds of the server's processor time for one."""
    clients = [_client(server.url, secret) for secret in secrets]
    for client in clients:
        await client.call(reservations.listing, Which(limit=1))
    before = server.cpu()
    seconds = [await _timed(clients[n % len(clients)].call(reservations.listing, asked)) for n in range(count)]
    cpu = _each_ms(server.cpu() - before, count)
    for client in clients:
        await client.close()
    return seconds, cpu


def _each_ms(seconds: float, count: int) -> float:
    return round(1000 * seconds / count, 1)


async def _timed(work: Awaitable[Any]) -> float:
    begun = time.perf_counter()
    await work
    return time.perf_counter() - begun


def _cold_starts(url: str, token: Path, count: int) -> tuple[float, float, float]:
    """Milliseconds of `vclab list`, of its processor time, and of an interpreter that does nothing: medians."""
    program = str(Path(sys.executable).with_name("vclab"))
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = kept | {"VCLAB_URL": url, "VCLAB_TOKEN_FILE": str(token)}
    environment.pop("VCLAB_CONTEXT", None)
    _run((program, "list"), environment)  # its modules are compiled
    rows = [
        (*_run((program, "list"), environment), _run((sys.executable, "-c", ""), environment)[0]) for _ in range(count)
    ]
    wall, cpu, python = (round(1000 * statistics.median(column), 1) for column in zip(*rows, strict=True))
    return wall, cpu, python


def _run(words: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds that a command took, and of the processor."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, env=environment, check=True, capture_output=True)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def _reserve(
    node: Node, server: Server, secrets: dict[str, str], folder: Path, at_once: int, rounds: int
) -> tuple[list[float], list[float], float]:
    """Seconds of each reservation over HTTP, and by the service layer; and milliseconds of the API server's processor
    time for one."""
    backend = Backend(Settings.model_validate(_settings(folder)))
    people = await backend.read(lambda session: {login: catalog.user(session, login) for login in USERS})
    within = {login: _in_process(backend, login, user) for login, user in people.items()}
    over: dict[str, Client] = {login: _client(server.url, secrets[login]) for login in USERS}
    over_http: list[float] = []
    by_service: list[float] = []
    cpu = 0.0
    for first in (over[USERS[0]], within[USERS[0]]):  # what is imported and connected once
        await _one(first)
    for _ in range(rounds):
        for clients, seconds in ((over, over_http), (within, by_service)):
            before, turns = server.cpu(), (clients[USERS[number % len(USERS)]] for number in range(at_once))
            seconds += await asyncio.gather(*(_timed(_one(client)) for client in turns))
            cpu += server.cpu() - before
            await _until(lambda: asyncio.to_thread(_calm, node), 600)
    return over_http, by_service, _each_ms(cpu, len(over_http))


async def _one(client: Client) -> None:
    await client.call(acts.reserve, acts.Reserve(reservation=new_id(), image=IMAGE, seconds=3600.0))


def _settings(folder: Path) -> dict[str, object]:
    import tomllib

    return tomllib.loads((folder / "vclab.toml").read_text())


def _in_process(backend: Backend, login: str, user: User | None) -> Client:
    actor = Actor(login, frozenset({Role.USER}), Authentication.ACCOUNT, user=user)

    async def who(backend: Backend) -> Actor:
        return actor

    return InProcess(backend, who, actor)


def _calm(node: Node) -> bool:
    """Nothing is loaded any more."""
    with node.store.read() as session:
        new = sa.select(sa.func.count()).select_from(Reservation).where(Reservation.state == ReservationState.NEW)
        return session.scalar(new) == 0
