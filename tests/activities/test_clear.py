"""Taking away what a load has made that failed, before another place is taken; and what is looked at before that."""

import dataclasses
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.evidence import EvidenceActivities, EvidenceInput
from activities.provisioning import GIVE_UP, ProvisioningActivities
from tests.fakes import FakeGuest, FakeInventories, FakeModule, World
from tests.targets import target_of
from vclab.model.attempts import ActivityAttempt
from vclab.model.errors import StepFailed, Unreachable
from vclab.model.plans import Evidence, Facts, Target
from vclab.model.traits import Traits
from vclab.provisioning.base import ProvisioningModule

TARGET = target_of(computer="pc1", host="pc1")


class NoFence:
    """Everything is ours."""

    def begin(self, target: Target, attempt: ActivityAttempt) -> None:
        """Well."""

    def check(self, target: Target, attempt: ActivityAttempt | None) -> None:
        """Well."""


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


LENT = dataclasses.replace(TARGET, traits=Traits(lent=True, identity=False))


async def clear(world: World, executor: ThreadPoolExecutor, tried_for: float, target: Target = TARGET) -> str | None:
    """Try it, when it has been tried for so many seconds."""
    environment = ActivityEnvironment()
    now = datetime(2026, 8, 1, tzinfo=UTC)  # the server's; ours may say anything
    since = now - timedelta(seconds=tried_for)
    environment.info = dataclasses.replace(environment.info, scheduled_time=since, current_attempt_scheduled_time=now)
    modules: Mapping[str, ProvisioningModule] = {"vsphere": FakeModule(world)}
    activities = ProvisioningActivities(
        modules, list, lambda _: {}, NoFence(), executor, {}, lambda _: Facts(), FakeInventories()
    )
    return await environment.run(activities.clear_computer, target)


async def test_what_was_made_is_removed(executor: ThreadPoolExecutor) -> None:
    world = World()
    assert await clear(world, executor, 0) is None
    assert world.done == ["remove"]


async def test_a_virtual_machine_is_never_left_behind(executor: ThreadPoolExecutor) -> None:
    """Its removal is tried on, whatever is in the way."""
    for error in (Unreachable("no answer"), StepFailed("a snapshot")):
        with pytest.raises(ApplicationError) as raised:
            await clear(World(fail={"remove": error}), executor, 10 * GIVE_UP)
        assert not raised.value.non_retryable


async def test_a_lab_machine_that_is_away_is_left_to_its_owner_after_a_minute(executor: ThreadPoolExecutor) -> None:
    away = World(fail={"remove": Unreachable("pc1 does not answer")})
    with pytest.raises(ApplicationError, match="does not answer"):
        await clear(away, executor, 0, LENT)
    assert await clear(away, executor, GIVE_UP + 1, LENT) == "pc1 does not answer"
    dirty = World(fail={"remove": StepFailed("/var/tmp/x stays")})
    assert await clear(dirty, executor, 0, LENT) == "/var/tmp/x stays"


class Broken(FakeModule):
    """It can't tell anything, in a way that nobody has thought of."""

    def evidence(self, target: Target) -> Evidence:
        """A mistake of ours."""
        raise KeyError("guest.net")


async def test_evidence_never_fails(executor: ThreadPoolExecutor) -> None:
    world = World()
    activities = EvidenceActivities({"vsphere": Broken(world)}, {"linux": FakeGuest(world)}, executor)
    given = EvidenceInput(TARGET, Facts(private_address="10.0.0.1", host_key="ssh-ed25519 AAAA"))
    seen = await ActivityEnvironment().run(activities.gather_evidence, given)
    assert (seen.power, seen.missing) == ("unknown", ("vc: 'guest.net'",))
    assert seen.console == ("Kernel panic - not syncing: VFS: Unable to mount root fs", "token=***")


async def test_a_worker_without_the_guest_is_evidence_too(executor: ThreadPoolExecutor) -> None:
    """What has no guest has nothing to say; a worker that lacks one says so."""
    activities, facts = EvidenceActivities({"vsphere": FakeModule(World())}, {}, executor), Facts("10.0.0.1", "", "key")
    for target, missing in (
        (dataclasses.replace(TARGET, guest="", traits=Traits(guest=False)), ()),
        (TARGET, ("pc1: this worker has no guest linux: switch it on in its settings, and restart it",)),
    ):
        seen = await ActivityEnvironment().run(activities.gather_evidence, EvidenceInput(target, facts))
        assert (seen.console, seen.missing) == ((), missing)


async def test_a_spare_is_not_planned_by_a_worker_without_its_guest(executor: ThreadPoolExecutor) -> None:
    """Another worker may have it: trying again is of use."""
    modules: Mapping[str, ProvisioningModule] = {"vsphere": FakeModule(World())}
    activities = ProvisioningActivities(
        modules, list, lambda _: {}, NoFence(), executor, {}, lambda _: Facts(), FakeInventories()
    )
    with pytest.raises(ApplicationError, match="this worker has no guest linux") as raised:
        await ActivityEnvironment().run(activities.make_plan, dataclasses.replace(TARGET, spare="uuid"))
    assert not raised.value.non_retryable


async def test_what_can_not_be_reset_from_here_says_so(executor: ThreadPoolExecutor) -> None:
    """Whoever asks all the same is told what to do, and nothing is called."""
    world, lent = World(), dataclasses.replace(LENT, module="vsphere")
    modules: Mapping[str, ProvisioningModule] = {"vsphere": FakeModule(world)}
    activities = ProvisioningActivities(
        modules, list, lambda _: {}, NoFence(), executor, {}, lambda _: Facts(), FakeInventories()
    )
    with pytest.raises(ApplicationError, match="can't be switched from here") as raised:
        await ActivityEnvironment().run(activities.reset_computer, lent)
    assert (raised.value.type, raised.value.non_retryable, world.done) == ("StepFailed", True, [])
