"""Running reservations must survive a new version of the code: stored histories replay, commands stay as they were."""

import json
import pkgutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory

import activities
import worker
import workflows
from activities.drivers import Drivers
from activities.exports import MARK
from tests.fakes import FakeGuest, FakeModule, World
from tests.workflows import fingerprints
from vclab.settings import Settings
from vclab.store.engine import open_store
from vclab.temporal import replay

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))
TEACH = """
The commands of {name} are not what they were. A reservation that runs now would replay its history against the new
code and stop dead. Read CONTRIBUTING.md, "Change a running workflow safely": guard the change with workflow.patched(),
keep the old branch, add a history of the new one, and only then write the fingerprints anew:
    .venv/bin/python -m tests.workflows.fingerprints
was: {was}
now: {now}"""


def test_the_commands_are_as_they_were() -> None:
    """Every workflow function issues the same commands in the same order."""
    was, now = json.loads(fingerprints.FILE.read_text()), fingerprints.fingerprints()
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            pytest.fail(TEACH.format(name=name, was=was.get(name), now=now.get(name)), pytrace=False)


@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
async def test_stored_histories_replay(file: Path) -> None:
    """Each was written by a released version, on the real stack."""
    history = WorkflowHistory.from_json(f"reservation-{file.stem}", file.read_text())
    async for one in replay.replayed(_only(history), workflows.WORKFLOWS):
        assert one.why_not == ""


async def _only(history: WorkflowHistory) -> AsyncIterator[WorkflowHistory]:
    yield history


def test_every_ending_has_a_history() -> None:
    """An ending without a history is not protected."""
    endings = {"deleted", "deleted-loading", "released", "noack", "nologin", "timeout", "EOR", "failed"}
    assert endings <= {file.stem for file in HISTORIES}


def test_our_packages_are_ours() -> None:
    """Other projects install packages called ``workflows`` and ``activities``: one of them must not shadow ours."""
    assert Path(workflows.__file__ or "").parents[1] == Path(worker.__file__).parent


async def test_every_activity_is_registered(time_client: Client, tmp_path: Path) -> None:
    """One that is not shows only when it is called: then the workflow's task fails again and again."""
    world, store = World(), open_store(f"sqlite:///{tmp_path}/vclab.db")
    drivers = Drivers({"vsphere": FakeModule(world)}, {"linux": FakeGuest(world)})
    workers = worker.build(time_client, Settings(), store, drivers)
    async with AsyncExitStack() as stack:  # one that was made must be ended, and that needs a start
        for one in workers:
            await stack.enter_async_context(one)
    registered = {name_of(each) for one in workers for each in one.config()["activities"]}
    assert set(marked()) <= registered
    store.close()


def test_every_workflow_is_registered() -> None:
    """As above."""
    modules = [import_module(f"workflows.{m.name}") for m in pkgutil.iter_modules(workflows.__path__)]
    defined = {one for m in modules for one in vars(m).values() if "__temporal_workflow_definition" in vars_of(one)}
    assert defined == set(workflows.WORKFLOWS)


def marked() -> Iterator[str]:
    """The names of all methods in our package that ``@activity.defn`` marks."""
    for module in pkgutil.iter_modules(activities.__path__):
        for kind in vars(import_module(f"activities.{module.name}")).values():
            yield from (name_of(each) for each in vars_of(kind).values() if hasattr(each, MARK))


def vars_of(kind: object) -> dict[str, object]:
    return dict(vars(kind)) if isinstance(kind, type) else {}


def name_of(method: object) -> str:
    return str(getattr(method, MARK).name)
