"""A state machine against a model: claims on computers and pools, tenures, extends and releases, in any order.

The model is a few lists. Whatever the store allows the model must allow, and whatever it refuses the model must
refuse.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy.orm import Session

from tests.store.conftest import empty
from tests.store.lab import NOW
from vclab.model.inventory import Amounts, PoolKind
from vclab.model.states import Purpose
from vclab.store import Store, catalog, claims, tenures
from vclab.store.claims import ClaimHeld, NoRoom
from vclab.store.models import Claim, Pool
from vclab.store.tenures import TenureHeld

COMPUTERS = ("lab1", "lab2")
POOLS = {"host1": 8, "host2": 4}  # CPUs
HOURS = 12  # all times are whole hours, so that a model can look at each

hours = st.integers(0, HOURS - 1)
lengths = st.integers(1, HOURS)
amounts = st.integers(1, 5)


def at(hour: int) -> datetime:
    return NOW + timedelta(hours=hour)


@dataclass
class Promise:
    """A claim, as the model keeps it."""

    thing: str
    holder: str
    starts: int
    ends: int
    cpus: int = 0
    released: bool = False

    def covers(self, hour: int) -> bool:
        return not self.released and self.starts <= hour < self.ends


class Machine(RuleBasedStateMachine):
    """Run by ``test_model`` with the store of one backend."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.promises: list[Promise] = []
        self.generations = dict.fromkeys(COMPUTERS, 0)
        self.holders: dict[str, str] = {}
        self.holder_count = 0
        self.store.run(empty)
        self.store.run(self.seed)

    @staticmethod
    def seed(session: Session) -> None:
        for name in COMPUTERS:
            catalog.put_lab_computer(session, name)
        for name, cpus in POOLS.items():
            pool = Pool(
                name=name,
                endpoint="lab",
                kind=PoolKind.HOST,
                resource=name,
                cpus=cpus,
                memory_mb=0,
                disk_gb=0,
                seen_at=NOW,
                usable=True,
                why_not="",
            )
            session.add(pool)

    def new_holder(self) -> str:
        self.holder_count += 1
        return f"r{self.holder_count}"

    def fits(self, thing: str, starts: int, ends: int, cpus: int, but: str = "") -> bool:
        """Whether one more promise fits at each hour."""
        others = [p for p in self.promises if p.thing == thing and p.holder != but]
        if thing in COMPUTERS:
            return not any(p.covers(hour) for p in others for hour in range(starts, ends))
        return all(cpus + sum(p.cpus for p in others if p.covers(h)) <= POOLS[thing] for h in range(starts, ends))

    def open_of(self, holder: str) -> list[Promise]:
        return [p for p in self.promises if p.holder == holder and not p.released]

    @rule(computer=st.sampled_from(COMPUTERS), starts=hours, length=lengths)
    def claim_computer(self, computer: str, starts: int, length: int) -> None:
        holder, ends = self.new_holder(), starts + length
        try:
            self.store.run(lambda s: claims.claim_computer(s, computer, holder, at(starts), at(ends)))
        except ClaimHeld as held:
            assert not self.fits(computer, starts, ends, 0)
            first = min(
                (
                    p
                    for p in self.promises
                    if p.thing == computer and not p.released and p.starts < ends and starts < p.ends
                ),
                key=lambda p: p.starts,
            )
            assert (held.holder, held.until) == (first.holder, at(first.ends))
        else:
            assert self.fits(computer, starts, ends, 0)
            self.promises.append(Promise(computer, holder, starts, ends))

    @rule(first=amounts, second=st.integers(0, 5), starts=hours, length=lengths)
    def claim_pools(self, first: int, second: int, starts: int, length: int) -> None:
        holder, ends = self.new_holder(), starts + length
        wanted = {name: cpus for name, cpus in zip(POOLS, (first, second), strict=True) if cpus}
        fits = all(self.fits(name, starts, ends, cpus) for name, cpus in wanted.items())
        needs = {name: Amounts(cpus=cpus) for name, cpus in wanted.items()}
        try:
            self.store.run(lambda s: claims.claim_pools(s, holder, at(starts), at(ends), needs))
        except NoRoom:
            assert not fits
        else:
            assert fits
            self.promises += [Promise(name, holder, starts, ends, cpus) for name, cpus in wanted.items()]

    @precondition(lambda self: self.holder_count)
    @rule(data=st.data(), ends=st.integers(1, 2 * HOURS))
    def move_end(self, data: st.DataObject, ends: int) -> None:
        holder = f"r{data.draw(st.integers(1, self.holder_count))}"
        mine = self.open_of(holder)
        if any(p.starts >= ends for p in mine):
            return
        fits = all(self.fits(p.thing, p.ends, ends, p.cpus, but=holder) for p in mine)
        latest = self.store.run(lambda s: claims.latest_end(s, holder, at(ends)))
        try:
            self.store.run(lambda s: claims.move_end(s, holder, at(ends)))
        except (ClaimHeld, NoRoom):
            assert not fits
            assert latest < at(ends)
            hour = int((latest - NOW) / timedelta(hours=1))
            assert all(self.fits(p.thing, p.ends, hour, p.cpus, but=holder) for p in mine)
            assert not all(self.fits(p.thing, p.ends, hour + 1, p.cpus, but=holder) for p in mine)
        else:
            assert fits
            assert latest == at(ends)
            for promise in mine:
                promise.ends = ends

    @precondition(lambda self: self.holder_count)
    @rule(data=st.data(), hour=st.integers(0, 2 * HOURS))
    def release_claims(self, data: st.DataObject, hour: int) -> None:
        holder = f"r{data.draw(st.integers(1, self.holder_count))}"
        self.store.run(lambda s: claims.release(s, holder, at(hour)))
        for promise in self.open_of(holder):
            promise.ends = max(promise.starts, min(promise.ends, hour))
            promise.released = True

    @rule(computer=st.sampled_from(COMPUTERS), holder=st.sampled_from("abc"))
    def take(self, computer: str, holder: str) -> None:
        try:
            generation = self.store.run(lambda s: tenures.take(s, computer, holder, Purpose.LOAD, at(1), at(0)))
        except TenureHeld as held:
            assert self.holders.get(computer, holder) == held.holder != holder
            return
        assert self.holders.get(computer, holder) == holder
        self.generations[computer] += computer not in self.holders
        assert generation == self.generations[computer]
        self.holders[computer] = holder

    @rule(computer=st.sampled_from(COMPUTERS), older=st.integers(0, 2))
    def release_tenure(self, computer: str, older: int) -> None:
        self.store.run(lambda s: tenures.release(s, computer, self.generations[computer] - older, at(2)))
        if not older:
            self.holders.pop(computer, None)

    @invariant()
    def the_fence_is_right(self) -> None:
        with self.store.read() as session:
            for computer, generation in self.generations.items():
                assert tenures.held(session, computer, generation) == (computer in self.holders)
                assert not tenures.held(session, computer, generation - 1)
                assert not tenures.held(session, computer, generation + 1)

    @invariant()
    def the_rows_are_those_of_the_model(self) -> None:
        with self.store.read() as session:
            rows = [
                (c.computer or c.pool, c.holder, c.starts, c.ends, c.cpus, c.released) for c in session.query(Claim)
            ]
        expected = [(p.thing, p.holder, at(p.starts), at(p.ends), p.cpus, p.released) for p in self.promises]
        assert sorted(rows) == sorted(expected)


@pytest.mark.timeout(170)
def test_model(store: Store) -> None:
    machine = type("BackendMachine", (Machine,), {"store": store})
    few = settings(
        max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(machine, settings=few)
