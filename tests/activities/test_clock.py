"""A clock that jumps: neither a machine's grace nor how long a step took goes by it."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities import load_log as logging
from activities.load_log import StoreLoadLog
from activities.reconcile import SiteInput, SiteReconciler, Strays
from tests.fakes import FakeModule, World
from tests.targets import target_of
from vclab.model.attempts import ActivityAttempt
from vclab.model.catalog import Endpoint
from vclab.model.inventory import MachineFacts, Machines
from vclab.model.plans import Facts, StepInput
from vclab.settings import ReconcileSettings
from vclab.store import Store, load_log, open_store

TARGET = target_of(computer="pc1", host="pc1")
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


class Clock(datetime):
    """Says what it is told to say."""

    says = NOON

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        """That."""
        return cls.says


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    """The clock of the load log."""
    monkeypatch.setattr(Clock, "says", NOON)
    monkeypatch.setattr(logging, "datetime", Clock)
    return Clock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(f"sqlite:///{tmp_path}/vclab.db")
    made.migrate()
    yield made
    made.close()


class Stray(FakeModule):
    """Has one machine of ours that nobody holds, until it is removed."""

    def machines(self, endpoint: str) -> Machines:
        """That one."""
        gone = "removed" in self.world.done
        machine = MachineFacts(endpoint, "stray", "uuid", "r", "pc1", 1, True)
        return Machines(endpoint, () if gone else (machine,))

    def remove_machine(self, endpoint: str, instance_uuid: str) -> None:
        """Gone."""
        self.world.done.append("removed")


async def test_a_stray_machine_is_seen_for_as_long_as_its_grace(store: Store) -> None:
    module, endpoints = Stray(World()), [Endpoint("vc", "vsphere", "https://127.0.0.1/sdk", "u", "endpoint/vc", "00")]
    with ThreadPoolExecutor(1) as executor:

        async def strays(at: datetime) -> Strays:
            environment = ActivityEnvironment()
            environment.info = dataclasses.replace(environment.info, current_attempt_scheduled_time=at)
            return await environment.run(reconcile.reconcile_site, SiteInput("default"))

        for grace in (3600.0, 0.0):
            settings, modules = ReconcileSettings(grace=grace), {"vsphere": module}
            reconcile = SiteReconciler(store, modules, lambda: endpoints, settings, executor)
            first = await strays(NOON)
            later = await strays(NOON + timedelta(hours=25))
            assert (first.reported, later.reported) == (((), ()) if grace == 0 else (("stray",), ("stray",)))
    assert module.world.done == ["removed"], "at once, when no grace is given"


async def test_a_stray_machine_s_grace_survives_its_worker(store: Store) -> None:
    """Each round is another worker's; the machine goes once it was looked at for its grace."""
    module, endpoints = Stray(World()), [Endpoint("vc", "vsphere", "https://127.0.0.1/sdk", "u", "endpoint/vc", "00")]
    removed = []
    with ThreadPoolExecutor(1) as executor:
        for minute in range(4):
            settings = ReconcileSettings(every=60, grace=180)
            reconcile = SiteReconciler(store, {"vsphere": module}, lambda: endpoints, settings, executor)
            environment, at = ActivityEnvironment(), NOON + timedelta(minutes=minute)
            environment.info = dataclasses.replace(environment.info, current_attempt_scheduled_time=at)
            removed.append((await environment.run(reconcile.reconcile_site, SiteInput("default"))).removed)
    assert removed == [(), (), (), ("stray",)]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_step_is_as_long_as_it_took(store: Store, clock: type[Clock], hours: int) -> None:
    log = StoreLoadLog(store)
    given = StepInput("vsphere.copy_disk", "Copy the image's disk", TARGET, Facts())
    with pytest.raises(Exception, match="pc1"):  # nobody holds it; that it began is noted all the same
        log.started(given, ActivityAttempt("run", 1, 1, NOON))
    clock.says = NOON + timedelta(hours=hours)
    log.ended(given, 1, load_log.DONE, "")
    with store.read() as session:
        assert 0 <= load_log.medians(session, "i")["vsphere.copy_disk"] < 60
