"""A worker in a process of its own, which stops or fails once in each step of a capture, on the pretended world.

    python -m tests.workflows.capturing FILE

Each step has a capture of its own, whose image is named after it, so that all are reached at one time. A step, or a
record, is met when it has acted and nobody knows it yet.
"""

import asyncio
import functools
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from temporalio.client import Client

import worker
from activities.captures import CaptureBegins, CaptureRecords
from activities.drivers import Drivers
from tests.targets import target_of
from vclab.fake_world import Behaviour, World
from vclab.guests.fake import FakeGuest
from vclab.model.errors import Interrupted, StepFailed, Unreachable, VclabError
from vclab.model.inventory import Inventory
from vclab.model.plans import Facts, StepInput, Target, Whereabouts
from vclab.model.steps import AsyncStep, BlockingStep, StepContext
from vclab.provisioning.fake import Fake
from vclab.settings import Settings
from vclab.store.engine import open_store

_FAKE, _TARGET = Fake(World(), "vclab"), target_of(module="fake", guest="fake")
PLANS = {
    "take": _FAKE.capture(_TARGET),
    "hand-back": _FAKE.hand_back(_TARGET),
    "seal": _FAKE.seal(_TARGET),
    "try": _FAKE.boot_test(_TARGET),
    "publish": _FAKE.publish(_TARGET),
}
STEPS = tuple((stage, step.name) for stage, plan in PLANS.items() for step in plan.steps)
UNDONE = tuple(("put-back", step.undo) for plan in PLANS.values() for step in plan.steps if step.undo)
"""Met when a capture is given up, because its raw copy can't be deleted."""
RECORDS = ("capture_begins", "capture_taken", "throw_away_taken", "throw_away_left", "capture_ended")
"""What is written down of a capture, in order."""
AWAY = "away"
"""The endpoint and its computers can't be reached, and answers are lost, while the folder has a file of this name."""


def image_of(stage: str, step: str) -> str:
    """The image that is made by the capture that meets this step."""
    return f"{stage}-{step.rpartition('.')[2].replace('_', '-')}"


def stage_of(given: StepInput) -> str:
    """The stage of a capture that a step belongs to; empty: it is of no capture."""
    target, becomes = given.target, given.becomes
    if becomes is None:
        return ""
    if given.title.startswith("Undo"):
        return "put-back"
    if target.computer == becomes.computer:
        return "hand-back" if given.count == len(PLANS["hand-back"].steps) else "take"
    if target.isolated:
        return "seal"
    return "publish" if given.count == len(PLANS["publish"].steps) else "try"


def settings(folder: Path, database: str) -> Settings:
    """Of the worker, and of whoever works with it."""
    return Settings(
        database=database,
        fake=Behaviour(enabled=True, world=folder / "world"),
        limits={"at_once": 100},
        looks={"kept": False},
        waits={"spare": 0},
        worker={"long_activities": 50, "activities": 100},
    )


class Faults:
    """What happens to the captures, once each: ``stop`` until there is a file ``go``, or ``fail`` for good. The files
    in the folder say what was met."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder, self._kind = folder, kind

    def meets(self, given: StepInput) -> bool:
        """The step is now met. Raises ``StepFailed`` when that is what happens to it."""
        stage = stage_of(given)
        if not stage or given.becomes is None:
            return False
        image = given.becomes.image
        if image.startswith("put-back") and given.step == "fake.discard_raw" and stage == "publish":
            raise StepFailed("the raw copy can't be deleted")
        if image != image_of(stage, given.step):
            return False
        # A stage on a throw-away computer is begun anew by itself once, and then an operator is asked.
        times = 2 if self._kind == "fail" and stage in ("seal", "try") else 1
        if not self._first(image, times):
            return False
        if self._kind == "fail":
            raise StepFailed(f"{given.step} fails for good")
        return True

    def _first(self, image: str, times: int) -> bool:
        for number in range(times):
            try:
                (self._folder / f"{image}.{number}.reached").touch(exist_ok=False)
            except FileExistsError:
                continue
            return True
        return False

    @property
    def gone(self) -> bool:
        """Nothing is held any more."""
        return (self._folder / "go").exists()

    def answers(self) -> None:
        """Raises ``Unreachable`` while the endpoint is away: nobody learns what it has done."""
        if (self._folder / AWAY).exists():
            raise Unreachable("the endpoint does not answer")

    def record(self, name: str) -> None:
        """This record is met by the capture whose image is named after it, when it is written."""
        written = getattr(CaptureRecords, name)

        @functools.wraps(written)
        def wrapped(records: CaptureRecords, given: Any) -> Any:
            said = written(records, given)
            image = given.message.image if isinstance(given, CaptureBegins) else given.becomes.image
            if image == image_of("record", name) and self._first(image, 1):
                while not self.gone:
                    time.sleep(0.05)
            return said

        setattr(CaptureRecords, name, wrapped)

    def blocking(self, step: BlockingStep) -> BlockingStep:
        """The step, which is met."""

        def run(context: StepContext, given: StepInput) -> Facts:
            learned = step(context, given)
            if self.meets(given):
                while not self.gone:
                    if context.cancelled:
                        raise Interrupted("stopped")
                    time.sleep(0.05)
                self.answers()
            return learned

        return run

    def awaiting(self, step: AsyncStep) -> AsyncStep:
        """The same."""

        async def run(context: StepContext, given: StepInput) -> Facts:
            learned = await step(context, given)
            if self.meets(given):
                while not self.gone:
                    await asyncio.sleep(0.05)
                self.answers()
            return learned

        return run


class Reached(World):
    """The pretended world, which can't be reached while its endpoint is away."""

    def __init__(self, behaviour: Behaviour, faults: Faults) -> None:
        super().__init__(behaviour)
        self._faults = faults

    def misfortune(self, name: str, target: Target) -> VclabError | None:
        """What goes wrong with everything meanwhile."""
        try:
            self._faults.answers()
        except Unreachable as away:
            return away
        return super().misfortune(name, target)


class Module(Fake):
    """The module, some of whose steps are met by faults."""

    def __init__(self, world: World, faults: Faults) -> None:
        super().__init__(world, "vclab")
        self._faults = faults

    def steps(self) -> Mapping[str, BlockingStep]:
        """As they are, but for the faults."""
        return {name: self._faults.blocking(step) for name, step in super().steps().items()}

    def survey(self, endpoint: str) -> Inventory:
        """As it is, if it can be reached."""
        self._faults.answers()
        return super().survey(endpoint)

    def whereabouts(self, target: Target) -> Whereabouts:
        """The same."""
        self._faults.answers()
        return super().whereabouts(target)


class Guest(FakeGuest):
    """The guest, some of whose steps are met by faults."""

    def __init__(self, world: World, faults: Faults) -> None:
        super().__init__(world)
        self._faults = faults

    def steps(self) -> Mapping[str, AsyncStep]:
        """As they are, but for the faults."""
        return {name: self._faults.awaiting(step) for name, step in super().steps().items()}


async def main(file: Path) -> None:
    """Work until it is killed."""
    given = json.loads(file.read_text())
    using, faults = settings(file.parent, given["database"]), Faults(file.parent, given["fault"])
    for name in RECORDS:
        faults.record(name)
    world = Reached(using.fake, faults)
    drivers = Drivers({Fake.name: Module(world, faults)}, {FakeGuest.name: Guest(world, faults)})
    client, store = await Client.connect(given["server"]), open_store(using.database)
    async with AsyncExitStack() as stack:
        for one in worker.build(client, using, store, drivers):
            await stack.enter_async_context(one)
        print("working", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1])))
    finally:
        os._exit(1)  # never an interpreter that waits for threads
