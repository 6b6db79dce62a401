"""For all tests: settings of their own, and a quiet end."""

import gc
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

FIRST = (
    *("stack/test_kills.py", "stack/test_faults.py", "lab/", "stack/", "workflows/", "guests/", "power/"),
    "cli/test_acts.py",
)
"""Beginnings of paths: what takes longest begins first."""
HEAVY = (
    *("stack/", "lab/", "node/", "guests/", "power/", "provisioning/", "workflows/"),
    *("store/test_processes.py", "store/test_machine.py", "fake/test_bench.py", "activities/test_clock.py"),
    *("api/test_server.py", "api/test_faults.py", "api/test_schema.py"),
    *("imaging/", "library/test_allocation.py", "secrets/test_rotation.py", "deploy/test_distribution.py"),
    *("sign_in/test_provider.py", "sign_in/test_browser.py"),
    *("netboot/test_boot.py", "netboot/test_dnsmasq.py", "netboot/test_environment.py"),
    *("cli/test_acts.py", "cli/test_scheduled.py", "cli/test_handing_out.py", "cli/test_doctor.py"),
)
"""Beginnings of paths: what needs root, a server with a worker, or many seconds. `make quick` leaves it out."""
LIGHT = (
    *("guests/test_linux_text.py", "provisioning/test_registry.py", "provisioning/test_toy.py"),
    *("power/test_address.py", "power/test_findings.py", "power/test_validation.py"),
    *(
        "provisioning/test_virtual.py",
        "provisioning/test_interface.py",
        "workflows/test_converter.py",
        "workflows/test_compatibility.py",
    ),
)
"""And what is light all the same."""

# Never the settings of a lab that runs on this machine: an empty file instead.
_NO_SETTINGS = Path(tempfile.mkdtemp(prefix="vclab-tests-")) / "vclab.toml"
_NO_SETTINGS.touch()
os.environ["VCLAB_CONFIG"] = str(_NO_SETTINGS)
# Nor the servers that somebody has logged in to.
os.environ["XDG_CONFIG_HOME"] = str(_NO_SETTINGS.parent / "nothing")
for name in ("VCLAB_CONTEXT", "VCLAB_URL", "VCLAB_TOKEN_FILE", "VCLAB_CA_FILE"):
    os.environ.pop(name, None)

# A shell has what it starts in the background ignore Ctrl-C, and the commands of the tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish() -> None:
    """A process that had a worker may abort while the interpreter ends (sdk-python#300): give it time to leave."""
    shutil.rmtree(_NO_SETTINGS.parent)  # with what programs keep about themselves, as Go's
    gc.collect()
    time.sleep(0.3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest rows begin at once when several run at a time. What is heavy is marked."""
    items.sort(key=lambda item: _order(item.nodeid.removeprefix("tests/")))
    for item in items:
        path = item.nodeid.removeprefix("tests/")
        if path.startswith(HEAVY) and not path.startswith(LIGHT):
            item.add_marker("heavy")


def _order(path: str) -> int:
    return next((n for n, beginning in enumerate(FIRST) if path.startswith(beginning)), len(FIRST))


def _row(nodeid: str) -> str:
    """The tests that run one after the other: those of a file, and all of tests/lab, which count what runs."""
    file = nodeid.partition("::")[0]
    return "tests/lab" if file.startswith("tests/lab/") else file


class Rows(LoadScopeScheduling):
    """Each row is one process's."""

    def _split_scope(self, nodeid: str) -> str:
        return _row(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rows:
    """For `make test`, which runs several at a time."""
    return Rows(config, log)
