"""The load log and what past loads tell."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.store.lab import NOW, must_reserve
from vclab.model.plans import Facts, StepInput
from vclab.model.states import Ending
from vclab.store import Store, load_log, reservations


def load(store: Store, seconds: float, outcome: str = load_log.DONE, attempts: int = 1) -> str:
    """A reservation whose only step took ``seconds`` in all; attempts before the last failed."""
    placed = must_reserve(store)
    step = StepInput("vsphere.copy_disk", "Copying the disk", placed.target, Facts(), 1, 1)
    for attempt in range(1, attempts + 1):
        begin = NOW + timedelta(seconds=seconds * (attempt - 1) / attempts)
        end = NOW + timedelta(seconds=seconds * attempt / attempts)
        how = outcome if attempt == attempts else load_log.FAILED
        for _ in range(2):  # as after a crash
            store.run(lambda s: load_log.started(s, step, attempt, begin))  # noqa: B023
            store.run(lambda s: load_log.ended(s, step, attempt, how, "said so", end))  # noqa: B023
    store.run(lambda s: reservations.ended(s, placed.reservation, Ending.DELETED, "", NOW))
    store.run(lambda s: reservations.finished(s, placed.reservation, NOW))
    return placed.reservation


def medians(store: Store, image: str = "debian-12") -> dict[str, float]:
    with store.read() as session:
        return load_log.medians(session, image)


def test_nothing_is_known_at_first(lab: Store) -> None:
    assert medians(lab) == {}


def test_the_median_of_good_loads(lab: Store) -> None:
    for seconds in (10, 11, 500):
        load(lab, seconds)
    load(lab, 1, load_log.FAILED)
    load(lab, 2, load_log.CANCELLED)
    assert medians(lab) == {"vsphere.copy_disk": 11}
    assert medians(lab, "big") == {}


def test_a_step_takes_from_its_first_attempt_on(lab: Store) -> None:
    load(lab, 60, attempts=3)
    assert medians(lab) == {"vsphere.copy_disk": 60}


def test_only_the_last_twenty_count(lab: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_log, "_PAST", 3)
    for seconds in (1, 2, 30, 31, 32):
        load(lab, seconds)
    assert medians(lab) == {"vsphere.copy_disk": 31}


def test_the_log_is_kept_and_the_first_note_stays(lab: Store) -> None:
    id = load(lab, 8, attempts=2)
    with lab.read() as session:
        rows = [(r.attempt, r.outcome, r.detail, r.ended_at) for r in load_log.steps(session, id)]
    assert rows == [
        (1, "failed", "said so", NOW + timedelta(seconds=4)),
        (2, "done", "said so", NOW + timedelta(seconds=8)),
    ]


def test_an_end_without_a_start_changes_nothing(lab: Store) -> None:
    step = StepInput("vsphere.power_on", "…", must_reserve(lab).target, Facts())
    lab.run(lambda s: load_log.ended(s, step, 1, load_log.DONE, "", NOW))
    assert medians(lab) == {}


def test_lines_that_do_not_wait_for_the_disk_are_written(lab: Store) -> None:
    """As the worker writes them: seen at once by others, and on PostgreSQL the next record waits for the disk again."""
    placed = must_reserve(lab)
    step = StepInput("vsphere.copy_disk", "Copying the disk", placed.target, Facts(), 1, 1)
    lab.run(lambda s: load_log.started(s, step, 1, NOW), durable=False)
    lab.run(lambda s: load_log.ended(s, step, 1, load_log.DONE, "", NOW), durable=False)
    with lab.read() as session:
        assert [row.outcome for row in load_log.steps(session, placed.reservation)] == [load_log.DONE]
    if "sqlite" in lab.shown_url:
        return
    # The tests' server waits for no disk: let this database be as a real one is.
    name = lab.run(lambda s: s.scalar(sa.text("SELECT current_database()")))
    lab.run(lambda s: s.execute(sa.text(f'ALTER DATABASE "{name}" SET synchronous_commit TO on')))
    lab.close()
    ask = sa.text("SHOW synchronous_commit")
    for _ in range(2):
        assert lab.run(lambda s: s.scalar(ask)) == "on"
        assert lab.run(lambda s: s.scalar(ask), durable=False) == "off"


def test_steps_of_a_capture_are_apart(lab: Store) -> None:
    """They have the names of a load's, on the same computer and on others; neither tells how long the other takes."""
    placed = must_reserve(lab)
    for seconds, part in ((10, ""), (99, "c1/hand back"), (50, "c1/seal")):
        step = StepInput("vsphere.power_on", "Power it on", placed.target, Facts(), 1, 1, part=part)
        lab.run(lambda s: load_log.started(s, step, 1, NOW))  # noqa: B023
        end = NOW + timedelta(seconds=seconds)
        lab.run(lambda s: load_log.ended(s, step, 1, load_log.DONE, "", end))  # noqa: B023
    with lab.read() as session:
        assert len(load_log.steps(session, placed.reservation)) == 3
        assert load_log.medians(session, "debian-12") == {"vsphere.power_on": 10}
        assert load_log.medians(session, "debian-12", captured=True) == {"vsphere.power_on": 74.5}
