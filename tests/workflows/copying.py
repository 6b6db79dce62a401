"""A worker in a process of its own, which stops once in each step of a copy: python -m tests.workflows.copying FILE.

Each step has an image of its own, so that all are reached at one time, and one fault meets them all. The endpoint is a
folder of files.
"""

import asyncio
import functools
import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from temporalio.client import Client

import worker
from activities.copies import CopyAwaited, CopyEnded, CopyRecords
from activities.drivers import Drivers
from tests.fakes import FakeGuest, FakeModule, World
from vclab.model.errors import Interrupted, Unreachable
from vclab.model.revisions import Copied, CopyJob, Place, Wanted
from vclab.model.steps import StepContext
from vclab.settings import Settings
from vclab.store.engine import open_store

MADE = ("row-begun", "workflow-started", "source-chosen", "half-copied", "whole-unrecorded", "recorded-untold")
"""Steps of a copy that is made, in order; each is the name of its image."""
REMOVED = ("removal-begun", "half-deleted", "deleted-unrecorded", "deletion-recorded")
"""Those of one that is deleted."""


def settings(database: str) -> Settings:
    """Of the worker, and of whoever works with it."""
    return Settings(database=database, limits={"at_once": 20}, looks={"kept": False}, waits={"spare": 0})


class Stops:
    """Where the worker stops, once for each image, until ``go``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def stop(self, step: str, image: str, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Here, if it is the step of that image, and it is reached for the first time."""
        if step != image:
            return
        try:
            (self._folder / f"{step}.reached").touch(exist_ok=False)
        except FileExistsError:
            return
        while not (self._folder / "go").exists():
            if cancelled():
                raise Interrupted("stopped")
            time.sleep(0.02)

    def before(self, name: str, step: str) -> None:
        """Before this record of copies is written."""
        self._around(name, lambda given: self.stop(step, image_of(given)), lambda given, said: None)

    def after(self, name: str, step: str) -> None:
        """When it is written, and nobody knows it yet."""
        self._around(name, lambda given: None, lambda given, said: self.stop(step, image_of(said) or image_of(given)))

    def _around(self, name: str, before: Callable[[Any], None], after: Callable[[Any, Any], None]) -> None:
        record = getattr(CopyRecords, name)

        @functools.wraps(record)
        def wrapped(records: CopyRecords, given: Any) -> Any:
            before(given)
            said = record(records, given)
            after(given, said)
            return said

        setattr(CopyRecords, name, wrapped)


def image_of(given: object) -> str:
    """The image that a record is about; empty: it does not say."""
    match given:
        case Wanted():
            return given.image
        case CopyEnded():
            return given.wanted.image
        case CopyAwaited():
            return given.placed.target.image
    return ""


class Shelf(FakeModule):
    """An endpoint whose datastores are a folder: a file for each copy, and for each that is being made. It can't be
    reached while there is a file ``away``."""

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__(world)
        self._folder, self._stops = folder, Stops(folder)

    def make_copy(self, context: StepContext, job: CopyJob) -> Copied:
        """Under a name of its own, until it is whole."""
        image, whole = job.wanted.image, copy_at(self._folder, job.wanted)
        half = whole.with_name(f"{whole.name}.{uuid.uuid4().hex[:8]}")
        self._answers()
        if not whole.exists():
            for left in self._folder.glob(f"{whole.name}.*"):
                left.unlink(missing_ok=True)
            half.touch()
            try:
                self._stops.stop("half-copied", image, lambda: context.cancelled)
                self._answers()
                half.rename(whole)
            except Interrupted:
                half.unlink(missing_ok=True)
                raise
            except FileNotFoundError:
                raise Unreachable("another attempt has deleted it") from None
        self._stops.stop("whole-unrecorded", image)
        return Copied(str(whole))

    def remove_copy(self, context: StepContext, job: CopyJob) -> None:
        """Gone when it is verified gone."""
        self._answers()
        context.fence()
        self._stops.stop("half-deleted", job.wanted.image)
        copy_at(self._folder, job.wanted).unlink(missing_ok=True)
        self._answers()
        self._stops.stop("deleted-unrecorded", job.wanted.image)

    def _answers(self) -> None:
        if (self._folder / "away").exists():
            raise Unreachable("vc does not answer")


def copy_at(folder: Path, wanted: Wanted) -> Path:
    """The file that is a copy on the shelf."""
    return folder / f"{wanted.place.storage}-{wanted.image}.copy"


def wanted(step: str) -> Wanted:
    """The copy that is in that step."""
    return Wanted(step, 1, Place("vc", "ds1"))


async def main(file: Path) -> None:
    """Work until it is killed."""
    given = json.loads(file.read_text())
    stops, world, store = Stops(file.parent), World(), open_store(given["database"])
    stops.after("copy_awaited", "row-begun")
    stops.before("copy_begins", "workflow-started")
    stops.after("copy_begins", "source-chosen")
    stops.after("copy_ended", "recorded-untold")
    stops.after("copy_leaves", "removal-begun")
    stops.after("copy_gone", "deletion-recorded")
    drivers = Drivers({"vsphere": Shelf(world, file.parent)}, {"linux": FakeGuest(world)})
    client = await Client.connect(given["server"])
    async with AsyncExitStack() as stack:
        for one in worker.build(client, settings(given["database"]), store, drivers):
            await stack.enter_async_context(one)
        print("working", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1])))
    finally:
        os._exit(1)  # never an interpreter that waits for threads
