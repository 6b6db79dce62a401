"""Running reservations must survive a new version of the code: the stored histories replay, and pass all of it."""

import pkgutil
from collections.abc import Iterator
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client

import activities
import worker
import workflows
from activities.drivers import Drivers
from activities.exports import MARK
from tests.fakes import FakeGuest, FakeModule, World
from tests.histories import replayed, stored
from tests.histories.lives import KEPT, LIVES
from tests.histories.replayed import Replayed
from tests.histories.stored import StoredHistory
from vclab.model.states import Ending
from vclab.settings import Settings
from vclab.store.engine import open_store
from workflows import WORKFLOWS

HISTORIES = [stored.read(file) for file in stored.files()]
RECORD = ".venv/bin/python -m tests.histories.record"
DIFFERS = """
{name} does not replay: a reservation that runs now would stand still with the new code. Read CONTRIBUTING.md, "Change a
running workflow safely". {life}
{error}"""
MISSING = """
No stored history has {what}: a change of what it does would go unseen. Add a life to tests/histories/lives that passes
it, and record that: {record} <life>"""
NOT_PASSED = """
No stored history passes these lines of workflows/, so a change of what they do would go unseen. Add lives to
tests/histories/lives, and record them: {record} <life>
Can't one be lived, put the line into tests/histories/not_passed.txt, below the reason.

{lines}"""
PASSED = """
These lines of tests/histories/not_passed.txt are passed, or are not there any more: take them out.

{lines}"""


@pytest.fixture(scope="module")
async def everything() -> Replayed:
    """All histories, replayed."""
    return await replayed.replay(HISTORIES)


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.name)
async def test_stored_histories_replay(history: StoredHistory, everything: Replayed) -> None:
    """Against the code as it is."""
    error = everything.failures.get(history.name)
    if error is not None:
        pytest.fail(DIFFERS.format(name=history.name, life=protects(history.life), error=error), pytrace=False)


def protects(life: str) -> str:
    """What a history protects, in a line; earlier code may have written it."""
    return LIVES[life].protects if life in LIVES else KEPT.get(life, "")


def test_each_history_tells_what_it_protects() -> None:
    """Whoever breaks it reads that."""
    assert [history.name for history in HISTORIES if not protects(history.life)] == []


def test_the_histories_are_those_of_the_lives() -> None:
    """Each life has a history, and each history a life, but for those that earlier code wrote."""
    found, wanted = {history.life for history in HISTORIES}, LIVES.keys() | KEPT.keys()
    assert found == wanted, f"record what is missing, remove what has no life: {found ^ wanted}"


def test_what_the_lives_do_is_written_down() -> None:
    """So that a recording can be reviewed: the difference of this file tells what workflows do otherwise."""
    assert stored.COMMANDS.read_text() == stored.all_commands(HISTORIES), f"write it anew: {RECORD}"


def messages() -> set[str]:
    """All signals and updates, with the workflow that takes them."""
    found = set()
    for each in WORKFLOWS:
        definition = workflow._Definition.must_from_class(each)
        found |= {f"{definition.name}: {name}" for name in (*definition.signals, *definition.updates)}
    return found


def test_every_workflow_every_message_and_every_ending_has_a_history() -> None:
    """It really is there: the message was accepted, the ending is that of the result."""
    wanted = {f"the ending {ending}" for ending in Ending} | {f"the message {each}" for each in messages()}
    wanted |= {f"the workflow {workflow._Definition.must_from_class(each).name}" for each in WORKFLOWS}
    found = {f"the ending {history.ending}" for history in HISTORIES}
    found |= {f"the message {each.workflow}: {message}" for each in HISTORIES for message in each.messages}
    found |= {f"the workflow {history.workflow}" for history in HISTORIES}
    if missing := wanted - found:
        pytest.fail(MISSING.format(what=", ".join(sorted(missing)), record=RECORD), pytrace=False)


async def test_every_line_of_workflows_is_passed(everything: Replayed) -> None:
    """But for those that no replay can pass, and those that are named."""
    more, less = replayed.differences(everything.passed)
    if more:
        pytest.fail(NOT_PASSED.format(record=RECORD, lines="\n".join(more)), pytrace=False)
    if less:
        pytest.fail(PASSED.format(lines="\n".join(less)), pytrace=False)


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
    assert defined == set(WORKFLOWS)


def marked() -> Iterator[str]:
    """The names of all methods in our package that ``@activity.defn`` marks."""
    for module in pkgutil.iter_modules(activities.__path__):
        for kind in vars(import_module(f"activities.{module.name}")).values():
            yield from (name_of(each) for each in vars_of(kind).values() if hasattr(each, MARK))


def vars_of(kind: object) -> dict[str, object]:
    return dict(vars(kind)) if isinstance(kind, type) else {}


def name_of(method: object) -> str:
    return str(getattr(method, MARK).name)
