"""Computers that nobody has, on bare metal whose BMC switches it: loaded anew, off, woken, checked."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.labfixture import eventually
from tests.stack.conftest import ADMIN, Json, Stack
from vclab.lab import rootfs

pytestmark = [pytest.mark.lab, pytest.mark.long, pytest.mark.timeout(900)]

SETTINGS = {
    "reconcile": {"every": 2},
    "idle": {"off_after": 5},
    "health": {"check_computers_every": 15},
}
IMAGE, NODE = "debian-12-metal", "metal01"
SECONDS = 300.0
"""A load of a node, on a busy machine."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A lab of its own, which looks often."""
    if os.geteuid():
        pytest.skip("the embedded lab needs root")
    rootfs.tree(lambda text: print(text, file=sys.stderr))  # may take a minute: not within a test's time
    made = Stack(Path(tmp_path_factory.mktemp("idle")), SETTINGS)
    made.up()
    made.worker_works()
    yield made
    made.down("--wipe")


def test_loaded_off_woken_and_checked(stack: Stack) -> None:
    """What its BMC says is looked at, beside what is recorded."""

    def computer() -> Json:
        found: Json = stack.json(*ADMIN, "computer", "show", NODE)
        return found

    def power() -> str:
        return str(stack.json(*ADMIN, "power", NODE, "status")["power"])

    stack.vclab(*ADMIN, "endpoint", "edit", "metal", "--after-use", "off")
    (begun,) = stack.json(*ADMIN, "computer", "reload", NODE, "--image", IMAGE, "--yes")
    assert (begun["will_hold"], begun["holder"]) == (f"{IMAGE}/1", "")
    eventually(lambda: computer()["image"] == IMAGE, SECONDS, 1.0)
    eventually(lambda: computer()["off_since"], SECONDS, 1.0)
    assert power() == "off"
    before = computer()
    woken = stack.reserve(image=IMAGE)
    eventually(lambda: stack.show(woken["id"])["word"] == "Ready", SECONDS, 1.0)
    assert power() == "on"
    assert computer()["host_key"] == before["host_key"], "it was not loaded again"
    stack.vclab("--as", "alice", "end", woken["id"])
    eventually(lambda: computer()["off_since"], SECONDS, 1.0)
    stack.vclab(*ADMIN, "endpoint", "edit", "metal", "--after-use", "on")
    checked = eventually(lambda: (seen := computer())["check_repair"] == "switched on" and seen, SECONDS, 1.0)
    assert f"it holds {IMAGE}/1" in checked["check_found"]
    assert (checked["state"], power()) == ("available", "on")
    events = [each["what"] for each in stack.json(*ADMIN, "computer", "events", NODE)]
    assert events.count("loaded") == 1 and "checked: switched on" in events
