"""Running reservations must survive a new version of the code: stored histories replay, commands stay as they were."""

import json
import re
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

import worker
import workflows
from tests.workflows import fingerprints
from vclab.temporal import sandbox
from vclab.temporal.converter import CONVERTER

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
    replayer = Replayer(workflows=worker.WORKFLOWS, workflow_runner=sandbox.sandbox(), data_converter=CONVERTER)
    await replayer.replay_workflow(history)


def test_every_ending_has_a_history() -> None:
    """An ending without a history is not protected."""
    endings = {"deleted", "deleted-loading", "released", "noack", "nologin", "timeout", "EOR", "failed"}
    assert endings <= {file.stem for file in HISTORIES}


def test_our_packages_are_ours() -> None:
    """Other projects install packages called ``workflows`` and ``activities``: one of them must not shadow ours."""
    assert Path(workflows.__file__ or "").parents[1] == Path(worker.__file__).parent


def test_every_activity_is_registered() -> None:
    """One that is not shows only when it is called: then the workflow's task fails again and again."""
    source = Path(worker.__file__).read_text()
    for file in (Path(worker.__file__).parent / "activities").glob("*.py"):
        for name in re.findall(r"@activity\.defn\n +(?:async )?def (\w+)", file.read_text()):
            assert f".{name},\n" in source, f"{name} ({file.name}) is missing in worker.build"
