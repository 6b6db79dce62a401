"""Copies by themselves: what is said to the workflow decides what its row says afterwards."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import copies as activities
from activities.copies import UNWANTED, CopyActivities
from tests.fakes import FakeModule, World
from tests.workflows.conftest import IMAGE, seed
from vclab.model.errors import Interrupted, Unreachable
from vclab.model.revisions import Copied, CopyJob, Place, Source, Wanted
from vclab.model.steps import StepContext
from vclab.store import copies
from vclab.store.engine import Store, open_store

WANTED = Wanted(IMAGE.name, IMAGE.revision, Place("vc", "ds1"))
JOB = CopyJob(WANTED, Source(storage="ds0"), "vclab", "vsphere", "default", 8)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path}/vclab.db")
    seed(store)
    return store


class Stopped(FakeModule):
    """It goes on until it is stopped; then its endpoint does something else."""

    def __init__(self, then: Exception) -> None:
        super().__init__(World())
        self._then = then

    def make_copy(self, context: StepContext, job: CopyJob) -> Copied:
        """As long as it is wanted."""
        while not context.cancelled:
            pass
        raise self._then


@pytest.mark.parametrize(
    ("then", "kind"), [(Interrupted("stopped"), UNWANTED), (Unreachable("vc does not answer"), "Unreachable")]
)
async def test_what_nobody_wants_is_given_up_only_when_nothing_is_left(
    store: Store, monkeypatch: pytest.MonkeyPatch, then: Exception, kind: str
) -> None:
    """Its row goes then. What an endpoint that is away still has is deleted by the next attempt."""
    monkeypatch.setattr(activities, "LOOK_SECONDS", 0.05)
    with ThreadPoolExecutor() as executor:
        made = CopyActivities({"vsphere": Stopped(then)}, store, executor)
        with pytest.raises(ApplicationError) as failed:
            await ActivityEnvironment().run(made.make_copy, JOB)
    assert failed.value.type == kind and failed.value.non_retryable == (kind == UNWANTED)


class Hung(FakeModule):
    """Its removal hangs right before it deletes anything."""

    def remove_copy(self, context: StepContext, job: CopyJob) -> None:
        """Only behind the fence."""
        context.fence()
        self.world.act("remove_copy")


async def test_a_removal_that_hung_leaves_alone_what_was_made_anew(store: Store) -> None:
    module = Hung(World())

    def retire(session: Session) -> None:
        copies.begin(session, WANTED, NOW, kept=True)
        copies.made(session, WANTED, Copied("[ds1] a"), NOW)
        copies.leave_use(session, WANTED, NOW)

    with ThreadPoolExecutor() as executor:
        made = CopyActivities({"vsphere": module}, store, executor)
        store.run(retire)
        await ActivityEnvironment().run(made.remove_copy, JOB)
        assert module.world.done == ["remove_copy"]
        store.run(lambda s: copies.stays(s, WANTED, "", NOW))
        with pytest.raises(ApplicationError, match="is not to be deleted any more") as failed:
            await ActivityEnvironment().run(made.remove_copy, JOB)
    assert failed.value.type == "Fenced" and module.world.done == ["remove_copy"]
