"""What is kept for good grows with the years: nothing that is asked often reads all of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.store.lab import HOUR, NOW, inventory, must_reserve, reserve
from vclab.model.ids import new_id
from vclab.model.plans import Facts
from vclab.model.reservations import Refusal
from vclab.model.states import Ending
from vclab.store import Store, audit, catalog, history, refusals, reservations
from vclab.store.reservations import Wanted

KEPT_FOR_GOOD = ("tenures", "addresses", "reservations", "events", "load_log", "refused_requests")


@contextmanager
def statements(session: Session) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database meanwhile."""
    asked: list[tuple[str, Any]] = []
    engine = session.connection().engine

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "ask",
    [
        catalog.computers,
        lambda s: catalog.group(s, "room"),
        lambda s: catalog.computer(s, "vm01"),
        lambda s: history.stays(s, computer="vm01"),
        lambda s: history.stays(s, address="10.77.0.5", at=NOW, limit=10),
        lambda s: reservations.views(s, now=NOW),
        lambda s: reservations.views(s, "alice", now=NOW),
        lambda s: reservations.page(s, Wanted(10), NOW),
        lambda s: reservations.page(s, Wanted(10, user="alice"), NOW),
        lambda s: reservations.page(s, Wanted(10, user="alice", ended=True), NOW),
        reservations.count_open,
        reservations.unfinished,
    ],
)
def test_nothing_reads_all_that_ever_was(lab: Store, ask: Any) -> None:
    """SQLite says how it would look for it."""
    if lab.file is None:
        pytest.skip("PostgreSQL scans a small table, whatever indexes there are")
    placed = must_reserve(lab)
    lab.run(lambda s: reservations.ready(s, placed.reservation, Facts("10.77.0.5", "203.0.113.5", "key"), NOW))
    with lab.read() as session:
        with statements(session) as asked:
            ask(session)
        assert asked
        for statement, parameters in asked:
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            for line in [str(row[-1]) for row in plan]:
                assert not line.startswith(tuple(f"SCAN {table}" for table in KEPT_FOR_GOOD)), (line, statement)


def test_addresses_of_many_stays(lab: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own, however many are asked for at once."""
    monkeypatch.setattr(history, "_AT_A_TIME", 2)
    for number in range(5):
        placed, now = must_reserve(lab), NOW + number * HOUR
        facts = Facts(f"10.77.0.{number}", f"203.0.113.{number}", "key")
        lab.run(lambda s, id=placed.reservation, facts=facts, now=now: reservations.ready(s, id, facts, now))  # type: ignore[misc]
        lab.run(lambda s, id=placed.reservation, now=now: reservations.ended(s, id, Ending.RELEASED, "", now))  # type: ignore[misc]
        lab.run(lambda s, id=placed.reservation, now=now: reservations.finished(s, id, now))  # type: ignore[misc]
    with lab.read() as session:
        found = history.stays(session, computer="vm01")
    assert [stay.addresses[0].public_address for stay in found] == [f"203.0.113.{n}" for n in range(5)][::-1]


def test_refused_requests_are_forgotten_after_a_month(lab: Store) -> None:
    """What was asked for stays in the audit trail, with the first candidates only."""
    first, second = new_id(), new_id()
    many = (inventory(hosts=200, memory_mb=64),)
    assert isinstance(reserve(lab, image="big", id=first, inventories=many), Refusal)
    later = NOW + refusals.KEPT + timedelta(seconds=1)
    assert isinstance(reserve(lab, image="big", id=second, now=later, inventories=many), Refusal)
    with lab.read() as session:
        assert refusals.refused(session, first) is None
        known = refusals.refused(session, second)
        assert known is not None and len(known.refusal.candidates) == 200, "each with what it lacked"
        (refused,) = audit.events(session, first)
        assert refused.what == "refused" and "no room" in refused.detail and "of 200 considered" in refused.detail


def test_a_long_detail_is_cut_in_the_audit(lab: Store) -> None:
    """It is kept for good."""
    lab.run(lambda s: audit.note(s, "r1", "alice", "refused", "x" * 5000, NOW))
    with lab.read() as session:
        (event,) = audit.events(session, "r1")
    assert event.detail == "x" * (audit.LONGEST - 1) + "…"
