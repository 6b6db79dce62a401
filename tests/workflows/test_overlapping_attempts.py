"""Two attempts of one step at once: a server that pauses for longer than the heartbeat time-out is enough."""

import threading

import pytest

from activities import runner
from tests.fakes import FakeModule
from tests.workflows.conftest import Life
from vclab.model.errors import Fenced
from vclab.model.plans import Facts, StepInput
from vclab.model.steps import StepContext

STEP = "vsphere.create_vm"


async def test_the_older_of_two_attempts_is_refused(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first attempt hangs right before it acts, and none of its heartbeats arrives. The second one does the work;
    then the first one goes on, while the computer is being used."""
    hangs, goes_on, refused = threading.Event(), threading.Event(), []
    act = FakeModule._step

    def step(module: FakeModule, context: StepContext, given: StepInput) -> Facts:
        if given.step != STEP or hangs.is_set():
            return act(module, context, given)
        hangs.set()
        goes_on.wait(60)
        try:
            return act(module, context, given)
        except Fenced as fenced:
            refused.append(str(fenced))
            raise

    monkeypatch.setattr(FakeModule, "_step", step)
    monkeypatch.setattr(runner, "HEARTBEAT_SECONDS", 3600.0)
    await life.stop_worker()
    await life.start_worker()  # it registers the steps as they are now
    await life.ready()
    goes_on.set()
    await life.when(lambda: bool(refused))
    assert "which is older" in refused[0]
    assert f"attempt 1 of {STEP}" in refused[0]
    assert life.world.done.count(STEP) == 1
    assert life.view().state == "reserved"  # type: ignore[union-attr]
