"""Claims: the database refuses what overlaps; pools are never promised beyond their limits."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW
from vclab.model.errors import NotFound, Refused
from vclab.model.inventory import Amounts, PoolKind
from vclab.store import Store, catalog, claims, engine
from vclab.store.claims import ClaimHeld, NoRoom
from vclab.store.column_types import FOREVER
from vclab.store.models import Claim, Pool

SMALLEST = timedelta(microseconds=1)


@pytest.fixture
def machines(store: Store) -> Store:
    """Two lab machines, and a host and a datastore as pools."""

    def seed(session: Session) -> None:
        for name in ("lab1", "lab2"):
            catalog.put_lab_computer(session, name)
        for name, limits in (("host", Amounts(8, 16384, 0)), ("disk", Amounts(0, 0, 100))):
            session.add(
                Pool(
                    name=name,
                    endpoint="lab",
                    kind=PoolKind.HOST,
                    resource=name,
                    seen_at=NOW,
                    usable=True,
                    why_not="",
                    **vars(limits),
                )
            )

    store.run(seed)
    return store


def claim(store: Store, holder: str, starts: float, ends: float, computer: str = "lab1") -> None:
    store.run(lambda s: claims.claim_computer(s, computer, holder, NOW + starts * HOUR, NOW + ends * HOUR))


def claim_memory(store: Store, holder: str, starts: float, ends: float, memory_mb: int) -> None:
    wanted = {"host": Amounts(cpus=1, memory_mb=memory_mb), "disk": Amounts(disk_gb=1)}
    store.run(lambda s: claims.claim_pools(s, holder, NOW + starts * HOUR, NOW + ends * HOUR, wanted))


def latest(store: Store, holder: str, until: float) -> datetime:
    return store.run(lambda s: claims.latest_end(s, holder, NOW + until * HOUR))


@pytest.mark.parametrize(("starts", "ends"), [(1, 2), (0, 1.5), (1.5, 3), (0, 3), (1.2, 1.3)])
def test_an_overlap_is_refused_and_names_the_holder_and_its_end(machines: Store, starts: float, ends: float) -> None:
    claim(machines, "r1", 1, 2)
    with pytest.raises(ClaimHeld, match="promised to r1 until 2026-08-01 12:00 UTC") as held:
        claim(machines, "r2", starts, ends)
    assert (held.value.holder, held.value.until) == ("r1", NOW + 2 * HOUR)


def test_claims_that_touch_do_not_overlap(machines: Store) -> None:
    claim(machines, "r1", 1, 2)
    claim(machines, "r2", 2, 3)
    claim(machines, "r3", 0, 1)
    claim(machines, "r4", 1, 2, computer="lab2")


def test_a_microsecond_of_overlap_is_one(machines: Store) -> None:
    claim(machines, "r1", 1, 2)
    with pytest.raises(ClaimHeld):
        machines.run(lambda s: claims.claim_computer(s, "lab1", "r2", NOW + 2 * HOUR - SMALLEST, NOW + 3 * HOUR))


def test_an_open_end_refuses_all_later_ones(machines: Store) -> None:
    machines.run(lambda s: claims.claim_computer(s, "lab1", "r1", NOW, FOREVER))
    with pytest.raises(ClaimHeld) as held:
        claim(machines, "r2", 24 * 365 * 50, 24 * 365 * 50 + 1)
    assert held.value.until == FOREVER


def test_the_database_refuses_by_itself(machines: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not through our functions: plain INSERT and UPDATE."""
    monkeypatch.setattr(engine, "ATTEMPTS", 1)  # who gave a claim up in between is waited for otherwise
    claim(machines, "r1", 1, 2)
    claim(machines, "r2", 3, 4)
    columns = {"cpus": 0, "memory_mb": 0, "disk_gb": 0, "released": False, "computer": "lab1", "holder": "x"}
    attempts: Iterable[sa.Executable] = (
        sa.insert(Claim).values(starts=NOW + HOUR, ends=NOW + 1.5 * HOUR, **columns),
        sa.update(Claim).where(Claim.holder == "r1").values(ends=NOW + 3.5 * HOUR),
        sa.update(Claim).where(Claim.holder == "r2").values(starts=NOW + 1.5 * HOUR),
        sa.update(Claim).values(ends=NOW + 5 * HOUR),
    )
    for attempt in attempts:
        with pytest.raises(IntegrityError, match=claims.OVERLAP):
            machines.run(lambda s, attempt=attempt: s.execute(attempt))  # type: ignore[misc]


@pytest.mark.parametrize(
    "wrong",
    [{"pool": "host"}, {"computer": None}, {"ends": NOW}, {"ends": NOW - HOUR}, {"cpus": -1}, {"computer": "none"}],
)
def test_the_database_refuses_a_claim_that_makes_no_sense(machines: Store, wrong: dict[str, object]) -> None:
    values: dict[str, object] = {"computer": "lab1", "holder": "x", "starts": NOW, "ends": NOW + HOUR}
    with pytest.raises(IntegrityError):
        machines.run(lambda s: s.add(Claim(**(values | wrong))))


def test_a_released_claim_is_kept_and_refuses_nobody(machines: Store) -> None:
    claim(machines, "r1", 0, 2)
    claim(machines, "r1", 4, 5)
    for _ in range(2):
        machines.run(lambda s: claims.release(s, "r1", NOW + HOUR))
    with machines.read() as session:
        kept = [(c.starts, c.ends) for c in session.scalars(sa.select(Claim).order_by(Claim.starts))]
    assert kept == [(NOW, NOW + HOUR), (NOW + 4 * HOUR, NOW + 4 * HOUR)]
    claim(machines, "r2", 0, 6)


def test_releasing_late_does_not_make_the_past_longer(machines: Store) -> None:
    claim(machines, "r1", 0, 1)
    machines.run(lambda s: claims.release(s, "r1", NOW + 3 * HOUR))
    with machines.read() as session:
        assert session.scalar(sa.select(Claim.ends)) == NOW + HOUR


def test_pools_hold_their_peak_and_not_more(machines: Store) -> None:
    claim_memory(machines, "r1", 0, 2, 8192)
    claim_memory(machines, "r2", 1, 3, 4096)
    with pytest.raises(NoRoom, match="needs 4097 MiB memory, has 4096 free") as full:
        claim_memory(machines, "r3", 0, 4, 4097)
    assert (full.value.pool, full.value.at) == ("host", NOW + HOUR)
    claim_memory(machines, "r3", 0, 4, 4096)
    claim_memory(machines, "r4", 2, 3, 8192)
    with pytest.raises(NoRoom):
        claim_memory(machines, "r5", 1, 1.5, 1)


def test_a_refused_pool_claim_promises_nothing(machines: Store) -> None:
    wanted = {"disk": Amounts(disk_gb=1), "host": Amounts(memory_mb=99999)}

    def attempt(session: Session) -> None:
        with pytest.raises(NoRoom):
            claims.claim_pools(session, "r1", NOW, NOW + HOUR, wanted)

    machines.run(attempt)
    with machines.read() as session:
        assert session.scalars(sa.select(Claim)).all() == []


def test_an_unknown_pool_and_a_refused_class(machines: Store) -> None:
    with pytest.raises(NotFound, match="no pool nowhere"):
        machines.run(lambda s: claims.claim_pools(s, "r", NOW, NOW + HOUR, {"nowhere": Amounts(1)}))
    assert issubclass(NoRoom, Refused) and issubclass(ClaimHeld, Refused)


def test_move_end_of_a_computer_claim(machines: Store) -> None:
    claim(machines, "r1", 0, 1)
    claim(machines, "r2", 2, 3)
    assert latest(machines, "r1", 9) == NOW + 2 * HOUR
    assert latest(machines, "r1", 1.5) == NOW + 1.5 * HOUR
    with pytest.raises(ClaimHeld, match="r2"):
        machines.run(lambda s: claims.move_end(s, "r1", NOW + 2 * HOUR + SMALLEST))
    machines.run(lambda s: claims.move_end(s, "r1", NOW + 2 * HOUR))
    machines.run(lambda s: claims.move_end(s, "r1", NOW + 0.5 * HOUR))
    claim(machines, "r3", 0.5, 2)


def test_move_end_of_a_pool_claim(machines: Store) -> None:
    claim_memory(machines, "r1", 0, 1, 10000)
    claim_memory(machines, "r2", 2, 3, 10000)
    assert latest(machines, "r1", 9) == NOW + 2 * HOUR
    assert latest(machines, "r2", 9) == NOW + 9 * HOUR
    with pytest.raises(NoRoom):
        machines.run(lambda s: claims.move_end(s, "r1", NOW + 2.5 * HOUR))
    machines.run(lambda s: claims.move_end(s, "r1", NOW + 2 * HOUR))
    with pytest.raises(ValueError, match="before it starts"):
        machines.run(lambda s: claims.move_end(s, "r2", NOW + 2 * HOUR))


def test_who_claims_nothing_may_move_and_release(machines: Store) -> None:
    machines.run(lambda s: claims.move_end(s, "nobody", NOW))
    machines.run(lambda s: claims.release(s, "nobody", NOW))
    assert latest(machines, "nobody", 0) == NOW


def test_two_claims_of_one_computer_wait_for_each_other(machines: Store) -> None:
    """Else each could come to wait for a claim of the other, and PostgreSQL would break one off."""
    with ThreadPoolExecutor() as others:

        def first(session: Session) -> "Future[None]":
            claims.claim_computer(session, "lab1", "a", NOW, NOW + HOUR)
            other = others.submit(claim, machines, "b", 2, 3)
            with pytest.raises(TimeoutError):
                other.result(0.3)
            return other

        machines.run(first).result(20)


def test_a_refusal_leaves_the_transaction_usable(machines: Store) -> None:
    claim(machines, "r1", 0, 1)

    def other_if_taken(session: Session) -> str:
        for computer in ("lab1", "lab2"):
            try:
                claims.claim_computer(session, computer, "r2", NOW, NOW + HOUR)
            except ClaimHeld:
                continue
            return computer
        return ""

    assert machines.run(other_if_taken) == "lab2"


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_claim_that_goes_while_it_is_in_the_way(machines: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder gives it up between the refusal and the look at who it is: the computer is to be had after all."""
    claim(machines, "r1", 1, 2)
    refusal = claims._refusal

    def give_up_first(*args: Any) -> Exception:
        machines.run(lambda s: claims.release(s, "r1", NOW))
        return refusal(*args)

    monkeypatch.setattr(claims, "_refusal", give_up_first)
    claim(machines, "r2", 1, 2)
    with machines.read() as session:
        assert [each.holder for each in claims.of(session, "r2")] == ["r2"]
