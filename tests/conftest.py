"""For all tests: settings of their own, and a quiet end."""

import gc
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("stack", "lab")
"""Folders whose tests share one lab and so run one after the other; elsewhere those of a file do."""

# Never the settings of a lab that runs on this machine: an empty file instead.
_NO_SETTINGS = Path(tempfile.mkdtemp(prefix="vclab-tests-")) / "vclab.toml"
_NO_SETTINGS.touch()
os.environ["VCLAB_CONFIG"] = str(_NO_SETTINGS)


def pytest_sessionfinish() -> None:
    """A process that had a worker may abort while the interpreter ends (sdk-python#300): give it time to leave."""
    _NO_SETTINGS.unlink(missing_ok=True)
    _NO_SETTINGS.parent.rmdir()
    gc.collect()
    time.sleep(0.3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest row, that of the whole stack, begins at once when two run at a time."""
    items.sort(key=lambda item: (*TOGETHER, "").index(_row(item.nodeid) if _row(item.nodeid) in TOGETHER else ""))


def _row(nodeid: str) -> str:
    """The tests that run one after the other: those of a lab's folder, else those of a file."""
    file = nodeid.partition("::")[0]
    folder = Path(file).parent.name
    return folder if folder in TOGETHER else file


class Rows(LoadScopeScheduling):
    """Each row is one process's."""

    def _split_scope(self, nodeid: str) -> str:
        return _row(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rows:
    """For `make test`, which runs two at a time."""
    return Rows(config, log)
