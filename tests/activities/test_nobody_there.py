"""A guest's step that finds nobody asks the endpoint, now and then, whether there is anybody to wait for."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.steps import LOOKS, step_activities
from tests.targets import target_of
from vclab.model.attempts import ActivityAttempt
from vclab.model.errors import NotYet, Unreachable
from vclab.model.plans import Facts, StepInput, Target, Whereabouts
from vclab.model.steps import StepContext

TARGET = target_of()
OFF, GONE = Whereabouts(trouble="vm01 is off", off=True), Whereabouts(trouble="vm01 is gone", gone=True)
AWAY = Whereabouts(trouble="vm01 can't be looked at: its host esx1 is disconnected")


class Nothing:
    """Neither fence nor log has anything to say."""

    def begin(self, target: Target, attempt: ActivityAttempt) -> None:
        """Well."""

    def check(self, target: Target, attempt: ActivityAttempt | None) -> None:
        """Well."""

    def started(self, step: StepInput, attempt: ActivityAttempt) -> None:
        """Not kept."""

    def ended(self, step: StepInput, attempt: int, outcome: str, detail: str) -> None:
        """Not kept."""


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


async def failure(executor: ThreadPoolExecutor, error: Exception, found: Whereabouts | Exception, attempt: int) -> str:
    """What comes of an attempt that ends with this error while the endpoint says that; final or not."""

    async def look(context: StepContext, given: StepInput) -> Facts:
        raise error

    def whereabouts(target: Target) -> Whereabouts:
        if isinstance(found, Exception):
            raise found
        return found

    (step,) = step_activities([{"linux.wait_ssh": look}], Nothing(), Nothing(), executor, whereabouts)
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    with pytest.raises(ApplicationError) as raised:
        await environment.run(step, StepInput("linux.wait_ssh", "Wait for SSH", TARGET, Facts()))
    return f"{'final' if raised.value.non_retryable else 'again'}: {raised.value.message}"


async def test_looks(executor: ThreadPoolExecutor) -> None:
    silent = NotYet("no answer")
    assert await failure(executor, silent, GONE, LOOKS - 1) == "again: no answer", "its endpoint is not bothered yet"
    assert "vc any more: it was deleted while it was loaded" in await failure(executor, silent, GONE, LOOKS)
    assert await failure(executor, silent, Whereabouts(), LOOKS) == "again: no answer"


async def test_acts(executor: ThreadPoolExecutor) -> None:
    away = Unreachable("no route")
    assert await failure(executor, away, OFF, 1) == "final: vm01 is off: it was switched off while it was loaded"
    for other in (AWAY, Whereabouts(), Unreachable("vc does not answer"), KeyError("vsphere")):
        assert await failure(executor, away, other, 1) == "again: no route"
