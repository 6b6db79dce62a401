"""What placing costs: one whole placement (claims, tenure, record) in a store that is full of them.

1,000 hosts, 10,000 machines that are held now, 50,000 claims, most of them in the future. Measured are the decision
(``placement.choose``: ``p99_ms``) and the record activity's whole transaction around it (``transaction_p99_ms``), on
SQLite, with an endpoint's fresh answer each time; each placement is kept, as in life. ``growth`` repeats it with a
tenth and a third of everything.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa
from sqlalchemy.orm import Session

from vclab.model.catalog import Endpoint, IdentityPool, Image, User
from vclab.model.ids import new_id
from vclab.model.intents import Author
from vclab.model.inventory import DatastoreFacts, HostFacts, Inventory, PoolKind
from vclab.model.reservations import Refusal, ReserveRequest
from vclab.model.rules import Limits, Rules
from vclab.model.states import ComputerState, Purpose
from vclab.placement import choose
from vclab.provisioning import registry
from vclab.settings import LimitSettings
from vclab.store import catalog, placement
from vclab.store.engine import Store, open_store
from vclab.store.models import Claim, Computer, Pool, Tenure

HOSTS_A_DATASTORE = 50
CPUS, MEMORY_MB, DISK_GB = 256, 1_048_576, 500_000
CLAIMS_A_MACHINE = 2  # one on its host, one on its datastore
MOST_IDENTITIES = 4096  # of one pool
HORIZON = timedelta(days=120)


@dataclass(frozen=True)
class Growth:
    """One size and what a placement took there, in milliseconds."""

    hosts: int
    machines: int
    claims: int
    p50_ms: float
    p99_ms: float
    transaction_p50_ms: float
    transaction_p99_ms: float


@dataclass(frozen=True)
class Placement:
    """The whole size, and how it grew up to there."""

    hosts: int
    machines: int
    claims: int
    placements: int
    p50_ms: float
    p99_ms: float  #: the decision
    transaction_p99_ms: float  #: the decision, what it reads, and what it writes
    growth: tuple[Growth, ...]


def measure(hosts: int, machines: int, claims: int, placements: int) -> Placement:
    """A tenth, a third, and all of it."""
    growth = tuple(_one(hosts // part, machines // part, claims // part, placements) for part in (10, 3, 1))
    whole = growth[-1]
    return Placement(hosts, machines, claims, placements, whole.p50_ms, whole.p99_ms, whole.transaction_p99_ms, growth)


def _one(hosts: int, machines: int, claims: int, placements: int) -> Growth:
    with tempfile.TemporaryDirectory(prefix="vclab-bench-") as folder:
        store = open_store(f"sqlite:///{Path(folder)}/vclab.db")
        store.migrate()
        now = datetime.now(UTC)
        places = _hosts(hosts)
        store.run(lambda session: _fill(session, hosts, machines, claims, placements, now))
        try:
            with _choices() as decisions:
                transactions = _placements(store, places, placements, now)
        finally:
            store.close()
    return Growth(hosts, machines, claims, *(_ms(t, p) for t in (decisions, transactions) for p in (50, 99)))


def _ms(seconds: list[float], percent: int) -> float:
    """A percentile (nearest rank) in milliseconds."""
    ranked = sorted(seconds)
    return round(1000 * ranked[max(0, -(-len(ranked) * percent // 100) - 1)], 2)


@contextmanager
def _choices() -> Iterator[list[float]]:
    """The seconds of each decision that is made inside."""
    seconds: list[float] = []
    real = choose

    def timed(*args: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return real(*args, **named)
        finally:
            seconds.append(time.perf_counter() - begun)

    with patch.object(placement, "choose", timed):
        yield seconds


def _placements(store: Store, hosts: tuple[HostFacts, ...], placements: int, now: datetime) -> list[float]:
    """Seconds of each placement's transaction."""
    rules = Rules("bench", Limits(**LimitSettings().model_dump()), modules=registry.traits())
    datastores = tuple(DatastoreFacts(name, DISK_GB, DISK_GB) for name in sorted({h.datastores[0] for h in hosts}))
    times = []
    for number in range(placements):
        moment = now + timedelta(seconds=number)
        request = ReserveRequest(new_id(), "bench", "image", 3600.0 * random.randint(1, 6))
        answer = Inventory("vc", moment, hosts, datastores)

        def place(
            session: Session, request: ReserveRequest = request, answer: Inventory = answer, moment: datetime = moment
        ) -> object:
            return placement.place(session, request, Author("bench", operator=True), (answer,), rules, moment)

        begun = time.perf_counter()
        outcome = store.run(place)
        times.append(time.perf_counter() - begun)
        if isinstance(outcome, Refusal):
            raise RuntimeError(f"a placement was refused: {outcome.text()[:300]}")
    return times


def _hosts(count: int) -> tuple[HostFacts, ...]:
    return tuple(HostFacts(_host(n), CPUS, MEMORY_MB, datastores=(_datastore(n),)) for n in range(count))


def _host(number: int) -> str:
    return f"esx{number:04}"


def _datastore(host: int) -> str:
    return f"ds{host // HOSTS_A_DATASTORE:03}"


def _fill(session: Session, hosts: int, machines: int, claims: int, placements: int, now: datetime) -> None:
    """People, images, machines that are held, and claims on hosts and datastores over the next months."""
    catalog.put_user(session, User("bench", 20001))
    catalog.put_image(session, Image("image", "Image", 1, "vsphere", "linux", 2, 4096, 20))
    catalog.put_endpoint(session, Endpoint("vc", "vsphere", "https://127.0.0.1/sdk", "u", "endpoint/vc", "00"))
    identities = machines + placements + claims // 100  # enough for what begins soon, too
    for number, first in enumerate(range(0, identities, MOST_IDENTITIES)):
        count = min(MOST_IDENTITIES, identities - first)
        catalog.put_pool(session, IdentityPool(f"vm{number}-", count, f"02:76:{number:02x}"))
    names = list(session.scalars(sa.select(Computer.name).order_by(Computer.name)))[:machines]
    session.execute(sa.update(Computer).where(Computer.name.in_(names)).values(state=ComputerState.INUSE))
    later = now + timedelta(hours=4)
    session.execute(
        sa.insert(Tenure),
        [
            {"computer": name, "generation": 1, "holder": f"r{n}", "purpose": Purpose.RESERVATION, "taken_at": now,
             "expected_end": later, "released_at": None}
            for n, name in enumerate(names)
        ],
    )  # fmt: skip
    _make_pools(session, hosts, now)
    numbers = range(claims // CLAIMS_A_MACHINE)
    session.execute(sa.insert(Claim), [row for n in numbers for row in _claim(n, hosts, machines, now)])


def _make_pools(session: Session, hosts: int, now: datetime) -> None:
    of_host = {"kind": PoolKind.HOST, "cpus": CPUS, "memory_mb": MEMORY_MB, "disk_gb": 0}
    of_datastore = {"kind": PoolKind.DATASTORE, "cpus": 0, "memory_mb": 0, "disk_gb": DISK_GB}
    rows = [{"name": f"vc/host/{_host(n)}", "resource": _host(n), **of_host} for n in range(hosts)]
    datastores = sorted({_datastore(n) for n in range(hosts)})
    rows += [{"name": f"vc/datastore/{name}", "resource": name, **of_datastore} for name in datastores]
    same = {"endpoint": "vc", "seen_at": now, "usable": True, "why_not": ""}
    session.execute(sa.insert(Pool), [{**row, **same} for row in rows])


def _claim(number: int, hosts: int, machines: int, now: datetime) -> list[dict[str, object]]:
    """The machines that are held now come first; what is left begins some day."""
    running = number < machines
    starts = now - timedelta(hours=1) if running else now + random.random() * HORIZON
    ends = starts + timedelta(hours=random.randint(2, 8))
    host = random.randrange(hosts)
    common = {"holder": f"r{number}", "starts": starts, "ends": ends, "released": False, "computer": None}
    return [
        {**common, "pool": f"vc/host/{_host(host)}", "cpus": 2, "memory_mb": 4096, "disk_gb": 0},
        {**common, "pool": f"vc/datastore/{_datastore(host)}", "cpus": 0, "memory_mb": 0, "disk_gb": 20},
    ]
