"""For all tests: settings of their own, and a quiet end."""

import gc
import os
import tempfile
import time
from pathlib import Path

import pytest

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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two run at a time (`make test`): the longest row, that of the whole stack, begins at once."""
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(folder if folder in TOGETHER else f"{folder}/{item.path.name}"))
    items.sort(key=lambda item: (*TOGETHER, item.path.parent.name).index(item.path.parent.name))
