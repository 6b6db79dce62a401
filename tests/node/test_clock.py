"""The clock of the management node jumps, by an hour and more: no wait ends by it, no step is done again.

What jumps is the wall clock of worker and command line (libfaketime; clocks that only go on are left alone). The
Temporal server's own clock is not tried here: by it the lab lives.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.labfixture import eventually
from tests.node.conftest import MakeNode
from tests.node.harness import PATIENCE, Node
from tests.node.test_database import done_once, in_step
from vclab.store import load_log

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

SLOW = """
fake.delays."fake.create_vm" = 3
fake.delays."fake.find_address" = 3
fake.delays."fake.post_load" = 2
"""


@pytest.fixture
def library() -> Path:
    """What shows a program another time."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        pytest.skip("the clock is set by libfaketime: apt-get install libfaketime")
    return found[0]


class Clock:
    """The wall clock of a node's programs."""

    def __init__(self, node: Node, library: Path) -> None:
        self._file = node.folder / "clock"
        self.jump("+0")
        node.environment |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(Path(__file__).parent / "clock"),
        }

    def jump(self, offset: str) -> None:
        """It is off by this much from now on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset}\n")
        fresh.replace(self._file)


async def test_the_clock_of_worker_and_command_line_jumps(make: MakeNode, library: Path) -> None:
    node = make(settings=SLOW)
    node.start_server()
    await node.answers()
    clock = Clock(node, library)
    node.start_worker()
    used, idle = node.reserve("--wait"), node.reserve("--wait")
    node.vclab("connect", used, "--print")
    eventually(lambda: node.states()[used] == "inuse", PATIENCE, 0.2)
    ends = {r: node.show(r)["end"] for r in (used, idle)}

    loads: list[str] = []
    for offset, step in (("+1h", "fake.create_vm"), ("-1h", "fake.find_address"), ("+25h", "fake.post_load")):
        client = node.in_background("reserve", "fake-1", "--for", "1h", "--wait", "--json")
        eventually(lambda: len(node.states()) == 3 + len(loads), PATIENCE, 0.1)
        (loading,) = set(node.states()) - {used, idle, *loads}
        loads.append(loading)
        in_step(node, loading, step)
        clock.jump(offset)
        out, err = client.communicate(timeout=PATIENCE)
        assert client.returncode == 0 and "Traceback" not in err, (out, err)
        assert json.loads(out)["state"] == "reserved"
        done_once(node, loading)
    assert node.states() == {used: "inuse"} | dict.fromkeys([idle, *loads], "reserved")
    assert {r: node.show(r)["end"] for r in (used, idle)} == ends
    with node.store.read() as session:
        took = load_log.medians(session, "fake-1")
        last = load_log.attempts(session, loads[-1])[-1]
    assert last.started_at - datetime.now(UTC) > timedelta(hours=20), "the worker believes that it is tomorrow"
    assert all(0 <= seconds < 120 for seconds in took.values()), took

    node.vclab("extend", used, "--by", "15m")
    later, before = (datetime.fromisoformat(end) for end in (node.show(used)["end"], ends[used]))
    assert (later - before).total_seconds() == 900
    for each in (used, idle, *loads):
        node.vclab("end", each)
    eventually(lambda: set(node.states().values()) == {"complete"} and not node.machines(), PATIENCE, 0.2)
